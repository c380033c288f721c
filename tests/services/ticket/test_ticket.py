"""The ticket service: quota, limit and reservation move together, or not at all."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest

from bus.stores.mongo import Documents
from schemas.message import Message
from schemas.ticket import (
    EditTicket,
    ReservationHeld,
    ReservationRefused,
    ReservationReleased,
    TicketChanged,
    TicketEdited,
    TicketRefused,
)
from tests.driven import Driven, message_of
from tests.services.ticket.asking import Asking, counters, held_by, offer

Tickets = Driven[Documents]


def test_a_hold_sets_quota_aside_at_the_price_of_now(tickets: Tickets) -> None:
    asked = Asking(offer(tickets))
    said = tickets.told(asked.hold())
    held = said.one(ReservationHeld)
    assert (held.unit_price, held.currency, held.quantity) == (Decimal("12.50"), "EUR", 2)
    assert (held.order_id, held.order_version) == (asked.order_id, 1)
    assert said.one(TicketChanged).reserved == 2
    assert counters(asked.ticket_id) == (2, 0)
    assert held_by(asked.ticket_id, asked.user_id) == 2


@pytest.mark.parametrize(
    ("terms", "quantity", "code"),
    [
        ({"quota": 1}, 2, "sold_out"),
        ({"max_per_user": 1}, 2, "limit_exceeded"),
        ({"status": "draft"}, 1, "not_on_sale"),
    ],
)
def test_a_hold_that_cannot_be_is_refused_and_changes_nothing(
    tickets: Tickets, terms: dict[str, Any], quantity: int, code: str
) -> None:
    asked = Asking(offer(tickets, **terms), quantity=quantity)
    refused = tickets.told(asked.hold()).one(ReservationRefused)
    assert (refused.code, refused.order_id, refused.order_version) == (code, asked.order_id, 1)
    assert counters(asked.ticket_id) == (0, 0)
    assert asked.reservation() is None


def test_a_ticket_that_nobody_offers_is_not_found(tickets: Tickets) -> None:
    assert tickets.told(Asking(uuid4()).hold()).one(ReservationRefused).code == "not_found"


def test_the_same_message_twice_is_handled_once(tickets: Tickets) -> None:
    asked = Asking(offer(tickets))
    hold = message_of(asked.hold())
    assert tickets.hear(hold, hold).types == [ReservationHeld.TYPE, TicketChanged.TYPE]
    assert tickets.hear(hold).types == []
    assert counters(asked.ticket_id) == (2, 0)


def test_a_confirmed_order_turns_reserved_into_sold(tickets: Tickets) -> None:
    asked = Asking(offer(tickets))
    tickets.told(asked.hold())
    for _ in range(2):
        tickets.told(asked.completed())
        assert counters(asked.ticket_id) == (0, 2)
    assert held_by(asked.ticket_id, asked.user_id) == 2


@pytest.mark.parametrize(("status", "kept"), [("EXPIRED", "EXPIRED"), ("CANCELLED", "RELEASED")])
def test_an_ended_order_gives_everything_back(tickets: Tickets, status: str, kept: str) -> None:
    asked = Asking(offer(tickets))
    tickets.told(asked.hold())
    assert tickets.told(asked.cancelled(2, status)).one(ReservationReleased).status == kept
    assert counters(asked.ticket_id) == (0, 0)
    assert held_by(asked.ticket_id, asked.user_id) == 0
    reservation = asked.reservation()
    assert reservation
    assert reservation["status"] == kept


def test_a_confirmed_order_can_be_given_back_whole(tickets: Tickets) -> None:
    asked = Asking(offer(tickets))
    tickets.hear(*map(message_of, (asked.hold(), asked.completed(2), asked.cancelled(3))))
    assert counters(asked.ticket_id) == (0, 0)


def test_a_hold_that_comes_after_the_end_takes_nothing(tickets: Tickets) -> None:
    asked = Asking(offer(tickets))
    assert tickets.told(asked.cancelled(2)).one(ReservationReleased).status == "RELEASED"
    assert tickets.told(asked.hold(1)).types == []
    assert tickets.told(asked.hold(3)).one(ReservationRefused).code == "sold_out"
    assert counters(asked.ticket_id) == (0, 0)


def test_a_stale_cancellation_frees_nothing(tickets: Tickets) -> None:
    asked = Asking(offer(tickets))
    tickets.told(asked.hold(5))
    assert tickets.told(asked.cancelled(4)).types == []
    assert counters(asked.ticket_id) == (2, 0)


_Tell = Callable[[Asking], Message]
_STORY: tuple[_Tell, ...] = (Asking.hold, lambda a: a.cancelled(2), lambda a: a.release(3))


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("together", [True, False])
def test_an_ended_orders_messages_in_any_order_leave_nothing(
    tickets: Tickets, order: tuple[int, ...], *, together: bool
) -> None:
    asked = Asking(offer(tickets))
    told = [message_of(_STORY[each](asked)) for each in order]
    if together:
        tickets.hear(*told)
    else:
        for each in told:
            tickets.hear(each)
    assert counters(asked.ticket_id) == (0, 0)
    assert held_by(asked.ticket_id, asked.user_id) == 0


def test_a_batch_changes_a_ticket_once_and_refuses_whom_it_must(tickets: Tickets) -> None:
    ticket_id = offer(tickets, quota=3)
    said = tickets.hear(*(message_of(Asking(ticket_id, quantity=1).hold()) for _ in range(5)))
    assert Counter(said.types) == {
        ReservationHeld.TYPE: 3,
        ReservationRefused.TYPE: 2,
        TicketChanged.TYPE: 1,
    }
    assert counters(ticket_id) == (3, 0)


def test_edits_are_the_organizers_in_turn(tickets: Tickets) -> None:
    owner = uuid4()
    ticket_id = offer(tickets, owner)
    edit = EditTicket(ticket_id=ticket_id, version=1, title="Changed")
    assert tickets.told(edit, user_id=owner).one(TicketEdited).version == 2
    stale = tickets.told(edit, user_id=owner).one(TicketRefused)
    assert (stale.code, stale.ticket_id) == ("version_conflict", ticket_id)
    assert tickets.told(edit, user_id=uuid4()).one(TicketRefused).code == "forbidden"
