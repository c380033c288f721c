"""A payment's moves."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.service import Refusal
from schemas.order import OrderCancelled, OrderCreated
from schemas.payment import Authorisation, Refund, RefundStatus
from tests.unit.view.samples import Sale
from workers.payment.payment import MOVES, REFUND_MOVES, STATUS, Payment

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
STATES: tuple[Authorisation, ...] = get_args(Authorisation)


def _payment(**other: Any) -> Payment:  # noqa: ANN401  # Fields of its own.
    order = Sale().order(OrderCreated, 2, "AWAITING_PAYMENT")
    return replace(Payment.of_order(order, payment_id=uuid4(), now=NOW), **other)


@pytest.mark.parametrize("here", STATES)
@pytest.mark.parametrize("there", STATES)
def test_it_moves_as_the_table_says_and_no_other_way(
    here: Authorisation, there: Authorisation
) -> None:
    payment = _payment(authorisation=here)
    if there in MOVES[here]:
        moved = payment.moved(there, NOW)
        assert (moved.authorisation, moved.status) == (there, STATUS[there])
        assert moved.payment_version == payment.payment_version + 1
    else:
        with pytest.raises(ValueError, match=f"from {here} to {there}"):
            payment.moved(there, NOW)


def test_money_is_never_authorised_again_once_it_goes_back() -> None:
    reachable, waiting = set[Authorisation](), ["voiding"]
    while waiting:
        for each in MOVES[waiting.pop()]:  # type: ignore[index]  # From the table itself.
            reachable.add(each)
            waiting.append(each)
    assert reachable == {"voided", "captured"}, "captured by somebody else, to be given back"


@given(st.lists(st.sampled_from(STATES), max_size=12))
def test_whatever_is_tried_money_is_taken_once_and_never_before_its_capture_or_its_end(
    tried: list[Authorisation],
) -> None:
    payment, path = _payment(), ["none"]
    for each in tried:
        if payment.may(each):
            payment = payment.moved(each, NOW)
            path.append(each)
    assert len(set(path)) == len(path)
    if "captured" in path:
        assert path[-2] in {"capturing", "capture_failed", "voiding"}
    assert payment.payment_version == len(path)


def test_it_is_for_what_the_order_comes_to() -> None:
    payment = _payment()
    assert (payment.amount, payment.currency, payment.order_version) == (Decimal("20.00"), "EUR", 2)
    assert (payment.status, payment.authorisation) == ("PENDING", "none")


def test_an_order_without_a_total_has_no_payment() -> None:
    order = Sale().order(OrderCreated, 1, "PENDING", total_amount=None)
    with pytest.raises(ValueError, match="no total"):
        Payment.of_order(order, payment_id=uuid4(), now=NOW)


def test_a_tombstone_is_over_before_it_begins() -> None:
    order = Sale().order(
        OrderCancelled, 2, "CANCELLED", total_amount=None, currency=None, cancel_reason="sold_out"
    )
    stone = Payment.tombstone(order, payment_id=uuid4(), now=NOW)
    assert (stone.status, stone.authorisation, stone.amount) == ("FAILED", "voided", Decimal(0))
    assert not any(stone.may(each) for each in STATES)


def _paid(total: str = "20.00") -> Payment:
    amount = Decimal(total)
    return _payment(
        amount=amount, captured_amount=amount, authorisation="captured", status="SUCCEEDED"
    )


def _refund(amount: Decimal, status: RefundStatus = "PENDING") -> Refund:
    return Refund(refund_id=uuid4(), amount=amount, status=status, item_ids=[], keep_stock=False)


def test_what_is_on_its_way_back_cannot_be_asked_for_again() -> None:
    payment = _paid("20.00").refunding(_refund(Decimal("15.00")), NOW)
    assert payment.refundable(None) == payment.refundable(Decimal("5.00")) == Decimal("5.00")
    with pytest.raises(Refusal, match="refund_exceeds_payment"):
        payment.refundable(Decimal("5.01"))
    assert (payment.status, payment.refunded_amount) == ("SUCCEEDED", Decimal(0))


@pytest.mark.parametrize("amount", ["0", "-1.00", "20.01"])
def test_a_refund_is_of_something_that_was_paid(amount: str) -> None:
    with pytest.raises(Refusal, match="refund_exceeds_payment"):
        _paid("20.00").refundable(Decimal(amount))


@pytest.mark.parametrize("here", ["none", "refused", "voiding", "voided", "capture_failed"])
def test_nothing_goes_back_of_what_will_not_be_paid(here: Authorisation) -> None:
    with pytest.raises(Refusal, match="refund_exceeds_payment"):
        _payment(authorisation=here).refundable(None)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.integers(1, 12),
            st.sampled_from(["PENDING", "SUCCEEDED", "FAILED"]),
        ),
        max_size=20,
    )
)
def test_whatever_becomes_of_refunds_no_more_goes_back_than_was_taken(
    tried: list[tuple[int, int, RefundStatus]],
) -> None:
    """Each step asks for a refund, or moves one of those that were asked for."""
    payment = _paid("20")
    for which, units, status in tried:
        known = payment.refunds[which] if which < len(payment.refunds) else None
        if known is None:
            with suppress(Refusal):
                amount = payment.refundable(Decimal(units))
                payment = payment.refunding(_refund(amount), NOW)
        elif status in REFUND_MOVES[known.status] and (
            known.status != "FAILED" or known.amount <= payment.left
        ):
            payment = payment.refunding(replace(known, status=status), NOW)
        back = sum(each.amount for each in payment.refunds if each.status == "SUCCEEDED")
        assert payment.refunded_amount == back <= payment.captured_amount
        assert payment.left >= 0
        assert (payment.status == "REFUNDED") == (back == payment.captured_amount)
