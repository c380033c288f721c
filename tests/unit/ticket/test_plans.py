"""A seated ticket follows its plan, in whatever order it hears of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest

from bus.service import Refusal
from schemas.ticket import CreateTicket, EditTicket, HoldReservation, TicketEvent
from schemas.venue import PlanActivated, PlanDeactivated, SeatsBlocked, SeatsUnblocked
from tests.unit.ticket.plans import Planning
from workers.ticket.ticket import Ticket

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
OWNER = uuid4()


def _ticket(ticket_type: Any = "SEATED_MANUAL") -> Ticket:  # noqa: ANN401  # A type.
    command = CreateTicket(
        title="A concert",
        price=Decimal("12.50"),
        currency="EUR",
        quota=10 if ticket_type == "GA" else None,
        max_per_user=20,
        ticket_type=ticket_type,
        event=TicketEvent(title="A", starts_at=NOW, ends_at=NOW + timedelta(hours=2)),
    )
    return Ticket.create(command, ticket_id=uuid4(), organizer_id=OWNER, now=NOW)


def _hear(ticket: Ticket, told: object) -> Ticket:
    match told:
        case PlanActivated():
            return ticket.activated(told, NOW)
        case PlanDeactivated():
            return ticket.deactivated(told, NOW)
        case SeatsBlocked() | SeatsUnblocked():
            return ticket.recounted(told, NOW)
        case _:
            raise AssertionError


def test_its_plan_puts_it_on_sale_and_takes_it_off() -> None:
    ticket = _ticket()
    plan = Planning(ticket.ticket_id)
    opened = ticket.activated(plan.turned(PlanActivated, 3, sellable=20), NOW)
    assert (opened.status, opened.quota, opened.seating_plan_id) == ("on_sale", 20, plan.plan_id)
    assert (opened.version, opened.revision) == (1, 2)
    closed = opened.deactivated(plan.turned(PlanDeactivated, 4), NOW)
    assert closed.status == "closed"
    assert closed.deactivated(plan.turned(PlanDeactivated, 4), NOW) is closed
    again = closed.activated(plan.turned(PlanActivated, 5, sellable=18), NOW)
    assert (again.status, again.quota) == ("on_sale", 18)


@pytest.mark.parametrize("order", list(permutations(range(5))))
def test_whatever_the_order_the_newest_counts(order: tuple[int, ...]) -> None:
    ticket = _ticket()
    plan = Planning(ticket.ticket_id)
    told: list[object] = [
        plan.turned(PlanActivated, 2, sellable=20),
        plan.counted(SeatsBlocked, 3, 15),
        plan.turned(PlanDeactivated, 4, sellable=15),
        plan.turned(PlanActivated, 5, sellable=15),
        plan.counted(SeatsUnblocked, 6, 17),
    ]
    for each in order:
        ticket = _hear(ticket, told[each])
    assert (ticket.status, ticket.quota, ticket.seating_plan_id) == ("on_sale", 17, plan.plan_id)


def test_a_plan_that_was_left_behind_closes_nothing() -> None:
    ticket = _ticket()
    old, new = Planning(ticket.ticket_id), Planning(ticket.ticket_id)
    for told in (
        old.turned(PlanActivated, 2),
        new.turned(PlanActivated, 2, sellable=30),
        old.turned(PlanDeactivated, 3),
        old.counted(SeatsBlocked, 4, 1),
    ):
        ticket = _hear(ticket, told)
    assert (ticket.status, ticket.quota, ticket.seating_plan_id) == ("on_sale", 30, new.plan_id)


def test_a_quota_never_falls_below_what_is_promised_and_follows_what_comes_back() -> None:
    ticket = _ticket()
    plan = Planning(ticket.ticket_id)
    ticket = ticket.activated(plan.turned(PlanActivated, 2, sellable=6), NOW)
    ticket = ticket.hold(5, held_by_user=0, now=NOW)
    ticket = ticket.recounted(plan.counted(SeatsBlocked, 3, 2), NOW)
    assert (ticket.quota, ticket.reserved) == (5, 5)
    ticket = ticket.give_back(reserved=2, now=NOW)
    assert (ticket.quota, ticket.reserved) == (3, 3)
    assert ticket.give_back(reserved=3, now=NOW).quota == 2


def test_an_edit_does_not_touch_a_seated_quota_nor_open_what_its_plan_closed() -> None:
    ticket = _ticket()
    plan = Planning(ticket.ticket_id)
    ticket = ticket.activated(plan.turned(PlanActivated, 2), NOW)
    for changes, code in (({"quota": 5}, "invalid_request"), ({"currency": "USD"}, "invalid")):
        edit = EditTicket(ticket_id=ticket.ticket_id, version=1, **changes)
        with pytest.raises(Refusal, match=code):
            ticket.edit(edit, by=OWNER, now=NOW)
    same = EditTicket(ticket_id=ticket.ticket_id, version=1, quota=20, title="Changed")
    assert ticket.edit(same, by=OWNER, now=NOW).quota == 20
    closed = ticket.deactivated(plan.turned(PlanDeactivated, 3), NOW)
    opening = EditTicket(ticket_id=ticket.ticket_id, version=1, status="on_sale")
    with pytest.raises(Refusal, match="plan_incomplete"):
        closed.edit(opening, by=OWNER, now=NOW)


def test_a_cancelled_event_stays_so() -> None:
    ticket = _ticket()
    plan = Planning(ticket.ticket_id)
    with pytest.raises(Refusal, match="forbidden"):
        ticket.cancel(by=uuid4(), now=NOW)
    cancelled = ticket.cancel(by=OWNER, now=NOW)
    assert (cancelled.status, cancelled.version, cancelled.revision) == ("cancelled", 2, 2)
    assert cancelled.cancel(by=OWNER, now=NOW) is cancelled
    assert cancelled.activated(plan.turned(PlanActivated, 2), NOW).status == "cancelled"
    assert cancelled.deactivated(plan.turned(PlanDeactivated, 3), NOW).status == "cancelled"
    with pytest.raises(Refusal, match="event_cancelled"):
        cancelled.hold(1, held_by_user=0, now=NOW)
    called_off = ticket.activated(plan.turned(PlanActivated, 2), NOW).cancel(by=OWNER, now=NOW)
    assert called_off.deactivated(plan.turned(PlanDeactivated, 3), NOW).status == "cancelled"


@pytest.mark.parametrize(
    ("ticket_type", "mode", "fits"),
    [
        ("SEATED_MANUAL", "manual", True),
        ("SEATED_AUTO", "auto", True),
        ("SEATED_MANUAL", "auto", False),
        ("SEATED_AUTO", "manual", False),
        ("GA", "manual", False),
        ("GA", "auto", False),
    ],
)
def test_a_plan_assigns_seats_as_its_ticket_says(
    ticket_type: str,
    mode: Any,  # noqa: ANN401  # A mode.
    *,
    fits: bool,
) -> None:
    ticket = _ticket(ticket_type)
    if fits:
        ticket.check_plan(mode, by=OWNER)
    else:
        with pytest.raises(Refusal, match="invalid_request"):
            ticket.check_plan(mode, by=OWNER)
    with pytest.raises(Refusal, match="forbidden"):
        ticket.check_plan(mode, by=uuid4())
    with pytest.raises(Refusal, match="event_cancelled"):
        replace(ticket, status="cancelled").check_plan(mode, by=OWNER)


_SEATS, _SECTION = {"seat_ids": [uuid4(), uuid4()]}, {"section_id": uuid4()}


@pytest.mark.parametrize(
    ("ticket_type", "choice", "fits"),
    [
        ("GA", {}, True),
        ("GA", _SEATS, False),
        ("GA", _SECTION, False),
        ("SEATED_MANUAL", {}, False),
        ("SEATED_MANUAL", _SEATS, True),
        ("SEATED_MANUAL", _SECTION, True),
        ("SEATED_MANUAL", _SEATS | _SECTION, False),
        ("SEATED_AUTO", {}, True),
        ("SEATED_AUTO", _SEATS, False),
        ("SEATED_AUTO", _SECTION, True),
    ],
)
def test_a_choice_fits_its_tickets_type(
    ticket_type: str, choice: dict[str, Any], *, fits: bool
) -> None:
    ticket = _ticket(ticket_type)
    asked = HoldReservation(
        order_id=uuid4(),
        order_version=1,
        reservation_id=uuid4(),
        ticket_id=ticket.ticket_id,
        user_id=uuid4(),
        quantity=2,
        expires_at=NOW,
        **choice,
    )
    if fits:
        ticket.check_choice(asked)
    else:
        with pytest.raises(Refusal, match="invalid_request"):
            ticket.check_choice(asked)
