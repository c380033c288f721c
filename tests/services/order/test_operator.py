"""An operator's word about an order that is stuck: judged by the order, safe to repeat."""

from typing import Literal
from uuid import uuid4

import pytest

from schemas.order import OrderCancelled, OrderRefused, OrderRestated, ResolveOrder
from schemas.payment import VoidPayment
from schemas.ticket import ReleaseReservation
from schemas.venue import ReleaseSeats
from tests.driven import Said
from tests.services.order.buying import Buying, Orders
from tests.services.order.paid import SEATS, Paid

Action = Literal["void", "release"]
ACTIONS: tuple[Action, ...] = ("void", "release")


def _resolve(buying: Buying, action: Action) -> Said:
    return buying.told(ResolveOrder(order_id=buying.order_id, action=action, by="ada"))


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("status", ["PENDING", "AWAITING_PAYMENT"])
def test_an_open_order_ends_and_its_end_gives_everything_back(
    orders: Orders, status: str, action: Action
) -> None:
    buying = Buying(orders).at(status)
    cancelled = _resolve(buying, action).one(OrderCancelled)
    assert (cancelled.cancel_reason, cancelled.cancel_detail) == ("cancelled", "Cancelled by ada.")


@pytest.mark.parametrize("status", ["CANCELLED", "EXPIRED"])
def test_money_and_tickets_of_an_ended_order_are_given_back_again(
    orders: Orders, status: str
) -> None:
    buying = Buying(orders).at(status)
    for _ in range(2):
        released = _resolve(buying, "release")
        assert released.types == [ReleaseReservation.TYPE, OrderRestated.TYPE]
        voided = _resolve(buying, "void")
        assert voided.types == [VoidPayment.TYPE, OrderRestated.TYPE]
        earlier, later = released.one(ReleaseReservation), voided.one(VoidPayment)
        assert earlier.order_version < later.order_version == buying.row()["version"]
    assert (buying.row()["status"], buying.row()["step"]) == (status, "voided")


def test_what_was_refunded_and_kept_stays_sold_however_often_the_rest_is_given_back(
    orders: Orders,
) -> None:
    paid = Paid(orders)
    kept = paid.asked_for(item_ids=paid.item_ids()[:1], keep_stock=True)
    paid.told(paid.done(kept))
    paid.told(paid.done(paid.asked_for()))
    assert paid.row()["status"] == "CANCELLED"
    late = paid.told(paid.reserved(*SEATS))  # An answer of venue's, heard once more.
    for said in (late, _resolve(paid, "release"), _resolve(paid, "release")):
        assert said.types == [ReleaseReservation.TYPE, ReleaseSeats.TYPE, OrderRestated.TYPE]
        seats = said.one(ReleaseSeats)
        assert (seats.seat_ids, seats.quantity) == (SEATS[1:], 0)
        assert said.one(ReleaseReservation).quantity == 2


def test_nothing_is_given_back_where_all_is_kept(orders: Orders) -> None:
    paid = Paid(orders)
    paid.told(paid.done(paid.asked_for(keep_stock=True)))
    said = _resolve(paid, "release")
    assert (said.one(ReleaseSeats).seat_ids, said.one(ReleaseReservation).quantity) == ([], 0)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_confirmed_order_keeps_what_was_paid_for(orders: Orders, action: Action) -> None:
    buying = Buying(orders).at("CONFIRMED")
    assert _resolve(buying, action).one(OrderRefused).code == "order_not_cancellable"
    assert buying.row()["status"] == "CONFIRMED"


@pytest.mark.parametrize("action", ACTIONS)
def test_a_retake_is_given_up(orders: Orders, action: Action) -> None:
    buying = Buying(orders).at("EXPIRED")
    buying.told(buying.authorized())
    said = _resolve(buying, action)
    assert said.types == [ReleaseReservation.TYPE, VoidPayment.TYPE, OrderRestated.TYPE]


def test_there_must_be_such_an_order(orders: Orders) -> None:
    nobody = ResolveOrder(order_id=uuid4(), action="void", by="ada")
    assert orders.told(nobody).one(OrderRefused).code == "not_found"
