"""What Stripe tells late, never, in any order, or against what it says itself when asked."""

from decimal import Decimal

import pytest

from schemas.payment import (
    PaymentAuthorized,
    PaymentDeclined,
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
)
from tests.driven import postgres
from tests.services.payment.paying import Cashier, Paying

NOTHING = Decimal(0)


def test_an_event_of_an_intent_that_is_yet_unknown_is_kept_and_tried_again(
    cashier: Cashier,
) -> None:
    """The buyer is quicker than we are at writing down what Stripe has answered."""
    paying = Paying(cashier)
    paying.hear(paying.created())
    (call,) = paying.claim()
    found, answer = cashier.desk.ask(call)
    (intent,) = paying.intents()
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    assert cashier.stand_in.post(path, payment_method="pm_card_visa").status_code == 200
    early = paying.webhook("amount_capturable_updated", id=intent["id"])
    assert paying.hear(early).types == []
    cashier.desk._keep(call, found, answer)
    assert PaymentAuthorized.TYPE in paying.tick().types
    assert PaymentAuthorized.TYPE not in paying.tick().types


@pytest.mark.parametrize("event", ["succeeded", "canceled"])
def test_an_event_that_contradicts_stripe_is_not_believed(cashier: Cashier, event: str) -> None:
    """Replayed or invented: Stripe itself, when asked, says that nothing has moved."""
    paying = cashier.open()
    assert paying.hear(paying.webhook(event)).types == []
    assert paying.call().types == []
    assert paying.state() == ("PENDING", "none", NOTHING)
    assert paying.calls()[-1]["kind"] == "retrieve"
    assert paying.records()[-1] == "doubted"
    assert paying.pay().types == [PaymentAuthorized.TYPE]


def test_an_intent_that_was_cancelled_at_stripe_ends_its_payment(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.cancel_at_stripe()
    assert paying.hear(paying.webhook("canceled")).types == []
    assert paying.call().one(PaymentFailed).authorisation == "voided"


@pytest.mark.parametrize("paid", [False, True])
def test_what_was_cancelled_at_stripe_is_never_said_to_be_authorised(
    cashier: Cashier, *, paid: bool
) -> None:
    """An order that has ended would ask for its tickets again, and could not be paid."""
    paying = cashier.open()
    if paid:
        paying.pay()
    paying.cancel_at_stripe()
    paying.hear(paying.cancelled())
    assert paying.call().one(PaymentFailed).authorisation == "voided"
    assert paying.state() == ("FAILED", "voided", NOTHING)


def test_a_lapsed_authorisation_ends_a_payment_that_was_to_be_captured(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.pay()
    paying.cancel_at_stripe()
    paying.hear(paying.completed())
    paying.hear(paying.webhook("canceled"))
    said = paying.call()
    assert said.one(PaymentFailed).authorisation == "capture_failed"
    assert [each["kind"] for each in paying.calls()].count("capture") == 1


def test_money_that_was_taken_before_its_time_is_for_the_order_to_judge(cashier: Cashier) -> None:
    paying = cashier.open()
    assert paying.confirm() == 200
    paying.capture_at_stripe()
    assert paying.hear(paying.webhook("succeeded")).types == []
    assert paying.call().one(PaymentAuthorized).authorisation == "authorized"
    paying.hear(paying.completed())
    assert paying.call().one(PaymentSucceeded).captured_amount == Decimal("25.00")


def test_events_in_any_order_come_to_the_same(cashier: Cashier) -> None:
    """A decline that is heard after the card that worked, and both after the capture."""
    paying = cashier.open()
    paying.confirm("pm_card_chargeDeclined")
    declined = paying.webhook("payment_failed", last_payment_error={"decline_code": "lost_card"})
    paying.pay()
    assert paying.hear(declined).types == []
    paying.hear(paying.completed())
    paying.call()
    for event in ("payment_failed", "amount_capturable_updated", "succeeded"):
        assert paying.hear(paying.webhook(event)).types == []
    assert paying.call().types == []
    assert paying.state() == ("SUCCEEDED", "captured", Decimal("25.00"))


def test_what_a_lost_event_left_is_found_by_asking(cashier: Cashier) -> None:
    """Authorised, captured by us, cancelled: none of the events has come."""
    paying = cashier.open()
    assert paying.confirm() == 200
    assert paying.tick().types == []
    assert paying.call().types == [PaymentAuthorized.TYPE]
    gone = cashier.open()
    gone.cancel_at_stripe()
    gone.tick()
    assert gone.call().one(PaymentFailed).authorisation == "voided"


def test_a_refund_whose_event_was_lost_is_found_by_asking(cashier: Cashier) -> None:
    paying = cashier.open().paid("pm_card_pendingRefund")
    paying.hear(paying.refund("10.00"))
    paying.call()
    paying.settle(paying.stripe_refunds()[0])
    paying.tick()
    assert paying.call().one(PaymentRefunded).refunded_amount == Decimal("10.00")


def test_stripe_is_not_asked_about_what_is_settled_or_was_just_asked_about(
    cashier: Cashier,
) -> None:
    paying = cashier.open()
    paying.tick()
    paying.call()
    asked = len(paying.calls())
    postgres("payment").db.execute("UPDATE payments SET asked_at = now()")
    cashier.payments.told(paying.clock())
    assert len(paying.calls()) == asked
    paying.pay()
    paying.hear(paying.completed())
    paying.call()
    paying.tick()
    assert [each["kind"] for each in paying.calls()].count("retrieve") == 1


def test_a_late_authorisation_of_a_voided_payment_is_never_reported(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.hear(paying.cancelled())
    paying.call()
    paying.hear(paying.webhook("amount_capturable_updated"))
    assert paying.call().types == []
    assert paying.hear(paying.webhook("payment_failed")).types == []
    assert PaymentDeclined.TYPE not in paying.records()
