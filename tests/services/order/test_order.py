"""The order service: every message at its time, at another time, and twice."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import psycopg
import pytest

from schemas.expiration import ArmTimer, ClockTicked, TimerFired
from schemas.order import (
    CancelOrder,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderRefused,
    OrderRestated,
    OrderSettled,
    PlaceOrder,
    RepublishOrders,
)
from schemas.payment import PaymentAuthorized, PaymentFailed, PaymentSucceeded, VoidPayment
from schemas.ticket import (
    ReleaseReservation,
)
from tests.driven import Said, message_of, postgres
from tests.services.order.buying import Buying, Orders
from tests.unit.view.samples import Sale


@pytest.fixture
def buying(orders: Orders) -> Buying:
    """An order that waits for its tickets."""
    return Buying(orders)


def test_placing_opens_it_and_promises_nothing(buying: Buying) -> None:
    row = buying.row()
    assert (row["status"], row["step"], row["version"]) == ("PENDING", "holding", 1)
    assert row["total_amount"] is None
    assert buying.timer.deadline == row["expires_at"]
    assert (buying.asked.quantity, buying.asked.order_version) == (2, 1)


def test_placing_needs_a_buyer_and_a_quantity(orders: Orders) -> None:
    nobody = orders.told(PlaceOrder(ticket_id=uuid4(), quantity=1), operation_id=uuid4())
    assert nobody.one(OrderRefused).code == "forbidden"
    nothing = orders.told(PlaceOrder(ticket_id=uuid4()), user_id=uuid4(), operation_id=uuid4())
    assert nothing.one(OrderRefused).code == "invalid_request"


def test_one_placing_delivered_twice_is_one_order(orders: Orders) -> None:
    user = uuid4()
    placing = message_of(
        PlaceOrder(ticket_id=uuid4(), quantity=1), user_id=user, operation_id=uuid4()
    )
    orders.hear(placing, placing)
    orders.hear(placing)
    count = postgres("order").db.execute("SELECT FROM orders WHERE user_id = %s", [user])
    assert count.rowcount == 1


def test_held_tickets_make_it_payable(buying: Buying) -> None:
    said = buying.told(buying.held())
    assert said.types == [OrderCreated.TYPE, ArmTimer.TYPE]
    created = said.one(OrderCreated)
    assert (created.status, created.total_amount) == ("AWAITING_PAYMENT", Decimal("25.00"))
    assert [item.unit_price for item in created.items] == [Decimal("12.50")]
    assert said.one(ArmTimer).deadline == created.expires_at
    assert buying.told(buying.held()).types == []


def test_a_free_order_only_says_that_it_is_complete(buying: Buying) -> None:
    said = buying.told(buying.held("0.00"))
    assert said.types == [OrderCompleted.TYPE]
    assert buying.row()["status"] == "CONFIRMED"


@pytest.mark.parametrize("code", ["sold_out", "limit_exceeded", "not_on_sale", "not_found"])
def test_no_tickets_end_it_for_the_reason_given(buying: Buying, code: str) -> None:
    ended = buying.told(buying.no_tickets(code)).one(OrderCancelled)
    assert (ended.status, ended.cancel_reason) == ("CANCELLED", code)
    assert buying.told(buying.no_tickets(code)).types == []


def test_an_answer_to_something_else_is_dropped(buying: Buying) -> None:
    assert buying.told(buying.held(version=7)).types == []
    assert buying.row()["status"] == "PENDING"


@pytest.mark.parametrize("status", ["CANCELLED", "EXPIRED"])
def test_tickets_that_come_too_late_are_given_back(buying: Buying, status: str) -> None:
    version = buying.at(status).row()["version"]
    said = buying.told(buying.held())
    assert said.one(ReleaseReservation).order_version == version + 1
    assert said.one(OrderRestated).order_version == version + 1
    assert buying.row()["status"] == status


def test_money_confirms_it_and_is_taken(buying: Buying) -> None:
    buying.at("AWAITING_PAYMENT")
    completed = buying.told(buying.authorized()).one(OrderCompleted)
    assert (completed.status, completed.step) == ("CONFIRMED", "capturing")
    assert buying.told(buying.authorized()).types == []
    taken = buying.payment(PaymentSucceeded, 5, status="SUCCEEDED", authorisation="captured")
    assert buying.told(taken).one(OrderSettled).step == "settled"
    assert buying.told(taken).types == []


def test_money_that_comes_too_late_goes_back_each_time_it_is_told(buying: Buying) -> None:
    version = buying.at("CANCELLED").row()["version"]
    for again in (1, 2):
        said = buying.told(buying.authorized())
        assert said.one(VoidPayment).order_version == version + again
        assert said.one(OrderRestated).step == "voided"
    assert buying.row()["status"] == "CANCELLED"


def test_money_before_a_price_means_nothing(buying: Buying) -> None:
    assert buying.told(buying.authorized()).types == []
    assert buying.row()["status"] == "PENDING"


def test_a_payment_that_cannot_be_made_ends_it(buying: Buying) -> None:
    buying.at("AWAITING_PAYMENT")
    ended = buying.told(buying.failed("refused")).one(OrderCancelled)
    assert ended.cancel_reason == "payment_refused"


@pytest.mark.parametrize("authorisation", ["capture_failed", "voided"])
def test_a_confirmed_order_whose_money_is_lost_ends(buying: Buying, authorisation: str) -> None:
    buying.at("CONFIRMED")
    ended = buying.told(buying.failed(authorisation)).one(OrderCancelled)
    assert (ended.status, ended.cancel_reason) == ("CANCELLED", "capture_failed")


def test_a_settled_order_outlives_a_late_failure(buying: Buying) -> None:
    buying.at("CONFIRMED").told(
        buying.payment(PaymentSucceeded, 5, status="SUCCEEDED", authorisation="captured")
    )
    assert buying.told(buying.failed("capture_failed")).types == []
    assert buying.row()["status"] == "CONFIRMED"


@pytest.mark.parametrize("status", ["PENDING", "AWAITING_PAYMENT"])
def test_its_buyer_gives_it_back(buying: Buying, status: str) -> None:
    ended = buying.at(status).told(CancelOrder(order_id=buying.order_id)).one(OrderCancelled)
    assert (ended.status, ended.cancel_reason) == ("CANCELLED", "cancelled")


@pytest.mark.parametrize("status", ["CONFIRMED", "CANCELLED", "EXPIRED"])
def test_what_has_ended_or_is_paid_is_not_given_back(buying: Buying, status: str) -> None:
    refused = buying.at(status).told(CancelOrder(order_id=buying.order_id)).one(OrderRefused)
    assert refused.code == "order_not_cancellable"
    assert buying.row()["status"] == status


def test_a_strangers_order_does_not_exist(buying: Buying) -> None:
    refused = buying.orders.told(CancelOrder(order_id=buying.order_id), user_id=uuid4())
    assert refused.one(OrderRefused).code == "not_found"


@pytest.mark.parametrize(
    ("status", "after", "reason"),
    [("PENDING", "CANCELLED", "timed_out"), ("AWAITING_PAYMENT", "EXPIRED", "expired")],
)
def test_a_deadline_ends_it(buying: Buying, status: str, after: str, reason: str) -> None:
    buying.at(status).due()
    ended = buying.told(buying.fired()).one(OrderCancelled)
    assert (ended.status, ended.cancel_reason) == (after, reason)
    assert buying.told(buying.fired()).types == []


def test_a_timer_that_is_early_is_armed_again_under_another_number(buying: Buying) -> None:
    first = buying.told(buying.fired()).one(ArmTimer)
    second = buying.told(buying.fired()).one(ArmTimer)
    assert (first.arm, second.arm) == (2, 3)
    assert first.deadline == second.deadline == buying.row()["expires_at"]
    assert buying.row()["version"] == 1


def test_a_paid_order_has_no_deadline(buying: Buying) -> None:
    buying.at("CONFIRMED")
    assert buying.told(buying.fired()).types == []


def test_nobody_hears_of_an_order_that_was_never_placed(orders: Orders) -> None:
    sale = Sale()
    for message in (
        sale.payment(PaymentAuthorized, 1),
        sale.payment(PaymentFailed, 1),
        TimerFired(order_id=uuid4(), deadline=datetime.now(UTC), arm=1),
    ):
        assert orders.told(message).types == []


def test_the_tick_arms_again_what_is_overdue_and_was_not_armed_just_now(buying: Buying) -> None:
    tick = ClockTicked(clock="clock", at=datetime.now(UTC))
    buying.due()
    assert _armed(buying.told(tick), buying.order_id) == []
    postgres("order").db.execute(
        "UPDATE orders SET armed_at = now() - interval '1 minute' WHERE id = %s", [buying.order_id]
    )
    assert [each.arm for each in _armed(buying.told(tick), buying.order_id)] == [2]
    assert _armed(buying.told(tick), buying.order_id) == []


def _armed(said: Said, order_id: UUID) -> list[ArmTimer]:
    told = [each.data for each in said.envelopes]
    return [each for each in told if isinstance(each, ArmTimer) and each.order_id == order_id]


def test_orders_are_said_again_as_they_are(buying: Buying) -> None:
    buying.at("AWAITING_PAYMENT")
    before = str(UUID(int=buying.order_id.int - 1))
    said = buying.told(RepublishOrders(after=before))
    (again,) = [
        each.data
        for each in said.envelopes
        if isinstance(each.data, OrderRestated) and each.data.order_id == buying.order_id
    ]
    assert (again.status, again.order_version) == ("AWAITING_PAYMENT", 2)


@pytest.mark.parametrize(
    "change",
    [
        "status = 'PAID'",
        "step = 'waiting'",
        "method = 'CASH'",
        "total_amount = -1",
        "version = 0",
        "status = 'EXPIRED'",
        "cancel_reason = 'none'",
        "status = 'CONFIRMED', total_amount = NULL",
    ],
)
def test_the_store_refuses_an_order_that_must_not_be(buying: Buying, change: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        postgres("order").db.execute(
            f"UPDATE orders SET {change} WHERE id = %s".encode(),  # noqa: S608  # From above.
            [buying.order_id],
        )


def test_the_store_refuses_a_reservation_of_two_orders(orders: Orders, buying: Buying) -> None:
    other = Buying(orders)
    with pytest.raises(psycopg.errors.UniqueViolation):
        postgres("order").db.execute(
            "UPDATE orders SET reservation_id = %s WHERE id = %s",
            [other.reservation_id, buying.order_id],
        )


def test_deadlines_are_what_the_settings_say(buying: Buying) -> None:
    row = buying.row()
    assert row["expires_at"] - row["created_at"] == timedelta(seconds=300)
    row = buying.at("AWAITING_PAYMENT").row()
    assert row["expires_at"] - row["updated_at"] == timedelta(seconds=600)
