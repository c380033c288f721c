"""Refunds: each made once, none beyond what was captured, and all that Stripe may answer."""

from decimal import Decimal
from uuid import uuid4

import pytest

from schemas.payment import (
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
    RefundFailed,
    RefundRefused,
)
from tests.services.payment.paying import Cashier

NOTHING = Decimal(0)


def test_a_refund_of_a_part_leaves_the_rest_paid(cashier: Cashier) -> None:
    paying = cashier.open().paid()
    item, operation = uuid4(), uuid4()
    asked = paying.refund("10.00", [item], keep_stock=True)
    assert paying.hear_for(operation, asked).types == []
    said = paying.call()
    refunded = said.one(PaymentRefunded)
    assert said.envelopes[0].operation_id == operation
    assert refunded.refund_id == asked.refund_id
    (refund,) = refunded.refunds
    assert (refund.amount, refund.status, refund.item_ids, refund.keep_stock) == (
        Decimal("10.00"), "SUCCEEDED", [item], True
    )  # fmt: skip
    assert (refunded.status, refunded.refunded_amount) == ("SUCCEEDED", Decimal("10.00"))
    assert [each["amount"] for each in paying.stripe_refunds()] == [1000]
    assert paying.records()[-2:] == ["refund_requested", "refunded"]


def test_a_refund_of_all_that_is_left_ends_it(cashier: Cashier) -> None:
    paying = cashier.open().paid()
    paying.hear(paying.refund("10.00"))
    paying.call()
    paying.hear(paying.refund())
    refunded = paying.call().one(PaymentRefunded)
    assert (refunded.status, refunded.refunded_amount) == ("REFUNDED", Decimal("25.00"))
    assert [each["amount"] for each in paying.stripe_refunds()] == [1000, 1500]


def test_a_refund_is_made_once_however_often_it_is_asked_for(cashier: Cashier) -> None:
    paying = cashier.open().paid()
    asked = paying.refund("10.00")
    paying.hear(asked)
    paying.hear(asked)
    paying.call()
    paying.hear(asked)
    assert paying.call().types == []
    assert len(paying.stripe_refunds()) == len(paying.refunds()) == 1


def test_refunds_at_the_same_time_never_come_to_more_than_was_captured(cashier: Cashier) -> None:
    paying = cashier.open().paid()
    assert paying.hear(paying.refund("15.00")).types == []
    refused = paying.hear(paying.refund("15.00")).one(RefundRefused)
    assert refused.code == "refund_exceeds_payment"
    assert paying.hear(paying.refund()).types == []  # What the first leaves.
    assert paying.hear(paying.refund()).one(RefundRefused).code == "refund_exceeds_payment"
    paying.call()
    assert paying.row()["refunded_amount"] == Decimal("25.00")
    assert [each["amount"] for each in paying.stripe_refunds()] == [1500, 1000]


def test_a_refund_waits_while_the_capture_settles(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.pay()
    paying.hear(paying.refund("5.00"))  # It has overtaken the order's confirmation.
    paying.hear(paying.completed())
    paying.hear(paying.refund())
    cashier.stand_in.faults(unavailable_rate={"capture": 1})
    paying.call_once()
    assert [each["kind"] for each in paying.calls()] == ["create", "capture"]
    cashier.stand_in.faults()
    said = paying.call()
    assert said.types == [PaymentSucceeded.TYPE, PaymentRefunded.TYPE, PaymentRefunded.TYPE]
    assert paying.row()["status"] == "REFUNDED"


def test_a_refund_that_waited_for_a_capture_in_vain_is_refused(cashier: Cashier) -> None:
    paying = cashier.open()
    assert paying.confirm("pm_card_captureFails") == 200
    paying.hear(paying.webhook("amount_capturable_updated"))
    paying.hear(paying.completed())
    asked = paying.refund()
    paying.hear(asked)
    said = paying.call()
    assert said.one(PaymentFailed).authorisation == "capture_failed"
    refused = said.one(RefundRefused)
    assert (refused.refund_id, refused.code) == (asked.refund_id, "capture_failed")
    assert paying.stripe_refunds() == []


def test_nothing_is_given_back_of_an_order_that_nobody_knows(cashier: Cashier) -> None:
    paying = cashier.open()
    asked = paying.refund()
    stranger = type(asked)(**vars(asked) | {"order_id": uuid4()})
    assert paying.hear(stranger).one(RefundRefused).code == "not_found"
    assert paying.hear(paying.refund()).one(RefundRefused).code == "refund_exceeds_payment"


@pytest.mark.parametrize(
    ("currency", "total", "fits", "unfit", "units"),
    [
        ("JPY", "3000", "1000", "999.5", 1000),
        ("KWD", "28.500", "14.250", "14.255", 14250),
        ("ISK", "700", "300", "300.5", 30000),
        ("EUR", "25.00", "12.50", "12.505", 1250),
    ],
)
def test_refunds_are_in_stripes_own_units(  # noqa: PLR0913, PLR0917  # A row of the table.
    cashier: Cashier, currency: str, total: str, fits: str, unfit: str, units: int
) -> None:
    paying = cashier.open(total, currency).paid()
    assert paying.hear(paying.refund(unfit)).one(RefundRefused).code == "invalid_request"
    paying.hear(paying.refund(fits))
    assert paying.call().one(PaymentRefunded).refunded_amount == Decimal(fits)
    assert [each["amount"] for each in paying.stripe_refunds()] == [units]


def test_a_refund_that_stripe_refuses_is_seen_and_can_be_asked_for_again(cashier: Cashier) -> None:
    paying = cashier.open().paid()
    cashier.stand_in.faults(no_balance_rate={"create_refund": 1})
    asked = paying.refund("10.00")
    paying.hear(asked)
    failed = paying.call().one(RefundFailed)
    assert (failed.refund_id, failed.code) == (asked.refund_id, "balance_insufficient")
    assert failed.refunds[0].failure == "balance_insufficient"
    assert paying.row()["refunded_amount"] == NOTHING
    cashier.stand_in.faults()
    paying.hear(asked)
    assert paying.call().one(PaymentRefunded).refund_id == asked.refund_id
    keys = [each["idempotency_key"][-2:] for each in paying.calls() if each["kind"] == "refund"]
    assert keys == [":1", ":2"]
    assert len(paying.stripe_refunds()) == len(paying.refunds()) == 1


@pytest.mark.parametrize("fault", ["reply_lost_rate", "error_after_rate", "error_rate"])
def test_money_goes_back_once_though_the_answer_is_lost(cashier: Cashier, fault: str) -> None:
    paying = cashier.open().paid()
    paying.hear(paying.refund("10.00"))
    cashier.stand_in.faults(**{fault: {"create_refund": 1}})
    paying.call_once()
    cashier.stand_in.faults()
    assert paying.call().types == [PaymentRefunded.TYPE]
    assert [each["amount"] for each in paying.stripe_refunds()] == [1000]


def test_a_pending_refund_is_given_back_when_stripe_says_so(cashier: Cashier) -> None:
    paying = cashier.open().paid("pm_card_pendingRefund")
    paying.hear(paying.refund())
    assert paying.call().types == []
    assert paying.hear(paying.refund("1.00")).one(RefundRefused).code == "refund_exceeds_payment"
    (refund,) = paying.stripe_refunds()
    assert refund["status"] == "pending"
    paying.settle(refund)
    paying.hear(paying.refund_event("refund.updated", refund | {"status": "succeeded"}))
    assert paying.call().one(PaymentRefunded).status == "REFUNDED"


def test_that_a_refund_is_pending_is_recorded_once_however_often_stripe_is_asked(
    cashier: Cashier,
) -> None:
    """A bank may take days, and Stripe is asked about it every minute."""
    paying = cashier.open().paid("pm_card_pendingRefund")
    paying.hear(paying.refund())
    paying.call()
    changed = paying.refunds()[0]["updated_at"]
    for _ in range(2):
        paying.tick()
        paying.call()
    assert [each["kind"] for each in paying.calls()].count("retrieve") == 2
    assert paying.records().count("refund_pending") == 1
    assert paying.refunds()[0]["updated_at"] == changed


def test_a_refund_that_the_bank_sends_back_counts_no_longer(cashier: Cashier) -> None:
    paying = cashier.open().paid("pm_card_refundFail")
    asked = paying.refund()
    paying.hear(asked)
    assert paying.call().one(PaymentRefunded).status == "REFUNDED"
    (refund,) = paying.stripe_refunds()
    paying.settle(refund)
    paying.hear(paying.refund_event("refund.failed", refund | {"status": "failed"}))
    failed = paying.call().one(RefundFailed)
    assert (failed.status, failed.refunded_amount) == ("SUCCEEDED", NOTHING)
    assert failed.code == "expired_or_canceled_card"
    paying.hear(asked)
    assert paying.call().one(PaymentRefunded).status == "REFUNDED"
    assert [each["status"] for each in paying.stripe_refunds()] == ["failed", "succeeded"]


def test_what_somebody_gives_back_at_stripe_is_known(cashier: Cashier) -> None:
    paying = cashier.open().paid()
    given = paying.give_back_at_stripe(700)
    event = paying.refund_event("charge.refunded", given | {"object": "refund"})
    paying.hear(event)
    refunded = paying.call().one(PaymentRefunded)
    assert (refunded.refunded_amount, refunded.refunds[0].keep_stock) == (Decimal("7.00"), True)
    assert paying.hear(paying.refund("18.01")).one(RefundRefused).code == "refund_exceeds_payment"
    paying.hear(paying.refund_event("refund.updated", given))
    assert paying.call().types == []
    assert len(paying.refunds()) == 1


def test_a_cancelled_order_gets_back_what_is_left(cashier: Cashier) -> None:
    paying = cashier.open().paid()
    paying.hear(paying.refund("10.00"))
    paying.hear(paying.cancelled(5))
    said = paying.call()
    assert said.types == [PaymentRefunded.TYPE, PaymentRefunded.TYPE]
    assert paying.row()["status"] == "REFUNDED"
    assert [each["amount"] for each in paying.stripe_refunds()] == [1000, 1500]
    paying.hear(paying.cancelled(6))
    assert paying.call().types == []


def test_an_order_cancelled_while_its_capture_settles_gets_everything_back(
    cashier: Cashier,
) -> None:
    paying = cashier.open()
    paying.pay()
    paying.hear(paying.completed())
    paying.hear(paying.cancelled(5))
    assert paying.call().types == [PaymentSucceeded.TYPE, PaymentRefunded.TYPE]
    assert paying.row()["status"] == "REFUNDED"


def test_money_that_somebody_took_for_an_ended_order_goes_back(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.pay()
    paying.capture_at_stripe()
    paying.hear(paying.void())
    said = paying.call()
    assert said.types == [PaymentSucceeded.TYPE, PaymentRefunded.TYPE]
    assert paying.state() == ("REFUNDED", "captured", Decimal("25.00"))
