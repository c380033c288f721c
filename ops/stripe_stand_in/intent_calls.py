"""The calls that make and move payment intents: parameters first, then the object, then status."""

from typing import Any, NoReturn

import orjson

from ops.stripe_stand_in import cards, intents
from ops.stripe_stand_in.currencies import check_amount, check_currency, check_step
from ops.stripe_stand_in.desk import Call, Desk, secret, token
from ops.stripe_stand_in.errors import StripeError, invalid, unexpected
from ops.stripe_stand_in.forms import Form
from ops.stripe_stand_in.intents import Intent

KEPT_TEXT = (
    "customer", "description", "receipt_email", "return_url", "setup_future_usage",
    "statement_descriptor", "statement_descriptor_suffix", "transfer_group",
)  # fmt: skip
KEPT_PLAIN = ("shipping",)
PAYING = frozenset(
    "client_secret confirmation_token error_on_requires_action expand key"  # noqa: SIM905 - a list of words reads better so
    " mandate mandate_data off_session"
    " payment_method payment_method_data payment_method_options radar_options receipt_email"
    " return_url setup_future_usage shipping use_stripe_sdk payment_method_types"
    " allowed_payment_method_types"
    " expected_payment_method_type".split()
)
MAKING = PAYING.union(
    "amount amount_details application_fee_amount automatic_payment_methods"  # noqa: SIM905 - a list of words reads better so
    " capture_method confirm confirmation_method"
    " currency customer description metadata on_behalf_of payment_details statement_descriptor"
    " statement_descriptor_suffix transfer_data transfer_group".split()
)
CAPTURING = frozenset(
    "amount_details amount_to_capture application_fee_amount expand"  # noqa: SIM905 - a list of words reads better so
    " final_capture metadata payment_details"
    " statement_descriptor statement_descriptor_suffix transfer_data".split()
)
MOST_KEYS, LONGEST_KEY, LONGEST_VALUE = 50, 40, 500


def create(desk: Desk, call: Call) -> dict[str, Any]:
    """POST /v1/payment_intents."""
    form = call.form
    form.only(MAKING)
    intent = _read(form, call.now)
    card = cards.named_in(form)
    at_once = form.flag("confirm")
    if at_once and card is None:
        invalid(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            "payment_method",
            "payment_intent_unexpected_state",
        )
    if card:
        intents.attach(intent, card)
    desk.store.add_intent(intent)
    desk.tell(call, "payment_intent.created", orjson.dumps(intent))
    if at_once:
        return desk.moved(call, intent, intents.confirm(intent, call.now))
    return desk.show(call, intent)


def _read(form: Form, now: int) -> Intent:
    form.required("amount")
    amount = form.integer("amount") or 0
    currency = check_currency(form.required("currency"))
    ident = token()
    intent = Intent(
        id=f"pi_{ident}",
        created=now,
        client_secret=f"pi_{ident}_secret_{secret()}",
        amount=check_amount(amount, currency),
        currency=currency,
        capture_method=form.choice("capture_method", intents.CAPTURE_METHODS) or "automatic_async",
    )
    _keep(form, intent)
    return intent


def _keep(form: Form, intent: Intent) -> None:
    intent.metadata = merged(intent.metadata, form)
    for name in KEPT_TEXT:
        if name in form:
            intent.more[name] = form.text(name)
    for name in KEPT_PLAIN:
        if name in form:
            intent.more[name] = form.plain(name)
    for name in ("payment_method_types", "allowed_payment_method_types"):  # As it was called, is.
        if name in form:
            intent.more["payment_method_types"] = form.words(name)
    if "automatic_payment_methods" in form:
        wanted = form.below("automatic_payment_methods")
        redirects = wanted.text("allow_redirects") or "always"
        intent.more["automatic_payment_methods"] = {
            "allow_redirects": redirects,
            "enabled": wanted.flag("enabled"),
        }


def merged(metadata: dict[str, str], form: Form) -> dict[str, str]:
    """Add the call's metadata to what is there; an empty value removes its key."""
    if "metadata" not in form:
        return metadata
    sent = form.below("metadata")
    found = dict(metadata) if sent.fields else {}
    for name in sent.fields:
        if len(name) > LONGEST_KEY:
            invalid(
                f"Metadata keys can have up to {LONGEST_KEY} characters.", f"metadata[{name[:60]}]"
            )
        value = sent.text(name, longest=LONGEST_VALUE)
        found.pop(name, None)
        if value is not None:
            found[name] = value
    if len(found) > MOST_KEYS:
        invalid(f"Metadata can have up to {MOST_KEYS} keys.", "metadata")
    return found


def retrieve(desk: Desk, call: Call) -> dict[str, Any]:
    """GET /v1/payment_intents/:id."""
    call.form.only(frozenset({"client_secret", "expand"}))
    return desk.show(call, desk.intent(call))


def update(desk: Desk, call: Call) -> dict[str, Any]:
    """POST /v1/payment_intents/:id; amount and card only while nothing is authorised."""
    form = call.form
    form.only(MAKING - {"confirm"})
    card = cards.named_in(form)
    amount = form.integer("amount")
    intent = desk.intent(call)
    fixed = [
        name for name in ("amount", "currency", "payment_method", "capture_method") if name in form
    ]
    if fixed and intent.status not in intents.EDITABLE:
        unexpected(
            f"This PaymentIntent's {fixed[0]} could not be updated because it has a status of"
            f" {intent.status}.",
            desk.show(call, intent),
        )
    intent.currency = check_currency(form.text("currency") or intent.currency)
    intent.amount = (
        check_amount(amount or 0, intent.currency) if "amount" in form else intent.amount
    )
    intent.capture_method = (
        form.choice("capture_method", intents.CAPTURE_METHODS) or intent.capture_method
    )
    _keep(form, intent)
    if card:
        intents.attach(intent, card)
    return desk.moved(call, intent, [])


def confirm(desk: Desk, call: Call) -> dict[str, Any]:
    """POST /v1/payment_intents/:id/confirm, by the shop or by the buyer's browser."""
    call.form.only(PAYING)
    card = cards.named_in(call.form)
    intent = desk.intent(call)
    if intent.status not in intents.CONFIRMABLE:
        why = (
            f"it has a status of {intent.status}"
            if intent.status == intents.DEAD
            else "it has already succeeded after being previously confirmed"
        )
        unexpected(f"You cannot confirm this PaymentIntent because {why}.", desk.show(call, intent))
    if card:
        intents.attach(intent, card)
    if intent.card is None:
        unexpected(
            "You cannot confirm this PaymentIntent because it's missing a payment method. Update"
            " the PaymentIntent with a payment method and then confirm it again.",
            desk.show(call, intent),
        )
    _keep(call.form, intent)
    return desk.moved(call, intent, intents.confirm(intent, call.now))


def capture(desk: Desk, call: Call) -> dict[str, Any]:
    """POST /v1/payment_intents/:id/capture; less than all lets go of the rest."""
    form = call.form
    form.only(CAPTURING)
    wanted = form.integer("amount_to_capture")
    intent = desk.intent(call)
    if intent.status != intents.HELD:
        unexpected(
            f"This PaymentIntent could not be captured because it has a status of {intent.status}."
            " Only a PaymentIntent with one of the following statuses may be captured:"
            " requires_capture.",
            desk.show(call, intent),
        )
    amount = intent.capturable if wanted is None else wanted
    if amount < 1:
        invalid(
            "This value must be greater than or equal to 1.",
            "amount_to_capture",
            "parameter_invalid_integer",
        )
    if amount > intent.capturable:
        invalid(
            f"The amount to capture ({amount}) is greater than the capturable amount"
            f" ({intent.capturable}).",
            "amount_to_capture",
            "amount_too_large",
        )
    check_step(amount, intent.currency, "amount_to_capture")
    _keep(form, intent)
    events = intents.capture(intent, amount, call.now)
    shown = desk.moved(call, intent, events)
    if intent.status == intents.DEAD:
        _refuse_expired(shown)
    return shown


def _refuse_expired(shown: dict[str, Any]) -> NoReturn:
    """Say that the authorisation lapsed before it was captured; the intent is canceled by then."""
    raise StripeError(
        400,
        "The charge could not be captured because its authorization has expired.",
        code="charge_expired_for_capture",
        executed=True,
        extra={"charge": shown["latest_charge"], "payment_intent": shown},
    )


def cancel(desk: Desk, call: Call) -> dict[str, Any]:
    """POST /v1/payment_intents/:id/cancel."""
    call.form.only(frozenset({"cancellation_reason", "expand"}))
    reason = call.form.choice("cancellation_reason", intents.CANCEL_REASONS)
    intent = desk.intent(call)
    if intent.status not in intents.CANCELABLE:
        unexpected(
            f"You cannot cancel this PaymentIntent because it has a status of {intent.status}. Only"
            " a PaymentIntent with one of the following statuses may be canceled:"
            f" {', '.join(intents.CANCELABLE)}.",
            desk.show(call, intent),
        )
    return desk.moved(call, intent, intents.cancel(intent, reason, call.now))


def authenticate(desk: Desk, call: Call) -> dict[str, Any]:
    """POST /v1/test_helpers/payment_intents/:id/authenticate, not Stripe's: the bank is told."""
    call.form.only(frozenset({"client_secret", "outcome", "expand"}))
    outcome = call.form.choice("outcome", ("succeeded", "failed"))
    intent = desk.intent(call)
    if intent.status != intents.ASKING:
        unexpected(
            f"Nothing to authenticate: the status is {intent.status}.", desk.show(call, intent)
        )
    return desk.moved(
        call, intent, intents.authenticate(intent, call.now, passed=outcome != "failed")
    )
