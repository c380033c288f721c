"""What buyers and organizers complain of elsewhere, each made impossible, by name.

The first seven are the faults of a well-known teaching example of such a shop; the others are the
complaints that fill the trackers of today's. Every message comes twice and in any order in all of
them, and at the end of each the lines that must never break are checked over all stores.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from bus.envelope import decode
from bus.runner import Done, Incoming, Runner
from schemas.order import OrderCompleted, ResolveOrder
from schemas.payment import DrivePayment, PaymentAuthorized, PaymentSucceeded
from tests.driven import SERVICES, mongo, postgres, redis
from tests.reliability.scene import Scene
from tests.unit.view.samples import Sale
from workers.expiration import timers

CONFIRMED = ("CONFIRMED", None)


# The seven faults of the classic.


def test_two_orders_for_one_ticket_cannot_both_have_it(scene: Scene) -> None:
    """It looked whether a ticket was reserved, then saved: two requests passed the look."""
    last_one = scene.offer(quota=1)
    operations = [scene.place(last_one) for _ in range(5)]
    scene.settle()
    ends = sorted(scene.order_of(each)["status"] for each in operations)
    assert ends == ["AWAITING_PAYMENT", *["CANCELLED"] * 4]


def test_a_crash_between_saving_and_publishing_loses_nothing(scene: Scene) -> None:
    """It saved, then published without waiting: what was not published was never said."""
    operation = scene.place(scene.offer())
    waiting = scene.world.bags["order"].waiting
    batch, waiting[:] = waiting[:], []
    died = Runner(SERVICES["order"], lambda _: None)  # It commits, and publishes nothing.
    assert died.run([Incoming(each) for each in batch]) == [Done()] * len(batch)
    scene.world.runners["order"] = Runner(SERVICES["order"], scene.world.heard_from("order"))
    left = postgres("order").abandoned([], 10_000)  # What any other process's sweep finds.
    ours = [each for each in left if decode(each.body).operation_id == operation]
    assert ours
    scene.world.heard_from("order")(ours)
    scene.settle()
    assert scene.order_of(operation)["status"] == "AWAITING_PAYMENT"


def test_a_payment_that_races_the_expiry_revives_no_order_whose_ticket_was_resold(
    scene: Scene,
) -> None:
    """It set an order to complete whatever had become of it."""
    last_one = scene.offer(quota=1)
    slow = scene.buy(last_one)
    scene.confirm(slow)  # The money is set aside, and nobody has heard of it.
    scene.expire(slow)
    quick = scene.place(last_one)
    while scene.world.deliver():
        pass
    scene.settle()
    scene.pay(scene.order_of(quick)["id"])
    assert scene.order_of(quick)["status"] == "CONFIRMED"
    assert scene.ended(slow) == ("EXPIRED", "expired")
    (intent,) = scene.intents(slow)
    assert (intent["held"], intent["captured"]) == (0, 0)


def test_a_double_click_is_charged_once(scene: Scene) -> None:
    """It charged first and saved later, without a key: two clicks, two charges."""
    bought = scene.buy(scene.offer())
    scene.confirm(bought)
    scene.confirm(bought)
    scene.settle()
    scene.confirm(bought)
    scene.settle()
    assert scene.ended(bought) == CONFIRMED
    (intent,) = scene.intents(bought)
    assert intent["captured"] == 1250


def test_losing_every_timer_leaves_no_order_open_for_ever(scene: Scene) -> None:
    """Its timers were in Redis alone."""
    left = scene.buy(scene.offer())
    scene.world.rows(
        "order",
        "UPDATE orders SET expires_at = now() + interval '30 seconds',"
        " armed_at = now() - interval '1 minute' WHERE id = %s RETURNING id",
        left,
    )
    key = timers.key_of(left)
    redis().client.zrem(timers.TIMERS, key)
    scene.world.tick()
    scene.settle()
    score = redis().client.zscore(timers.TIMERS, key)
    assert score == pytest.approx(scene.order(left)["expires_at"].timestamp(), abs=0.01)
    scene.expire(left)
    assert scene.ended(left) == ("EXPIRED", "expired")


def test_a_message_about_nothing_known_is_not_delivered_for_ever(scene: Scene) -> None:
    """Its listener threw, and the message came back, and again."""
    stranger = Sale()
    paid = {"status": "SUCCEEDED", "authorisation": "captured"}
    scene.say(stranger.payment(PaymentAuthorized, 3, authorisation="authorized"))
    scene.say(stranger.payment(PaymentSucceeded, 4, **paid))
    scene.say(stranger.order(OrderCompleted, 3, "CONFIRMED", step="capturing"))
    scene.say(ResolveOrder(order_id=uuid4(), action="void", by="ada"))
    scene.settle()  # Each delivery must be done with its message, or this fails.
    known = scene.world.rows("order", "SELECT 1 FROM orders WHERE id = %s", stranger.order_id)
    assert known == []


def test_a_paid_order_is_given_back_with_its_money_or_not_at_all(scene: Scene) -> None:
    """It cancelled paid orders, and kept the money."""
    ticket_id = scene.offer(quota=3)
    bought = scene.buy(ticket_id, 2)
    scene.pay(bought)
    scene.cancel(bought)
    assert scene.ended(bought) == CONFIRMED
    refused = scene.world.rows(
        "view",
        "SELECT error ->> 'code' AS code FROM operations WHERE type = 'orders.order.cancel'"
        " AND command ->> 'subject' = %s",
        str(bought),
    )
    assert refused == [{"code": "order_not_cancellable"}]
    scene.refund(bought)
    scene.settle()
    assert scene.ended(bought) == ("CANCELLED", "refunded")
    (intent,) = scene.intents(bought)
    assert intent["refunded"] == intent["captured"] == 2500
    assert _sold(ticket_id) == (0, 0)


# What people ask for.


def test_more_than_there_are_is_never_sold(scene: Scene) -> None:
    """Twelve were sold of ten."""
    ticket_id = scene.offer(quota=10)
    operations = [scene.place(ticket_id, 3) for _ in range(8)]
    scene.settle()
    for each in operations:
        order = scene.order_of(each)
        if order["status"] == "AWAITING_PAYMENT":
            scene.confirm(order["id"])
    scene.settle()
    assert _sold(ticket_id) == (0, 9)


def test_who_paid_has_a_ticket_though_stripe_times_out(scene: Scene) -> None:
    """Paid, but no ticket: the calls to Stripe timed out in the rush."""
    bought = scene.buy(scene.offer())
    scene.confirm(bought)
    outage = {"unavailable_rate": {"capture": 0.6}, "reply_lost_rate": {"capture": 0.6}}
    scene.stripe.stand_in.faults(seed=4, **outage)
    scene.settle()
    scene.stripe.faults(None)
    assert scene.ended(bought) == CONFIRMED
    (intent,) = scene.intents(bought)
    assert intent["captured"] == 1250


def test_an_order_completes_though_no_webhook_ever_comes(scene: Scene) -> None:
    """The webhook failed, and the order never completed."""
    bought = scene.buy(scene.offer())
    scene.world.lost = 1
    scene.pay(bought)
    assert scene.order(bought)["status"] == "AWAITING_PAYMENT"
    scene.world.ask_stripe()
    assert scene.ended(bought) == CONFIRMED


def test_an_operator_has_a_button_for_what_is_stuck(scene: Scene) -> None:
    """They edited the database; here a word on the bus does it, as often as it is said."""
    bought = scene.buy(scene.offer())
    scene.world.lost = 1
    scene.pay(bought)
    for _ in range(2):
        scene.say(DrivePayment(order_id=bought, action="retry", by="ada"), "/operator")
    scene.settle()
    assert scene.ended(bought) == CONFIRMED
    trail = scene.world.rows(
        "payment",
        "SELECT payload ->> 'by' AS by FROM payment_records"
        " WHERE event_type = 'operator' AND payment_id = %s",
        scene.payment(bought)["id"],
    )
    assert trail == [{"by": "ada"}] * 2


def test_a_late_payment_takes_the_tickets_again_where_they_are_free(scene: Scene) -> None:
    """It vanished."""
    bought = scene.buy(scene.offer(quota=1))
    scene.expire(bought)
    assert scene.ended(bought) == ("EXPIRED", "expired")
    scene.confirm(bought)
    scene.settle()
    assert scene.ended(bought) == CONFIRMED


def test_a_late_payment_for_what_is_gone_goes_back(scene: Scene) -> None:
    """It was taken, for a ticket that somebody else had by then."""
    ticket_id = scene.offer(quota=1)
    late = scene.buy(ticket_id)
    scene.expire(late)
    rival = scene.place(ticket_id)
    while scene.world.deliver():
        pass
    scene.confirm(late)
    scene.settle()
    assert scene.order_of(rival)["status"] == "AWAITING_PAYMENT"
    assert scene.order(late)["status"] == "EXPIRED"
    assert scene.payment(late)["authorisation"] == "voided"
    (intent,) = scene.intents(late)
    assert (intent["held"], intent["captured"]) == (0, 0)


def test_refunds_that_race_never_come_to_more_than_was_paid(scene: Scene) -> None:
    """Two refunds at once, and the books were wrong."""
    bought = scene.buy(scene.offer(), 2)
    scene.pay(bought)
    for _ in range(3):
        scene.refund(bought, amount=Decimal("10.00"))
    scene.refund(bought)
    scene.settle()
    (intent,) = scene.intents(bought)
    assert intent["refunded"] == intent["captured"] == 2500
    assert scene.ended(bought) == ("CANCELLED", "refunded")


@pytest.mark.parametrize("how", ["cancel", "expire", "capture fails", "refund"])
def test_what_is_given_back_can_be_sold_again(scene: Scene, how: str) -> None:
    """Capacity was not given back."""
    ticket_id = scene.offer(quota=2)
    bought = scene.buy(ticket_id, 2)
    if how == "cancel":
        scene.cancel(bought)
    elif how == "expire":
        scene.expire(bought)
    else:
        scene.pay(bought, "pm_card_captureFails" if how == "capture fails" else "pm_card_visa")
    if how == "refund":
        scene.refund(bought)
    scene.settle()
    assert _sold(ticket_id) == (0, 0)
    again = scene.buy(ticket_id, 2)
    scene.pay(again)
    assert scene.ended(again) == CONFIRMED


def test_another_card_can_be_tried_after_a_decline(scene: Scene) -> None:
    """The key was the order's, not the attempt's: the decline was repeated for ever."""
    bought = scene.buy(scene.offer())
    scene.pay(bought, "pm_card_chargeDeclined")
    scene.pay(bought, "pm_card_chargeDeclinedInsufficientFunds")
    assert scene.order(bought)["status"] == "AWAITING_PAYMENT"
    scene.pay(bought)
    assert scene.ended(bought) == CONFIRMED
    assert len(scene.intents(bought)) == 1


def test_nothing_that_a_buyer_does_keeps_a_cart_alive(scene: Scene) -> None:
    """A cart was kept for ever by touching it again and again."""
    bought = scene.buy(scene.offer())
    deadline = scene.order(bought)["expires_at"]
    for _ in range(3):
        scene.pay(bought, "pm_card_chargeDeclined")
        scene.world.fire_early()
        scene.world.tick()
        scene.settle()
    assert scene.order(bought)["expires_at"] == deadline
    assert deadline < datetime.now(UTC) + timedelta(minutes=11)


def test_a_payment_that_is_abandoned_at_the_bank_ends_with_its_order(scene: Scene) -> None:
    """A payment that waited for its buyer never expired."""
    bought = scene.buy(scene.offer())
    scene.pay(bought, "pm_card_threeDSecure2Required")
    assert scene.order(bought)["status"] == "AWAITING_PAYMENT"
    scene.expire(bought)
    scene.settle()
    assert scene.ended(bought) == ("EXPIRED", "expired")
    (intent,) = scene.intents(bought)
    assert intent["status"] == "canceled"
    scene.stripe.authenticate(intent["id"], "succeeded")
    scene.settle()
    assert scene.payment(bought)["captured_amount"] == 0


def test_a_payment_that_the_bank_has_asked_about_is_taken(scene: Scene) -> None:
    """The same, and its buyer answers."""
    bought = scene.buy(scene.offer())
    scene.pay(bought, "pm_card_threeDSecure2Required")
    scene.stripe.authenticate(scene.intents(bought)[0]["id"], "failed")
    scene.settle()
    scene.pay(bought, "pm_card_threeDSecure2Required")
    scene.stripe.authenticate(scene.intents(bought)[0]["id"], "succeeded")
    scene.settle()
    assert scene.ended(bought) == CONFIRMED


def test_a_limit_holds_however_many_orders_race_for_it(scene: Scene) -> None:
    """A voucher was used more often than it might be."""
    ticket_id, buyer = scene.offer(max_per_user=3), scene.person()
    operations = [scene.place(ticket_id, 1, buyer) for _ in range(6)]
    scene.settle()
    reasons = [scene.order_of(each)["cancel_reason"] for each in operations]
    assert sorted(map(str, reasons)) == ["None"] * 3 + ["limit_exceeded"] * 3


def test_a_buyer_is_told_once_of_each_thing(scene: Scene) -> None:
    """Mails came twice, or never: here what they would be sent for is said exactly once."""
    bought = scene.buy(scene.offer())
    scene.pay(bought)
    scene.pay(bought)
    scene.refund(bought)
    scene.settle()
    said = scene.world.rows(
        "order",
        "SELECT event_type, count(*) AS n FROM order_outbox WHERE aggregate_id = %s"
        " AND event_type IN ('orders.order.created', 'orders.order.completed',"
        " 'orders.order.settled', 'orders.order.cancelled', 'orders.order.refused')"
        " GROUP BY 1 ORDER BY 1",
        bought,
    )
    assert [(each["event_type"].rpartition(".")[2], each["n"]) for each in said] == [
        *(("cancelled", 1), ("completed", 1), ("created", 1), ("settled", 1))
    ]


def _sold(ticket_id: object) -> tuple[int, int]:
    """Return how many of a ticket are reserved and sold."""
    found = mongo().database.tickets.find_one({"_id": str(ticket_id)})
    assert found
    return found["reserved"], found["sold"]
