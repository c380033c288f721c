"""What Stripe's events mean: whose they are, and whether a payment waits for them.

Events come doubled, late and in any order, so that one is believed only when the payment waits
for just that. What a payment has behind it is old news. Anything else contradicts what is known,
and Stripe is asked how things stand before anything is done.
"""

from typing import Any, Literal

from schemas.payment import Authorisation
from workers.payment.amounts import from_stripe_units
from workers.payment.payment import Payment

Meaning = Literal["awaited", "known", "surprising"]

_AWAITED: dict[str, set[Authorisation]] = {
    "payment_intent.amount_capturable_updated": {"none"},
    "payment_intent.payment_failed": {"none"},
    "payment_intent.succeeded": {"capturing"},
    "payment_intent.canceled": {"voiding"},
}
_BEHIND: dict[str, set[Authorisation]] = {
    "payment_intent.amount_capturable_updated": {
        "authorized", "capturing", "captured", "voiding", "voided", "capture_failed",
    },
    "payment_intent.payment_failed": {
        "authorized", "capturing", "captured", "voiding", "voided", "capture_failed",
    },
    "payment_intent.succeeded": {"captured"},
    "payment_intent.canceled": {"voided", "capture_failed"},
}  # fmt: skip


def meaning(event_type: str, body: dict[str, Any], found: Payment) -> Meaning:
    """Judge an event about a payment's intent; what is not about money is known."""
    if event_type in _AWAITED:
        if found.authorisation in _AWAITED[event_type]:
            return "awaited"
        return "known" if found.authorisation in _BEHIND[event_type] else "surprising"
    if event_type.startswith(("charge.refund", "refund.")):
        return "known" if _as_we_have_it(told(body), found) else "surprising"
    return "known"


def _as_we_have_it(thing: dict[str, Any], found: Payment) -> bool:
    """Whether what an event says of refunds is what we have."""
    if thing.get("object") == "charge":
        units = thing.get("amount_refunded")
        return (
            isinstance(units, int)
            and from_stripe_units(units, found.currency) == found.refunded_amount
        )
    ours = str((thing.get("metadata") or {}).get("refund_id"))
    known = {str(each.refund_id): each.status for each in found.refunds}
    return known.get(ours) == str(thing.get("status")).upper()


def told(body: dict[str, Any]) -> dict[str, Any]:
    """Return the object that an event is about."""
    thing: dict[str, Any] = (body.get("data") or {}).get("object") or {}
    return thing


def intent_id(body: dict[str, Any]) -> str:
    """Read the intent that an event is about: it is one, or names one."""
    thing = told(body)
    return str(thing.get("id" if thing.get("object") == "payment_intent" else "payment_intent"))


def order_id(body: dict[str, Any]) -> str:
    """Name the order that an event's intent was made for, so that it waits its turn."""
    return str((told(body).get("metadata") or {}).get("order_id") or intent_id(body))


def decline_code(body: dict[str, Any]) -> str:
    """Read why a card was declined."""
    error = told(body).get("last_payment_error") or {}
    return str(error.get("decline_code") or error.get("code") or "declined")
