"""An order of seats: its lines, its prices and its deadline are what the venue says."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from schemas.expiration import ArmTimer
from schemas.order import (
    CancelOrder,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderRefused,
    OrderRestated,
    PlaceOrder,
)
from schemas.ticket import ReleaseReservation
from schemas.venue import HoldSeats, ReleaseSeats, SeatsRefused
from tests.services.order.buying import Buying, Orders

SEATS = [uuid4(), uuid4()]


@pytest.mark.parametrize(
    ("choice", "seats", "quantity"),
    [
        ({"seat_ids": SEATS}, SEATS, 2),
        ({"section_id": SEATS[0], "quantity": 3}, None, 3),
        ({"quantity": 4, "accessible": True}, None, 4),
    ],
)
def test_what_is_chosen_is_passed_on(
    orders: Orders, choice: dict[str, Any], seats: list[Any] | None, quantity: int
) -> None:
    asked = Buying(orders, **choice).asked
    assert (asked.seat_ids, asked.quantity) == (seats, quantity)
    assert asked.section_id == choice.get("section_id")
    assert asked.accessible == choice.get("accessible", False)


@pytest.mark.parametrize("choice", [{"seat_ids": SEATS}, {"quantity": 2}])
def test_reserved_seats_make_it_payable_for_as_long_as_their_organizer_says(
    orders: Orders, choice: dict[str, Any]
) -> None:
    buying = Buying(orders, **choice)
    said = buying.told(buying.reserved(*SEATS))
    assert said.types == [OrderCreated.TYPE, ArmTimer.TYPE]
    created = said.one(OrderCreated)
    assert (created.seated, created.total_amount) == (True, Decimal("25.00"))
    assert [item.seat_id for item in created.items] == SEATS
    assert [item.seat_label for item in created.items] == ["A 1", "A 2"]
    row = buying.row()
    assert (row["expires_at"] - row["updated_at"]).total_seconds() == 90
    kept = buying.items()
    assert [item["seat_ids"] for item in kept] == [str(each) for each in SEATS]
    assert [item["id"] for item in kept] == [item.id for item in created.items]
    assert {item["section_id"] for item in kept} == {buying.reservation_id}
    assert buying.told(buying.reserved(*SEATS)).types == []


def test_standing_places_are_one_line(orders: Orders) -> None:
    buying = Buying(orders, section_id=uuid4(), quantity=3)
    created = buying.told(buying.reserved(standing=3)).one(OrderCreated)
    (item,) = created.items
    assert (item.seat_id, item.quantity, created.total_amount) == (None, 3, Decimal("37.50"))


def test_free_seats_are_confirmed_at_once(orders: Orders) -> None:
    buying = Buying(orders, seat_ids=SEATS)
    said = buying.told(buying.reserved(*SEATS, price="0.00"))
    assert said.types == [OrderCompleted.TYPE]


def test_seats_that_somebody_else_has_end_it_and_are_named(orders: Orders) -> None:
    buying = Buying(orders, seat_ids=SEATS)
    ended = buying.told(buying.no_seats(SEATS[1])).one(OrderCancelled)
    assert (ended.cancel_reason, ended.cancel_detail) == ("seats_unavailable", "Gone.")
    assert (ended.seats_taken, ended.seated) == ([SEATS[1]], True)
    assert buying.row()["seats_taken"] == [SEATS[1]]
    assert buying.told(buying.no_seats(SEATS[1])).types == []


def test_nobody_knows_whether_it_is_seated_before_it_was_told(orders: Orders) -> None:
    buying = Buying(orders, quantity=2)
    ended = buying.told(CancelOrder(order_id=buying.order_id)).one(OrderCancelled)
    assert ended.seated is None


def test_a_refused_hold_of_a_buyer_is_nothing_to_an_order(orders: Orders) -> None:
    refused = SeatsRefused(
        plan_id=uuid4(),
        order_id=None,
        order_version=None,
        command=HoldSeats.TYPE,
        code="seats_unavailable",
        detail="",
        seat_ids=SEATS,
    )
    assert orders.told(refused).types == []


def test_seats_that_come_too_late_are_given_back_with_the_quota(orders: Orders) -> None:
    buying = Buying(orders, seat_ids=SEATS)
    buying.told(CancelOrder(order_id=buying.order_id))
    version = buying.row()["version"]
    said = buying.told(buying.reserved(*SEATS))
    seats, quota = said.one(ReleaseSeats), said.one(ReleaseReservation)
    assert (seats.seat_ids, quota.quantity) == (None, None), "all of it"
    assert seats.order_version == quota.order_version == version + 1
    assert said.one(OrderRestated).seated is True


@pytest.mark.parametrize(
    "choice", [{}, {"seat_ids": []}, {"seat_ids": [SEATS[0], SEATS[0]]}, {"section_id": SEATS[0]}]
)
def test_what_is_not_chosen_in_exactly_one_way_is_refused(
    orders: Orders, choice: dict[str, Any]
) -> None:
    place = PlaceOrder(ticket_id=uuid4(), **choice)
    said = orders.told(place, user_id=uuid4(), operation_id=uuid4())
    assert said.types == [OrderRefused.TYPE]
    assert said.one(OrderRefused).code == "invalid_request"
