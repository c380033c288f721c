"""A seated ticket: its plan, its holds, what is given back of it, and its end."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from bus.stores.mongo import Documents
from schemas.order import OrderCancelled, OrderItem
from schemas.ticket import (
    CancelTicket,
    HoldReservation,
    PlanRequestRefused,
    ReleaseReservation,
    RequestPlan,
    ReservationHeld,
    ReservationRefused,
    ReservationReleased,
    TicketCancelled,
    TicketChanged,
    TicketClosed,
    TicketOnSale,
    TicketRefused,
)
from schemas.venue import (
    ActivatePlan,
    CreatePlan,
    PlanActivated,
    PlanDeactivated,
    ReserveSeats,
    SeatsBlocked,
)
from tests.driven import Driven, message_of, mongo
from tests.services.ticket.asking import Asking, Row, counters, held_by, offer
from tests.unit.ticket.plans import Planning

Tickets = Driven[Documents]


def _seated(tickets: Tickets, sellable: int = 10, **terms: Any) -> Planning:  # noqa: ANN401  # Terms.
    told = {"ticket_type": "SEATED_MANUAL", "quota": None} | terms
    plan = Planning(offer(tickets, **told))
    tickets.told(plan.turned(PlanActivated, 2, sellable))
    return plan


def _row(ticket_id: UUID) -> Row:
    row = mongo().database.tickets.find_one({"_id": str(ticket_id)})
    assert row
    return dict(row)


class Seated(Asking):
    """An order of seats."""

    def seats(self, version: int = 1, **choice: Any) -> HoldReservation:  # noqa: ANN401  # A choice.
        """Ask for its seats."""
        told = choice or {"seat_ids": [uuid4() for _ in range(self.quantity)]}
        return HoldReservation.of(self.hold(version), **told)


def _request(ticket_id: UUID, mode: Any = "manual") -> RequestPlan:  # noqa: ANN401  # A mode.
    return RequestPlan(
        ticket_id=ticket_id,
        venue_id=uuid4(),
        name="Stalls",
        assignment_mode=mode,
        pricing_mode="single",
    )


def test_a_plan_is_passed_on_with_what_is_true_of_its_ticket(tickets: Tickets) -> None:
    owner = uuid4()
    ticket_id = offer(tickets, owner, ticket_type="SEATED_MANUAL", quota=None)
    said = tickets.told(_request(ticket_id), user_id=owner)
    passed = said.one(CreatePlan)
    assert (passed.ticket_id, passed.organizer_id) == (ticket_id, owner)
    assert (str(passed.price), passed.currency) == ("12.50", "EUR")
    assert passed.ticket_type == "SEATED_MANUAL"
    for request, user, code in (
        (_request(ticket_id), uuid4(), "forbidden"),
        (_request(ticket_id, "auto"), owner, "invalid_request"),
        (_request(uuid4()), owner, "not_found"),
    ):
        said = tickets.told(request, user_id=user)
        assert said.types == [PlanRequestRefused.TYPE]
        assert said.one(PlanRequestRefused).code == code


def test_an_activated_plan_puts_its_ticket_on_sale(tickets: Tickets) -> None:
    plan = Planning(offer(tickets, ticket_type="SEATED_AUTO", quota=None))
    activated = message_of(plan.turned(PlanActivated, 2, 20))
    said = tickets.hear(activated, activated)
    assert said.types == [TicketOnSale.TYPE]
    on_sale = said.one(TicketOnSale)
    assert (on_sale.quota, on_sale.seating_plan_id) == (20, plan.plan_id)
    assert tickets.told(plan.turned(PlanDeactivated, 3)).one(TicketClosed).status == "closed"
    late = tickets.told(plan.turned(PlanActivated, 2)).one(TicketOnSale)
    assert late.status == "closed", "it answers, and changes nothing"
    assert _row(plan.ticket_id)["status"] == "closed"


def test_blocked_seats_lower_the_quota_in_turn(tickets: Tickets) -> None:
    plan = _seated(tickets, 10)
    assert tickets.told(plan.counted(SeatsBlocked, 5, 6)).one(TicketChanged).quota == 6
    assert tickets.told(plan.counted(SeatsBlocked, 4, 8)).types == []
    assert _row(plan.ticket_id)["quota"] == 6


def test_a_ticket_kept_before_there_were_plans_is_understood(tickets: Tickets) -> None:
    asked = Asking(offer(tickets))
    mongo().database.tickets.update_one({"_id": str(asked.ticket_id)}, {"$unset": {"plans": ""}})
    assert tickets.told(asked.hold()).one(ReservationHeld).quantity == 2


def test_a_seated_hold_sets_quota_aside_and_asks_for_the_seats(tickets: Tickets) -> None:
    plan = _seated(tickets)
    asked = Seated(plan.ticket_id)
    hold = asked.seats()
    said = tickets.told(hold)
    assert sorted(said.types) == [TicketChanged.TYPE, ReserveSeats.TYPE]
    reserve = said.one(ReserveSeats)
    assert (reserve.plan_id, reserve.seat_ids) == (plan.plan_id, hold.seat_ids)
    assert (reserve.order_version, reserve.reservation_id) == (1, asked.reservation_id)
    assert counters(plan.ticket_id) == (2, 0)


@pytest.mark.parametrize(
    ("terms", "choice", "code"),
    [
        ({}, {"section_id": None}, "invalid_request"),
        ({"ticket_type": "SEATED_AUTO"}, {"seat_ids": [uuid4(), uuid4()]}, "invalid_request"),
        ({"max_per_user": 1}, {}, "limit_exceeded"),
    ],
)
def test_a_seated_hold_that_cannot_be_changes_nothing(
    tickets: Tickets, terms: dict[str, Any], choice: dict[str, Any], code: str
) -> None:
    plan = _seated(tickets, **terms)
    asked = Seated(plan.ticket_id)
    said = tickets.told(asked.seats(**choice))
    assert said.types == [ReservationRefused.TYPE]
    assert said.one(ReservationRefused).code == code
    assert counters(plan.ticket_id) == (0, 0)


def test_more_than_the_plan_can_sell_is_sold_out(tickets: Tickets) -> None:
    asked = Seated(_seated(tickets, 1).ticket_id)
    assert tickets.told(asked.seats()).one(ReservationRefused).code == "sold_out"


def test_an_expired_reservation_is_taken_again_under_a_higher_version(tickets: Tickets) -> None:
    plan = _seated(tickets)
    asked = Seated(plan.ticket_id)
    tickets.told(asked.seats())
    tickets.told(asked.cancelled(2, "EXPIRED"))
    assert counters(plan.ticket_id) == (0, 0)
    assert tickets.told(asked.seats(4)).one(ReserveSeats).order_version == 4
    assert counters(plan.ticket_id) == (2, 0)
    assert held_by(plan.ticket_id, asked.user_id) == 2
    assert tickets.told(asked.cancelled(3)).types == [], "a stale cancellation frees nothing"
    tickets.told(asked.completed(5))
    assert counters(plan.ticket_id) == (0, 2)


@pytest.mark.parametrize(("left", "more", "code"), [(3, 0, "sold_out"), (9, 3, "limit_exceeded")])
def test_a_retake_is_refused_when_quota_or_limit_is_gone(
    tickets: Tickets, left: int, more: int, code: str
) -> None:
    ticket_id = offer(tickets, quota=left, max_per_user=4)
    asked = Asking(ticket_id)
    tickets.hear(*map(message_of, (asked.hold(), asked.cancelled(2, "EXPIRED"))))
    rival = Asking(ticket_id, asked.user_id if more else None, quantity=more or 2)
    tickets.told(rival.hold())
    assert tickets.told(asked.hold(3)).one(ReservationRefused).code == code
    assert counters(ticket_id) == (rival.quantity, 0)
    kept = asked.reservation()
    assert kept
    assert kept["status"] == "EXPIRED"


def test_a_hold_of_what_is_held_already_is_answered_as_held(tickets: Tickets) -> None:
    asked = Asking(offer(tickets))
    tickets.told(asked.hold())
    assert tickets.told(asked.hold(3)).types == [ReservationHeld.TYPE]
    assert tickets.told(asked.cancelled(2, "EXPIRED")).types == []
    assert counters(asked.ticket_id) == (2, 0)


def _some(asked: Asking, version: int, quantity: int) -> ReleaseReservation:
    return ReleaseReservation.of(asked, order_version=version, quantity=quantity)


def test_refunded_items_come_back_and_a_skipped_release_loses_nothing(tickets: Tickets) -> None:
    asked = Asking(offer(tickets), quantity=4)
    tickets.hear(*map(message_of, (asked.hold(), asked.completed(3))))
    said = tickets.told(_some(asked, 6, 3)).one(ReservationReleased)
    assert said.status == "FINALIZED"
    assert tickets.told(_some(asked, 5, 1)).types == []
    assert counters(asked.ticket_id) == (0, 1)
    assert held_by(asked.ticket_id, asked.user_id) == 1
    assert tickets.told(_some(asked, 7, 4)).one(ReservationReleased).status == "RELEASED"
    assert counters(asked.ticket_id) == (0, 0)


def test_a_release_that_overtakes_the_sale_leaves_what_is_left_sold(tickets: Tickets) -> None:
    asked = Asking(offer(tickets), quantity=4)
    tickets.told(asked.hold())
    tickets.told(_some(asked, 5, 1))
    tickets.told(asked.completed(3))
    assert counters(asked.ticket_id) == (0, 3)


@pytest.mark.parametrize("completed", [True, False])
def test_what_is_refunded_and_kept_stays_sold(tickets: Tickets, *, completed: bool) -> None:
    asked = Asking(offer(tickets), quantity=4)
    tickets.told(asked.hold())
    if completed:
        tickets.told(asked.completed(3))
    items = [
        OrderItem(id=uuid4(), quantity=1, unit_price=None, refunded=True, kept=True),
        OrderItem(id=uuid4(), quantity=3, unit_price=None, refunded=True),
    ]
    ended = asked.order(OrderCancelled, 5, "CANCELLED", cancel_reason="refunded", items=items)
    assert tickets.told(ended).one(ReservationReleased).status == "FINALIZED"
    assert counters(asked.ticket_id) == (0, 1)
    assert held_by(asked.ticket_id, asked.user_id) == 1


def test_an_organizer_calls_the_event_off(tickets: Tickets) -> None:
    owner = uuid4()
    asked = Asking(offer(tickets, owner))
    tickets.told(asked.hold())
    cancel = CancelTicket(ticket_id=asked.ticket_id)
    assert tickets.told(cancel, user_id=uuid4()).one(TicketRefused).code == "forbidden"
    assert tickets.told(cancel, user_id=owner).one(TicketCancelled).status == "cancelled"
    again = tickets.told(cancel, user_id=owner).one(TicketCancelled)
    assert again.revision == 3, "said again, nothing changed"
    late = tickets.told(Asking(asked.ticket_id).hold()).one(ReservationRefused)
    assert late.code == "event_cancelled"
    tickets.told(asked.cancelled(2))
    assert counters(asked.ticket_id) == (0, 0)
    nobody = CancelTicket(ticket_id=uuid4())
    assert tickets.told(nobody, user_id=owner).one(TicketRefused).code == "not_found"


def test_a_plan_of_a_cancelled_event_is_not_activated(tickets: Tickets) -> None:
    owner = uuid4()
    plan = Planning(offer(tickets, owner, ticket_type="SEATED_AUTO", quota=None))
    tickets.told(CancelTicket(ticket_id=plan.ticket_id), user_id=owner)
    refused = tickets.told(plan.turned(PlanActivated, 2)).one(PlanRequestRefused)
    assert (refused.code, refused.command) == ("event_cancelled", ActivatePlan.TYPE)
    assert _row(plan.ticket_id)["status"] == "cancelled"
