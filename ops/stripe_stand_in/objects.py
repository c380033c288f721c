"""Stripe's objects as JSON: what the kept records look like from outside."""

from typing import Any

from ops.stripe_stand_in.cards import CARDS, details
from ops.stripe_stand_in.intents import ASKING, DEAD, Intent

API_VERSION = "2026-10-28.endive"
# What a browser, which has only the publishable key, gets to see.
PUBLIC = (
    "id", "object", "amount", "automatic_payment_methods", "canceled_at", "cancellation_reason",
    "capture_method", "client_secret", "confirmation_method", "created", "currency", "description",
    "last_payment_error", "livemode", "next_action", "payment_method", "payment_method_types",
    "processing", "receipt_email", "setup_future_usage", "shipping", "status",
)  # fmt: skip


def payment_intent(intent: Intent, origin: str, expand: list[str] | None = None) -> dict[str, Any]:
    """Render an intent; `origin` is where a buyer's browser reaches this stand-in."""
    more = intent.more
    shown: dict[str, Any] = {
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": intent.capturable,
        "amount_details": {"tip": {}},
        "amount_received": intent.received,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": more.get("automatic_payment_methods"),
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": intent.capture_method,
        "client_secret": intent.client_secret,
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": intent.currency,
        "customer": more.get("customer"),
        "description": more.get("description"),
        "last_payment_error": _payment_error(intent),
        "latest_charge": intent.charge_id,
        "livemode": False,
        "metadata": intent.metadata,
        "next_action": _next_action(intent, origin),
        "on_behalf_of": None,
        "payment_method": intent.method_id,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": more.get("payment_method_types") or ["card"],
        "processing": None,
        "receipt_email": more.get("receipt_email"),
        "review": None,
        "setup_future_usage": more.get("setup_future_usage"),
        "shipping": more.get("shipping"),
        "statement_descriptor": more.get("statement_descriptor"),
        "statement_descriptor_suffix": more.get("statement_descriptor_suffix"),
        "status": intent.status,
        "transfer_data": None,
        "transfer_group": more.get("transfer_group"),
    }
    if expand:
        if "latest_charge" in expand and intent.charge:
            shown["latest_charge"] = charge(intent)
        if "payment_method" in expand and intent.card:
            shown["payment_method"] = payment_method(intent)
    return shown


def public(shown: dict[str, Any]) -> dict[str, Any]:
    """Leave of a rendered intent what a publishable key may see."""
    return {name: shown[name] for name in PUBLIC}


def _next_action(intent: Intent, origin: str) -> dict[str, Any] | None:
    if intent.status != ASKING:
        return None
    page = f"{origin}/_stand_in/authenticate/{intent.id}?client_secret={intent.client_secret}"
    return {
        "type": "redirect_to_url",
        "redirect_to_url": {"url": page, "return_url": intent.more.get("return_url")},
    }


def _payment_error(intent: Intent) -> dict[str, Any] | None:
    why = intent.decline
    return why and {
        "type": "card_error",
        "code": why["code"],
        "decline_code": why["decline_code"],
        "message": why["message"],
        "charge": intent.charge_id,
        "payment_method": _method(why["method"], why["card"], intent.created),
    }


def payment_method(intent: Intent) -> dict[str, Any]:
    """Render the payment method of the intent's latest attempt."""
    name = intent.card or (intent.decline or {}).get("card") or "pm_card_visa"
    return _method(f"pm_{intent.id[3:]}{intent.attempts % 100:02d}", name, intent.created)


def _method(ident: str, card: str, created: int) -> dict[str, Any]:
    return {
        "id": ident,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "card": details(CARDS[card]),
        "created": created,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def charge(intent: Intent) -> dict[str, Any]:
    """Render the charge of the intent's latest attempt."""
    why = intent.decline or {}
    failed = intent.charge == "failed"
    lapsed = failed and intent.status == DEAD
    released = intent.charge == "released"
    given_back = intent.amount if released or lapsed else intent.refunded
    return {
        "id": intent.charge_id,
        "object": "charge",
        "amount": intent.amount,
        "amount_captured": intent.received,
        "amount_refunded": given_back,
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "captured": intent.charge == "captured",
        "created": intent.charged_at,
        "currency": intent.currency,
        "customer": intent.more.get("customer"),
        "description": intent.more.get("description"),
        "disputed": False,
        "failure_code": why.get("code"),
        "failure_message": why.get("message"),
        "livemode": False,
        "metadata": intent.metadata,
        "outcome": {"network_status": "declined_by_network" if failed else "approved_by_network"},
        "paid": not failed,
        "payment_intent": intent.id,
        "payment_method": f"pm_{intent.id[3:]}{intent.attempts % 100:02d}",
        "payment_method_details": {
            "type": "card",
            "card": details(CARDS[intent.card or why.get("card") or "pm_card_visa"]),
        },
        "receipt_email": intent.more.get("receipt_email"),
        "refunded": given_back > 0 and given_back >= (intent.received or intent.amount),
        "status": "failed" if failed and not lapsed else "succeeded",
    }


def refund(kept: dict[str, Any]) -> dict[str, Any]:
    """Render a refund; `kept` is its record."""
    return {
        "object": "refund",
        "balance_transaction": None,
        "destination_details": {
            "type": "card",
            "card": {"type": "refund", "reference_status": "pending"},
        },
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
        **kept,
    }


def listing(url: str, data: list[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    """Render one page of a list."""
    return {"object": "list", "url": url, "has_more": more, "data": data}
