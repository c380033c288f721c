"""A reservation's moves."""

from datetime import UTC, datetime
from typing import get_args
from uuid import uuid4

import pytest

from workers.ticket.reservation import MOVES, Reservation, ReservationStatus

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
STATUSES: tuple[ReservationStatus, ...] = get_args(ReservationStatus)


def _reservation(status: ReservationStatus, released: int = 0) -> Reservation:
    return Reservation(
        reservation_id=uuid4(),
        ticket_id=uuid4(),
        order_id=uuid4(),
        order_version=1,
        user_id=uuid4(),
        quantity=3,
        released=released,
        status=status,
        expires_at=None,
        created_at=NOW,
    )


@pytest.mark.parametrize("here", STATUSES)
@pytest.mark.parametrize("there", STATUSES)
def test_it_moves_as_the_table_says_or_stays(
    here: ReservationStatus, there: ReservationStatus
) -> None:
    moved = _reservation(here).moved(there, 7)
    assert moved.status == (there if there in MOVES[here] else here)
    assert moved.order_version == 7


def test_nothing_leaves_released() -> None:
    assert MOVES["RELEASED"] == set()


@pytest.mark.parametrize(
    ("status", "released", "live"),
    [
        ("HELD", 0, 3),
        ("FINALIZED", 0, 3),
        ("FINALIZED", 2, 1),
        ("RELEASED", 0, 0),
        ("EXPIRED", 0, 0),
    ],
)
def test_it_counts_for_its_user_while_it_lives(
    status: ReservationStatus, released: int, live: int
) -> None:
    assert _reservation(status, released).live == live


@pytest.mark.parametrize(
    ("status", "released", "kept", "left"),
    [("HELD", 0, 2, 2), ("FINALIZED", 0, 1, 1), ("FINALIZED", 2, 2, 1), ("EXPIRED", 0, 2, 0)],
)
def test_what_is_kept_stays_sold_and_nothing_comes_back_to_it(
    status: ReservationStatus, released: int, kept: int, left: int
) -> None:
    after = _reservation(status, released).kept(kept, 7)
    assert (after.sold, after.reserved, after.live, after.order_version) == (left, 0, left, 7)
