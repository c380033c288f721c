"""What may be asked back, and what a refund leaves of an order."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.service import Refusal
from schemas.order import OrderItem, PlaceOrder, RequestRefund
from schemas.payment import PaymentRefunded
from schemas.payment import Refund as Told
from tests.unit.order.test_order import LIFETIMES
from tests.unit.view.samples import Sale
from workers.order import refund
from workers.order.order import Order
from workers.order.refund import Refund

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
PRICES = [Decimal("10.00"), Decimal("20.00"), Decimal("0.00")]


def _order(**other: Any) -> Order:  # noqa: ANN401  # Fields of its own.
    placed = Order.place(
        PlaceOrder(ticket_id=uuid4(), seat_ids=[uuid4() for _ in PRICES]),
        new_id=uuid4,
        buyer=uuid4(),
        operation_id=uuid4(),
        now=NOW,
        lifetimes=LIFETIMES,
    )
    items = [replace(i, unit_price=p) for i, p in zip(placed.items, PRICES, strict=True)]
    told: dict[str, Any] = {
        "status": "CONFIRMED",
        "step": "settled",
        "items": items,
        "total_amount": Decimal("30.00"),
        "currency": "EUR",
    }
    return replace(placed, **(told | other))


def _ids(order: Order, *numbers: int) -> list[UUID]:
    return [order.items[each].id for each in numbers]


def _asked(order: Order, *pending: Refund, **told: Any) -> Refund:  # noqa: ANN401  # The command's.
    command = RequestRefund(order_id=order.order_id, **told)
    return refund.asked(order, command, pending, uuid4())


def test_all_an_amount_or_what_items_cost() -> None:
    order = _order()
    assert _asked(order).amount == Decimal("30.00")
    assert str(_asked(order, amount=Decimal("7.5")).amount) == "7.50"
    items = _asked(order, item_ids=_ids(order, 1, 2), keep_stock=True)
    assert (items.amount, items.item_ids) == (Decimal("20.00"), _ids(order, 1, 2))
    assert items.keep_stock
    assert not _asked(order, amount=Decimal(1), keep_stock=True).keep_stock


def test_what_is_under_way_or_gone_is_not_asked_for_again() -> None:
    order = _order(refunded_amount=Decimal("5.00"))
    pending = _asked(order, item_ids=_ids(order, 0))
    assert _asked(order, pending).amount == Decimal("15.00")
    for told, code in (
        ({"amount": Decimal("15.01")}, "refund_exceeds_payment"),
        ({"item_ids": _ids(order, 1)}, "refund_exceeds_payment"),
        ({"item_ids": _ids(order, 0)}, "refunded"),
    ):
        with pytest.raises(Refusal, match=code):
            _asked(order, pending, **told)
    with pytest.raises(Refusal, match="refund_exceeds_payment"):
        _asked(order, pending, _asked(order, pending))


@pytest.mark.parametrize(
    "told",
    [
        {"amount": Decimal("0.001")},
        {"amount": Decimal(0)},
        {"amount": Decimal(-1)},
        {"amount": Decimal("1E+30")},
        {"item_ids": []},
        {"item_ids": [uuid4()]},
    ],
)
def test_what_does_not_fit_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="invalid_request"):
        _asked(_order(), **told)


def test_it_is_an_amount_or_items_and_not_both() -> None:
    order = _order()
    with pytest.raises(Refusal, match="invalid_request"):
        _asked(order, amount=Decimal(1), item_ids=_ids(order, 0))
    assert _asked(order, item_ids=_ids(order, 0, 1, 2)).amount == Decimal("30.00")


def test_what_a_bank_sent_back_of_an_ended_order_is_an_amount() -> None:
    ended = _order(status="CANCELLED", payment_version=6, refunded_amount=Decimal("25.00"))
    assert _asked(ended).amount == Decimal("5.00")
    with pytest.raises(Refusal, match="refunded"):
        _asked(ended, item_ids=_ids(ended, 0))


def test_an_item_named_twice_or_for_nothing_is_refused() -> None:
    order = _order()
    for ids in (_ids(order, 0, 0), _ids(order, 2)):
        with pytest.raises(Refusal, match="invalid_request"):
            _asked(order, item_ids=ids)


@pytest.mark.parametrize("status", ["PENDING", "AWAITING_PAYMENT", "CANCELLED", "EXPIRED"])
def test_nothing_was_paid_for_what_is_not_confirmed(status: Any) -> None:  # noqa: ANN401  # A status.
    with pytest.raises(Refusal, match="refund_exceeds_payment"):
        _asked(_order(status=status))


def test_yen_have_no_decimals() -> None:
    order = _order(currency="JPY", total_amount=Decimal(3000))
    with pytest.raises(Refusal, match="invalid_request"):
        _asked(order, amount=Decimal("0.5"))
    assert str(_asked(order, amount=Decimal("100.0")).amount) == "100"


def _told(order: Order, version: int, amount: str, *done: Told) -> PaymentRefunded:
    sale = Sale("30.00")
    sale.order_id = order.order_id
    return sale.payment(
        PaymentRefunded,
        version,
        refund_id=done[-1].refund_id,
        refunded_amount=Decimal(amount),
        refunds=list(done),
    )


def _done(amount: str, *item_ids: UUID, keep: bool = False, status: Any = "SUCCEEDED") -> Told:  # noqa: ANN401  # A status.
    return Told(
        refund_id=uuid4(),
        amount=Decimal(amount),
        status=status,
        item_ids=list(item_ids),
        keep_stock=keep,
    )


def _marks(items: list[OrderItem]) -> list[str]:
    marks = {(False, False): "-", (True, False): "back", (True, True): "kept"}
    return [marks[item.refunded, item.kept] for item in items]


def test_an_amount_marks_nothing_and_items_are_marked() -> None:
    order = _order()
    some = order.refunded(_told(order, 5, "3.00", _done("3.00")), NOW)
    assert (some.refunded_amount, _marks(some.items)) == (Decimal("3.00"), ["-"] * 3)
    assert some.order_version == order.order_version + 1
    item = order.refunded(_told(order, 5, "10.00", _done("10.00", *_ids(order, 0))), NOW)
    assert (item.status, _marks(item.items)) == ("CONFIRMED", ["back", "-", "-"])


@pytest.mark.parametrize("keep", [True, False])
def test_the_last_of_the_money_ends_it_and_only_what_is_kept_stays(*, keep: bool) -> None:
    order = _order()
    first = _done("10.00", *_ids(order, 0), keep=True)
    last = _done("20.00", keep=keep)
    ended = order.refunded(_told(order, 6, "30.00", first, last), NOW)
    assert (ended.status, ended.cancel_reason) == ("CANCELLED", "refunded")
    rest = "kept" if keep else "back"
    assert _marks(ended.items) == ["kept", rest, rest]
    assert ended.released_version == ended.order_version


def test_the_last_of_the_money_by_items_keeps_those_alone() -> None:
    order = _order()
    first, last = _done("10.00", *_ids(order, 0)), _done("20.00", *_ids(order, 1), keep=True)
    ended = order.refunded(_told(order, 6, "30.00", first, last), NOW)
    assert (ended.status, _marks(ended.items)) == ("CANCELLED", ["back", "kept", "back"])


def test_what_gives_stock_back_is_a_release_and_what_does_not_is_none() -> None:
    order = _order()
    for done in (_done("3.00"), _done("10.00", *_ids(order, 0), keep=True)):
        after = order.refunded(_told(order, 5, str(done.amount), done), NOW)
        assert after.released_version == order.released_version
    item = order.refunded(_told(order, 5, "10.00", _done("10.00", *_ids(order, 0))), NOW)
    assert item.released_version == item.order_version


def test_only_the_newest_counts() -> None:
    order = _order()
    first, second = _done("10.00", *_ids(order, 0)), _done("3.00")
    newer = order.refunded(_told(order, 7, "13.00", first, second), NOW)
    assert (newer.refunded_amount, _marks(newer.items)) == (Decimal("13.00"), ["back", "-", "-"])
    assert newer.refunded(_told(order, 6, "10.00", first), NOW) is newer
    assert newer.refunded(_told(order, 7, "10.00", first), NOW) is newer
    bounced = replace(second, status="FAILED")
    after = newer.refunded(_told(order, 8, "10.00", first, bounced), NOW)
    assert (after.refunded_amount, refund.left(after, [])) == (Decimal("10.00"), Decimal("20.00"))


def test_an_event_that_is_off_is_the_reason() -> None:
    order = _order(event_cancelled=True)
    ended = order.refunded(_told(order, 5, "30.00", _done("30.00")), NOW)
    assert ended.cancel_reason == "event_cancelled"


@given(st.lists(st.decimals("0.01", "30.00", places=2), max_size=6))
def test_no_row_of_amounts_exceeds_what_was_paid(amounts: list[Decimal]) -> None:
    order, pending = _order(), list[Refund]()
    for amount in amounts:
        if amount <= refund.left(order, pending):
            pending.append(_asked(order, *pending, amount=amount))
        else:
            with pytest.raises(Refusal, match="refund_exceeds_payment"):
                _asked(order, *pending, amount=amount)
    assert sum((each.amount for each in pending), Decimal(0)) <= Decimal("30.00")
