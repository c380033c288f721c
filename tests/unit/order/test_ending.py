"""When the end of a cancelled event's orders is worth telling, and what is told."""

from uuid import uuid4

import pytest

from schemas.order import TicketEnded, TicketFailed, TicketProgress
from schemas.ticket import CancelTicket
from workers.order.ending import Ending


def _ending(
    total: int, ended: int, failed: int = 0, told: int = -1, told_failed: int = 0
) -> Ending:
    return Ending(
        ticket_id=uuid4(),
        total=total,
        ended=ended,
        failed=failed,
        told=told,
        told_failed=told_failed,
        revision=4,
        operation_ids=[],
    )


@pytest.mark.parametrize(
    ("total", "ended", "told", "worth"),
    [
        (500, 0, -1, True),
        (500, 0, 0, False),
        (500, 24, 0, False),
        (500, 25, 0, True),
        (500, 500, 499, True),
        (500, 500, 500, False),
        (3, 1, 0, True),
        (3, 1, 1, False),
        (0, 0, -1, True),
        (0, 0, 0, False),
    ],
)
def test_it_is_told_at_first_at_last_and_about_twenty_times_between(
    total: int, ended: int, told: int, *, worth: bool
) -> None:
    assert _ending(total, ended, told=told).worth_telling is worth


def test_what_failed_and_was_made_good_is_worth_telling_at_the_end() -> None:
    assert not _ending(5, 3, failed=2, told=5, told_failed=2).worth_telling
    assert _ending(5, 4, failed=1, told=5, told_failed=2).worth_telling
    assert not _ending(500, 3, failed=1, told=4, told_failed=2).worth_telling


def test_the_last_word_is_how_it_went() -> None:
    some = _ending(5, 3).said()
    assert isinstance(some, TicketProgress)
    assert (some.total, some.ended, some.revision) == (5, 3, 5)
    assert isinstance(_ending(5, 5).said(), TicketEnded)
    failed = _ending(5, 3, failed=2).said()
    assert isinstance(failed, TicketFailed)
    assert (failed.command, failed.code) == (CancelTicket.TYPE, "refund_failed")
    assert failed.detail == "2 of 5 orders could not be refunded."
