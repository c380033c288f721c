"""Payments: each message in its time and out of it, and every way in which Stripe answers."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from schemas.payment import (
    PaymentAuthorized,
    PaymentDeclined,
    PaymentFailed,
    PaymentRequested,
    PaymentSucceeded,
    RecordWebhook,
)
from tests.driven import postgres
from tests.services.payment.paying import Cashier, Paying

NOTHING = Decimal(0)


def test_a_payment_is_asked_for_authorised_and_captured(cashier: Cashier) -> None:
    paying = Paying(cashier)
    assert paying.hear(paying.created()).types == []
    assert paying.state() == ("PENDING", "none", NOTHING)
    requested = paying.call().one(PaymentRequested)
    assert requested.client_secret
    assert "_secret_" not in requested.client_secret
    assert paying.pay().one(PaymentAuthorized).authorisation == "authorized"
    assert paying.hear(paying.completed()).types == []
    succeeded = paying.call().one(PaymentSucceeded)
    assert succeeded.captured_amount == Decimal("25.00")
    assert succeeded.client_secret is None
    assert paying.state() == ("SUCCEEDED", "captured", Decimal("25.00"))
    assert paying.records() == [
        *("attempted", "requested", "authorized", "capturing", "captured", "succeeded")
    ]
    (intent,) = paying.intents()
    assert (intent["captured"], intent["held"]) == (2500, 0)


@pytest.mark.parametrize(
    ("total", "currency", "units"),
    [("3000", "JPY", 3000), ("28.500", "KWD", 28500), ("700", "ISK", 70000)],
)
def test_stripe_is_asked_in_its_own_units(
    cashier: Cashier, total: str, currency: str, units: int
) -> None:
    paying = cashier.open(total, currency)
    (intent,) = paying.intents()
    assert (intent["amount"], intent["currency"]) == (units, currency.lower())


def test_an_amount_that_stripe_cannot_take_ends_it(cashier: Cashier) -> None:
    paying = Paying(cashier, "14.255", "KWD")
    paying.hear(paying.created())
    assert paying.call().one(PaymentFailed).authorisation == "refused"
    assert paying.state() == ("FAILED", "refused", NOTHING)
    assert paying.intents() == []


def test_an_order_has_one_payment_however_often_it_is_told(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.hear(paying.created())
    assert paying.call().types == []
    assert len(paying.intents()) == len(paying.calls()) == 1


def test_a_free_order_has_none(cashier: Cashier) -> None:
    paying = Paying(cashier)
    paying.hear(paying.order(type(paying.completed()), 2, "CONFIRMED", total_amount=NOTHING))
    paying.hear(paying.cancelled(3, total_amount=NOTHING))
    kept = postgres("payment").db.execute(
        "SELECT FROM payments WHERE order_id = %s", [paying.order_id]
    )
    assert kept.rowcount == 0


def test_an_order_that_ended_first_is_never_asked_to_pay(cashier: Cashier) -> None:
    paying = Paying(cashier)
    paying.hear(paying.cancelled(3, total_amount=None, currency=None))
    assert paying.hear(paying.created()).types == []
    assert paying.state() == ("FAILED", "voided", NOTHING)
    assert paying.calls() == []


def test_a_declined_card_leaves_it_open(cashier: Cashier) -> None:
    paying = cashier.open()
    assert paying.confirm("pm_card_chargeDeclined") == 402
    told = paying.webhook("payment_failed", last_payment_error={"decline_code": "lost_card"})
    assert paying.hear(told).one(PaymentDeclined).failure == "lost_card"
    assert paying.state() == ("PENDING", "none", NOTHING)
    assert paying.pay().one(PaymentAuthorized).failure is None


def test_one_event_of_stripes_is_recorded_and_acted_on_once(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.confirm()
    told = paying.webhook("amount_capturable_updated", f"evt_{uuid4().hex}")
    assert paying.hear(told).types == [PaymentAuthorized.TYPE]
    assert paying.hear(told).types == []
    kept = postgres("payment").db.execute(
        "SELECT payment_id, processed_at FROM payment_webhooks WHERE stripe_event_id = %s",
        [told.stripe_event_id],
    )
    (row,) = kept.fetchall()
    assert row["payment_id"] == paying.row()["id"]
    assert row["processed_at"]


def test_two_events_about_one_authorisation_are_one(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.pay()
    assert paying.hear(paying.webhook("amount_capturable_updated")).types == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": {}},
        {"data": {"object": {"object": "payment_intent", "id": "pi_of_somebody_else"}}},
        {"data": {"object": {"object": "charge", "payment_intent": None}}},
    ],
)
def test_an_event_about_nothing_of_ours_is_kept_and_no_more(
    cashier: Cashier, body: dict[str, Any]
) -> None:
    event_id = f"evt_{uuid4().hex}"
    told = RecordWebhook(stripe_event_id=event_id, event_type="payment_intent.succeeded", body=body)
    assert cashier.payments.told(told).types == []
    kept = postgres("payment").db.execute(
        "SELECT payment_id FROM payment_webhooks WHERE stripe_event_id = %s", [event_id]
    )
    assert kept.fetchall() == [{"payment_id": None}]


def test_a_capture_is_known_from_the_answer_or_the_webhook_but_counted_once(
    cashier: Cashier,
) -> None:
    paying = cashier.open()
    paying.pay()
    paying.hear(paying.completed())
    assert paying.call().types == [PaymentSucceeded.TYPE]
    assert paying.hear(paying.webhook("succeeded")).types == []
    assert paying.records().count("captured") == 1


@pytest.mark.parametrize("card", ["pm_card_captureFails", "pm_card_captureExpires"])
def test_a_capture_that_fails_for_good_ends_it_and_holds_nothing(
    cashier: Cashier, card: str
) -> None:
    paying = cashier.open()
    paying.confirm(card)
    paying.hear(paying.webhook("amount_capturable_updated"))
    paying.hear(paying.completed())
    assert paying.call().one(PaymentFailed).authorisation == "capture_failed"
    assert paying.state() == ("FAILED", "capture_failed", NOTHING)
    (intent,) = paying.intents()
    assert (intent["status"], intent["held"], intent["captured"]) == ("canceled", 0, 0)
    assert paying.hear(paying.webhook("amount_capturable_updated")).types == []


def test_an_order_that_counts_on_a_payment_that_has_ended_is_told_so_again(
    cashier: Cashier,
) -> None:
    """It may have heard that the money was set aside after hearing that there is none."""
    paying = cashier.open()
    paying.pay()
    paying.cancel_at_stripe()
    paying.hear(paying.webhook("canceled"))
    assert paying.call().one(PaymentFailed).authorisation == "voided"
    assert paying.hear(paying.completed(5)).one(PaymentFailed).authorisation == "voided"
    assert paying.hear(paying.completed(5)).types == []
    assert paying.state() == ("FAILED", "voided", NOTHING)
    assert paying.call().types == []


def test_an_unpaid_payment_of_an_ended_order_is_voided(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.hear(paying.cancelled())
    assert paying.call().one(PaymentFailed).authorisation == "voided"
    assert [call["kind"] for call in paying.calls()] == ["create", "close", "cancel"]
    assert paying.confirm() == 400


def test_an_authorised_payment_of_an_ended_order_is_for_the_order_to_judge(
    cashier: Cashier,
) -> None:
    paying = cashier.open()
    assert paying.confirm() == 200  # And the webhook has not come.
    paying.hear(paying.cancelled())
    assert paying.call().types == [PaymentAuthorized.TYPE]
    paying.hear(paying.void())
    assert paying.call().one(PaymentFailed).authorisation == "voided"
    (intent,) = paying.intents()
    assert (intent["status"], intent["held"], intent["captured"]) == ("canceled", 0, 0)
    assert paying.hear(paying.webhook("amount_capturable_updated")).types == []


def test_a_void_that_overtakes_the_cancellation_stands(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.pay()
    paying.hear(paying.void(4))
    paying.hear(paying.cancelled(3))
    paying.call()
    assert paying.state() == ("FAILED", "voided", NOTHING)


def test_a_captured_payment_is_not_voided(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.pay()
    paying.hear(paying.completed())
    paying.call()
    paying.hear(paying.void(9))
    assert paying.call().types == []
    assert paying.state()[:2] == ("SUCCEEDED", "captured")


def test_a_stale_confirmation_takes_no_money(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.pay()
    paying.hear(paying.void(4))
    paying.hear(paying.completed(3))
    paying.call()
    assert paying.state() == ("FAILED", "voided", NOTHING)


@pytest.mark.parametrize("fault", ["error_rate", "unavailable_rate", "rate_limit_rate"])
@pytest.mark.parametrize("kind", ["create_intent", "capture"])
def test_a_call_without_a_good_answer_is_made_again(
    cashier: Cashier, fault: str, kind: str
) -> None:
    paying = Paying(cashier) if kind == "create_intent" else cashier.open()
    if kind == "create_intent":
        paying.hear(paying.created())
    else:
        paying.pay()
        paying.hear(paying.completed())
    cashier.stand_in.faults(**{fault: {kind: 1}})
    paying.call_once()
    call = paying.calls()[-1]
    assert (call["state"], call["attempts"]) == ("due", 1)
    cashier.stand_in.faults()
    paying.call()
    assert paying.calls()[-1]["state"] == "done"
    assert len(paying.intents()) == 1


@pytest.mark.parametrize("fault", ["reply_lost_rate", "error_after_rate"])
def test_work_whose_answer_was_lost_is_not_done_twice(cashier: Cashier, fault: str) -> None:
    paying = cashier.open()
    paying.pay()
    paying.hear(paying.completed())
    cashier.stand_in.faults(**{fault: {"capture": 1}})
    paying.call_once()
    cashier.stand_in.faults()
    paying.call()
    assert paying.state() == ("SUCCEEDED", "captured", Decimal("25.00"))
    (intent,) = paying.intents()
    assert intent["captured"] == 2500


def test_an_intent_whose_answer_was_lost_is_found_again(cashier: Cashier) -> None:
    paying = Paying(cashier)
    paying.hear(paying.created())
    cashier.stand_in.faults(reply_lost_rate={"create_intent": 1})
    paying.call_once()
    cashier.stand_in.faults()
    paying.call()
    (intent,) = paying.intents()
    assert paying.row()["stripe_payment_intent_id"] == intent["id"]


@pytest.mark.parametrize(
    "change",
    [
        "status = 'PAID'",
        "authorisation = 'maybe'",
        "method = 'CASH'",
        "amount = -1",
        "captured_amount = amount + 1",
        "refunded_amount = 1",
    ],
)
def test_the_store_refuses_a_payment_that_must_not_be(cashier: Cashier, change: str) -> None:
    paying = Paying(cashier)
    paying.hear(paying.created())
    paying.call()
    with pytest.raises(psycopg.errors.CheckViolation):
        postgres("payment").db.execute(
            f"UPDATE payments SET {change} WHERE order_id = %s".encode(),  # noqa: S608  # From above.
            [paying.order_id],
        )


@pytest.mark.parametrize("column", ["order_id", "stripe_payment_intent_id"])
def test_the_store_refuses_what_belongs_to_another_payment(cashier: Cashier, column: str) -> None:
    one, other = cashier.open(), cashier.open()
    with pytest.raises(psycopg.errors.UniqueViolation):
        postgres("payment").db.execute(
            f"UPDATE payments SET {column} = %s WHERE id = %s".encode(),  # noqa: S608  # From above.
            [one.row()[column], other.row()["id"]],
        )
