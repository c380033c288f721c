"""The calls that give captured money back."""

from typing import Any

import orjson

from ops.stripe_stand_in import intents, objects
from ops.stripe_stand_in.cards import CARDS
from ops.stripe_stand_in.currencies import check_step
from ops.stripe_stand_in.desk import Call, Desk, token
from ops.stripe_stand_in.errors import StripeError, invalid, unexpected, unknown
from ops.stripe_stand_in.intent_calls import merged
from ops.stripe_stand_in.intents import Intent

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
MAKING = frozenset(
    "amount charge expand instructions_email metadata payment_intent"  # noqa: SIM905 - a list of words reads better so
    " reason refund_application_fee reverse_transfer".split()
)


def intent_of_charge(desk: Desk, charge: str) -> Intent | None:
    """Find whose latest charge this is: its id is the intent's and the attempt's number."""
    intent = desk.store.intent(f"pi_{charge[3:-2]}")
    return intent if intent and intent.charge_id == charge else None


def create(desk: Desk, call: Call) -> dict[str, Any]:
    """POST /v1/refunds: the whole of what is left, or a part of it."""
    form = call.form
    form.only(MAKING)
    reason = form.choice("reason", REASONS)
    wanted = form.integer("amount")
    metadata = merged({}, form)
    intent = _paid_intent(desk, call)
    amount = _refundable(intent, wanted)
    if desk.faults.strikes("no_balance_rate", "create_refund"):
        raise StripeError(
            400,
            "Insufficient funds in your Stripe balance to refund this amount.",
            code="balance_insufficient",
            executed=True,
        )
    intent.refunded += amount
    kept = {
        "id": f"re_{token()}",
        "amount": amount,
        "charge": intent.charge_id,
        "created": call.now,
        "currency": intent.currency,
        "metadata": metadata,
        "payment_intent": intent.id,
        "reason": reason,
        "status": "pending" if CARDS[intent.card or ""].refund == "pends" else "succeeded",
    }
    desk.store.add_refund(kept)
    desk.store.save_intent(intent)
    desk.tell(call, "refund.created", orjson.dumps(kept))
    desk.tell(call, "charge.refunded", orjson.dumps(intent))
    return _show(desk, call, kept)


def _paid_intent(desk: Desk, call: Call) -> Intent:
    form = call.form
    charge, ident = form.text("charge"), form.text("payment_intent")
    if charge:
        intent = intent_of_charge(desk, charge)
        if intent is None or (ident and intent.id != ident):
            unknown("charge", charge, param="charge")
    elif ident:
        intent = desk.store.intent(ident)
        if intent is None:
            unknown("payment_intent", ident, param="payment_intent")
    else:
        invalid(
            "One of the following params should be provided for this request: payment_intent or"
            " charge."
        )
    if intent.status != intents.PAID:
        unexpected(
            f"This PaymentIntent ({intent.id}) does not have a successful charge to refund.",
            desk.show(call, intent),
        )
    return intent


def _refundable(intent: Intent, wanted: int | None) -> int:
    left = intent.received - intent.refunded
    if left == 0:
        raise StripeError(
            400,
            f"Charge {intent.charge_id} has already been refunded.",
            code="charge_already_refunded",
            executed=True,
        )
    amount = left if wanted is None else wanted
    if amount < 1:
        invalid(
            "This value must be greater than or equal to 1.", "amount", "parameter_invalid_integer"
        )
    if amount > left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})."
        raise StripeError(400, message, param="amount", executed=True)
    check_step(amount, intent.currency, "amount")
    return amount


def _show(desk: Desk, call: Call, kept: dict[str, Any]) -> dict[str, Any]:
    shown = objects.refund(kept)
    expand = call.form.words("expand") if "expand" in call.form else []
    intent = desk.store.intent(kept["payment_intent"]) if expand else None
    if intent and "payment_intent" in expand:
        shown["payment_intent"] = objects.payment_intent(intent, call.origin)
    if intent and "charge" in expand:
        shown["charge"] = objects.charge(intent)
    return shown


def _find(desk: Desk, call: Call) -> dict[str, Any]:
    kept = desk.store.refund(call.ident)
    if kept is None:
        unknown("refund", call.ident)
    return kept


def retrieve(desk: Desk, call: Call) -> dict[str, Any]:
    """GET /v1/refunds/:id."""
    call.form.only(frozenset({"expand"}))
    return _show(desk, call, _find(desk, call))


def update(desk: Desk, call: Call) -> dict[str, Any]:
    """POST /v1/refunds/:id: its metadata, nothing else."""
    call.form.only(frozenset({"expand", "metadata"}))
    kept = _find(desk, call)
    kept["metadata"] = merged(kept["metadata"], call.form)
    desk.store.save_refund(kept)
    desk.tell(call, "refund.updated", orjson.dumps(kept))
    return _show(desk, call, kept)


def settle(desk: Desk, call: Call) -> dict[str, Any]:
    """POST /v1/test_helpers/refunds/:id/settle, not Stripe's: days have passed, the bank answers.

    A pending refund succeeds; one to `pm_card_refundFail` fails after it had succeeded, and the
    money is the shop's again.
    """
    call.form.only(frozenset({"expand"}))
    kept = _find(desk, call)
    intent = desk.store.intent(kept["payment_intent"])
    fails = intent and CARDS[intent.card or ""].refund == "fails_later"
    if intent and fails and kept["status"] == "succeeded":
        kept |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        intent.refunded -= kept["amount"]
        desk.store.save_intent(intent)
        events = ["refund.updated", "refund.failed"]
    elif kept["status"] == "pending":
        kept["status"] = "succeeded"
        events = ["refund.updated"]
    else:
        unexpected(f"Nothing to settle: the status is {kept['status']}.", objects.refund(kept))
    desk.store.save_refund(kept)
    for kind in events:
        desk.tell(call, kind, orjson.dumps(kept))
    return _show(desk, call, kept)
