"""Money that goes back: who may ask, what comes back with it, and what ends the order."""

from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest

from schemas.order import (
    OrderCancelled,
    OrderRefused,
    OrderRestated,
    RequestRefund,
)
from schemas.payment import (
    PaymentSucceeded,
    RefundPayment,
    RefundRefused,
)
from schemas.ticket import ReleaseReservation
from schemas.venue import ReleaseSeats
from tests.driven import message_of, postgres
from tests.services.order.buying import Buying, Orders
from tests.services.order.paid import SEATS, Paid


@pytest.fixture
def paid(orders: Orders) -> Paid:
    """A settled order."""
    return Paid(orders)


def test_a_refund_is_the_organizers_to_ask(paid: Paid) -> None:
    command = RequestRefund(order_id=paid.order_id)
    for stranger in (uuid4(), paid.user_id):
        said = paid.orders.told(command, user_id=stranger)
        assert said.types == [OrderRefused.TYPE]
        assert said.one(OrderRefused).code == "forbidden"
    nobody = paid.orders.told(RequestRefund(order_id=uuid4()), user_id=paid.organizer_id)
    assert nobody.one(OrderRefused).code == "not_found"


def test_an_order_without_tickets_has_no_organizer_yet(orders: Orders) -> None:
    pending = Buying(orders)
    said = pending.told(RequestRefund(order_id=pending.order_id))
    assert said.one(OrderRefused).code == "forbidden"


def test_one_asking_delivered_twice_is_one_refund(paid: Paid) -> None:
    asking = message_of(RequestRefund(order_id=paid.order_id), user_id=paid.organizer_id)
    assert paid.orders.hear(asking, asking).types == [RefundPayment.TYPE]
    assert paid.orders.hear(asking).types == []
    again = paid.ask().one(OrderRefused)
    assert again.code == "refund_exceeds_payment", "all of it is under way"


def test_refunds_that_are_asked_for_at_once_share_what_was_paid(paid: Paid) -> None:
    assert paid.asked_for(amount=Decimal(30)).amount == Decimal("30.00")
    assert paid.ask(amount=Decimal(8)).one(OrderRefused).code == "refund_exceeds_payment"
    assert paid.asked_for().amount == Decimal("7.50")


def test_a_refunded_item_gives_its_seat_back_and_a_second_one_names_both(paid: Paid) -> None:
    items = paid.item_ids()
    version = paid.row()["version"]
    said = paid.told(paid.done(paid.asked_for(item_ids=items[:1])))
    assert said.types == [ReleaseReservation.TYPE, ReleaseSeats.TYPE, OrderRestated.TYPE]
    release, seats = said.one(ReleaseReservation), said.one(ReleaseSeats)
    assert (release.quantity, seats.seat_ids, seats.quantity) == (1, SEATS[:1], 0)
    assert release.order_version == seats.order_version == version + 1
    assert said.one(OrderRestated).refunded_amount == Decimal("12.50")
    assert paid.ask(item_ids=items[:1]).one(OrderRefused).code == "refunded"
    second = paid.told(paid.done(paid.asked_for(item_ids=items[1:2])))
    assert second.one(ReleaseReservation).quantity == 2
    assert second.one(ReleaseSeats).seat_ids == SEATS[:2]


def test_an_amount_gives_no_stock_back(paid: Paid) -> None:
    said = paid.told(paid.done(paid.asked_for(amount=Decimal("12.50"))))
    assert said.types == [OrderRestated.TYPE]
    assert paid.row()["status"] == "CONFIRMED"


def test_a_kept_item_gives_its_money_back_but_no_seat(paid: Paid) -> None:
    asked = paid.asked_for(item_ids=paid.item_ids()[:1], keep_stock=True)
    assert paid.told(paid.done(asked)).types == [OrderRestated.TYPE]
    ended = paid.told(paid.done(paid.asked_for())).one(OrderCancelled)
    assert [item.kept for item in ended.items] == [True, False, False]
    assert all(item.refunded for item in ended.items)


def test_the_refund_that_reaches_the_total_ends_the_order(paid: Paid) -> None:
    first, second = paid.asked_for(amount=Decimal("7.50")), paid.asked_for()
    paid.told(paid.done(first))
    said = paid.told(paid.done(second))
    assert said.types == [OrderCancelled.TYPE]
    ended = said.one(OrderCancelled)
    assert (ended.cancel_reason, ended.refunded_amount) == ("refunded", Decimal("37.50"))
    assert paid.row()["status"] == "CANCELLED"
    assert paid.ask().one(OrderRefused).code == "refund_exceeds_payment"


def test_what_a_bank_sends_back_of_an_order_that_has_ended_can_be_given_back_again(
    paid: Paid,
) -> None:
    asked = paid.asked_for()
    paid.told(paid.done(asked))
    assert paid.told(paid.sent_back(asked)).types == [OrderRestated.TYPE]
    items = paid.ask(item_ids=paid.item_ids()[:1], keep_stock=True).one(OrderRefused)
    assert items.code == "refunded"
    part = paid.asked_for(amount=Decimal("7.50"))
    assert paid.ask(amount=Decimal("30.01")).one(OrderRefused).code == "refund_exceeds_payment"
    rest = paid.asked_for()
    assert rest.amount == Decimal("30.00")
    for each, amount in ((part, "7.50"), (rest, "37.50")):
        said = paid.told(paid.done(each))
        assert said.types == [OrderRestated.TYPE], "its seats were given back before"
        assert said.one(OrderRestated).refunded_amount == Decimal(amount)
    assert paid.ask().one(OrderRefused).code == "refund_exceeds_payment"


def test_an_order_that_ended_unpaid_has_nothing_to_give_back(orders: Orders) -> None:
    unpaid = Buying(orders).at("CANCELLED")
    command = RequestRefund(order_id=unpaid.order_id)
    said = unpaid.orders.told(command, user_id=unpaid.organizer_id)
    assert said.one(OrderRefused).code == "refund_exceeds_payment"


def test_what_is_told_in_another_order_comes_to_the_same(paid: Paid) -> None:
    items = paid.item_ids()
    first = paid.done(paid.asked_for(item_ids=items[:1]))
    second = paid.done(paid.asked_for(item_ids=items[1:2]))
    said = paid.told(second)
    assert said.one(ReleaseSeats).seat_ids == SEATS[:2]
    assert paid.told(first).types == [], "older news"
    assert paid.row()["refunded_amount"] == Decimal("25.00")


@pytest.mark.parametrize("how", ["failed", "refused"])
def test_a_refund_that_does_not_work_can_be_asked_for_again(paid: Paid, how: str) -> None:
    asked = paid.asked_for()
    if how == "failed":
        assert paid.told(paid.failed_refund(asked)).types == []
    else:
        told = RefundRefused.of(asked, command=asked.TYPE, code="capture_failed", detail="")
        assert paid.told(told).types == []
    again = paid.asked_for()
    assert again.amount == asked.amount
    assert again.refund_id != asked.refund_id
    assert paid.told(paid.done(again)).types == [OrderCancelled.TYPE]


def test_a_refund_that_is_told_before_the_capture_counts(orders: Orders) -> None:
    paid = Paid(orders, quantity=2)
    postgres("order").db.execute(
        "UPDATE orders SET step = 'capturing' WHERE id = %s", [paid.order_id]
    )
    said = paid.told(paid.done(paid.asked_for()))
    assert said.one(OrderCancelled).seated is False
    late = paid.payment(PaymentSucceeded, 6, status="SUCCEEDED", authorisation="captured")
    assert paid.told(late).types == []


def test_money_that_somebody_gave_back_elsewhere_is_counted(paid: Paid) -> None:
    foreign = RefundPayment(
        order_id=paid.order_id,
        refund_id=uuid4(),
        amount=Decimal("37.50"),
        item_ids=[],
        keep_stock=True,
    )
    ended = paid.told(paid.done(foreign)).one(OrderCancelled)
    assert all(item.kept for item in ended.items)


def test_the_store_keeps_nothing_that_was_not_refunded(paid: Paid) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        postgres("order").db.execute(
            "UPDATE order_items SET kept = true WHERE order_id = %s", [paid.order_id]
        )
