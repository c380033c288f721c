"""An order's moves and rules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.service import Refusal
from schemas.order import OrderStatus, PlaceOrder
from schemas.ticket import ReservationHeld
from workers.order.order import MOVES, Lifetimes, Order

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)
LIFETIMES = Lifetimes(pending=timedelta(seconds=300), payable=timedelta(seconds=600))
STATUSES: tuple[OrderStatus, ...] = get_args(OrderStatus)


def _placed(quantity: int = 2, **other: Any) -> Order:  # noqa: ANN401  # Fields of its own.
    placed = Order.place(
        PlaceOrder(ticket_id=uuid4(), quantity=quantity),
        new_id=uuid4,
        buyer=uuid4(),
        operation_id=uuid4(),
        now=NOW,
        lifetimes=LIFETIMES,
    )
    return replace(placed, **other)


def _held(order: Order, price: str = "12.50", currency: str = "EUR") -> Order:
    event = ReservationHeld(
        order_id=order.order_id,
        order_version=order.order_version,
        reservation_id=order.reservation_id,
        ticket_id=order.ticket_id,
        organizer_id=uuid4(),
        quantity=order.quantity,
        unit_price=Decimal(price),
        currency=currency,
    )
    return order.held(event, now=LATER, lifetimes=LIFETIMES)


@pytest.mark.parametrize("here", STATUSES)
@pytest.mark.parametrize("there", STATUSES)
def test_it_moves_as_the_table_says_and_no_other_way(here: OrderStatus, there: OrderStatus) -> None:
    order = _placed(status=here)
    if there in MOVES[here]:
        moved = order.moved(there, "settled", LATER)
        assert (moved.status, moved.order_version) == (there, order.order_version + 1)
        assert moved.updated_at == LATER
    else:
        with pytest.raises(ValueError, match=f"from {here} to {there}"):
            order.moved(there, "settled", LATER)


def test_a_new_order_waits_for_its_tickets() -> None:
    order = _placed()
    assert (order.status, order.step, order.order_version) == ("PENDING", "holding", 1)
    assert order.deadline == NOW + LIFETIMES.pending
    assert order.total_amount is None
    assert order.awaits(1)
    assert not order.awaits(2)


@given(
    quantity=st.integers(1, 1000),
    price=st.decimals("0.01", "99999.99", places=2),
)
def test_the_total_is_the_sum_of_its_items(quantity: int, price: Decimal) -> None:
    order = _held(_placed(quantity), str(price))
    assert order.total_amount == price * quantity
    assert order.total_amount == sum(
        (item.unit_price or Decimal(0)) * item.quantity for item in order.items
    )


@pytest.mark.parametrize(
    ("price", "currency", "total"), [("1500", "JPY", "3000"), ("14.255", "KWD", "28.510")]
)
def test_every_currency_keeps_its_decimals(price: str, currency: str, total: str) -> None:
    order = _held(_placed(), price, currency)
    assert (str(order.total_amount), order.currency) == (total, currency)


def test_a_held_order_can_be_paid_until_its_own_deadline() -> None:
    order = _held(_placed())
    assert (order.status, order.step) == ("AWAITING_PAYMENT", "payable")
    assert order.deadline == LATER + LIFETIMES.payable
    assert order.arm == 2
    assert not order.awaits(order.order_version)


@pytest.mark.parametrize("price", ["0", "0.00"])
def test_a_free_order_is_confirmed_at_once(price: str) -> None:
    order = _held(_placed(), price)
    assert (order.status, order.step, order.expires_at) == ("CONFIRMED", "settled", None)
    given_back = order.cancel_for_buyer(LATER)
    assert (given_back.status, given_back.cancel_reason) == ("CANCELLED", "cancelled")


def test_a_paid_order_is_captured_then_settled() -> None:
    confirmed = _held(_placed()).confirm(LATER)
    assert (confirmed.status, confirmed.step) == ("CONFIRMED", "capturing")
    assert not confirmed.has_deadline
    assert confirmed.settle(LATER).step == "settled"


def test_what_is_asked_for_again_has_a_timer_of_its_own() -> None:
    expired = _held(_placed()).end_at_deadline(LATER)
    again = expired.retake(LATER, LIFETIMES)
    assert (again.arm, again.deadline) == (expired.arm + 1, LATER + LIFETIMES.pending)
    assert again.awaits(again.order_version)
    assert not expired.awaits(again.order_version)


@pytest.mark.parametrize("voided", [True, False])
def test_what_is_cancelled_is_released_and_stays_voided(*, voided: bool) -> None:
    held = _held(_placed())
    ended = (held.void(LATER) if voided else held).cancel("sold_out", LATER)
    assert ended.step == ("voided" if voided else "settled")
    assert ended.released_version == ended.order_version


@pytest.mark.parametrize("status", ["CANCELLED", "EXPIRED"])
def test_a_free_order_that_has_ended_is_not_cancelled_again(status: OrderStatus) -> None:
    with pytest.raises(Refusal, match="order_not_cancellable"):
        _placed(status=status, total_amount=Decimal(0)).cancel_for_buyer(LATER)


@pytest.mark.parametrize("status", ["CONFIRMED", "CANCELLED", "EXPIRED"])
def test_what_has_ended_or_is_paid_is_not_the_buyers_to_cancel(status: OrderStatus) -> None:
    order = _placed(status=status, total_amount=Decimal(10))
    with pytest.raises(Refusal, match="order_not_cancellable"):
        order.cancel_for_buyer(LATER)
    with pytest.raises(LookupError):
        _ = order.deadline


def test_a_deadline_ends_it_in_the_way_of_its_status() -> None:
    pending = _placed()
    assert pending.end_at_deadline(LATER).cancel_reason == "timed_out"
    assert pending.end_at_deadline(LATER).status == "CANCELLED"
    expired = _held(pending).end_at_deadline(LATER)
    assert (expired.status, expired.cancel_reason, expired.ended) == ("EXPIRED", "expired", True)


def test_a_voided_order_stays_voided() -> None:
    voided = _held(_placed()).end_at_deadline(LATER).void(LATER)
    assert (voided.status, voided.step) == ("EXPIRED", "voided")
    assert voided.void(LATER).order_version == voided.order_version + 1


@given(st.lists(st.sampled_from(["insist", "void", "rearmed"]), max_size=10))
def test_what_is_said_raises_the_version_and_a_timer_does_not(told: list[str]) -> None:
    order = _held(_placed()).end_at_deadline(LATER)
    said = 0
    for each in told:
        before = order.order_version
        order = order.rearmed() if each == "rearmed" else getattr(order, each)(LATER)
        said += each != "rearmed"
        assert order.order_version == before + (each != "rearmed")
    assert order.arms == 2 + len(told) - said
