"""The payment intent: its statuses and the moves between them. Pure.

requires_payment_method -> requires_confirmation (a card was attached) -> requires_action (the bank
asks the buyer) -> requires_capture (manual capture) -> succeeded; canceled from any but succeeded;
a decline goes back to requires_payment_method. Each move changes the intent in place and gives the
types of the events that Stripe sends for it, in Stripe's order.

Source: docs.stripe.com/payments/paymentintents/lifecycle and docs.stripe.com/api/events/types.
"""

from dataclasses import dataclass, field
from typing import Any

from ops.stripe_stand_in.cards import CARDS, GENERIC, Decline

NO_CARD, UNCONFIRMED, ASKING = "requires_payment_method", "requires_confirmation", "requires_action"
HELD, PAID, DEAD = "requires_capture", "succeeded", "canceled"

CONFIRMABLE = frozenset({NO_CARD, UNCONFIRMED, ASKING})
CANCELABLE = (NO_CARD, HELD, UNCONFIRMED, ASKING)
EDITABLE = frozenset({NO_CARD, UNCONFIRMED, ASKING})
CANCEL_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
CAPTURE_METHODS = ("automatic", "automatic_async", "manual")

REFUSED_AUTHENTICATION = Decline(
    "payment_intent_authentication_failure",
    None,
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a"
    " new PaymentMethod to attempt to fulfill this PaymentIntent again.",
)


@dataclass(slots=True)
class Intent:
    """One payment intent, as it is kept; amounts are in minor units."""

    id: str
    created: int
    client_secret: str
    amount: int
    currency: str
    capture_method: str
    status: str = NO_CARD
    card: str | None = None  # The test card's name.
    attempts: int = 0
    charge: str | None = None  # Of the latest attempt: failed, held, captured or released.
    charged_at: int = 0
    capturable: int = 0
    received: int = 0
    refunded: int = 0
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    decline: dict[str, Any] | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)  # Kept for the caller, never read.

    @property
    def charge_id(self) -> str | None:
        """The latest attempt's charge; an attempt that waits for the buyer has none."""
        return f"ch_{self.id[3:]}{self.attempts % 100:02d}" if self.charge else None

    @property
    def method_id(self) -> str | None:
        """The payment method that Stripe makes out of a test card's name."""
        return f"pm_{self.id[3:]}{self.attempts % 100:02d}" if self.card else None


def attach(intent: Intent, card: str) -> None:
    """Put a card on an intent that is not confirmed yet."""
    intent.card = card
    intent.status = UNCONFIRMED


def confirm(intent: Intent, now: int) -> list[str]:
    """Try the attached card; the intent must be confirmable and have one."""
    intent.attempts += 1
    intent.decline = None
    card = CARDS[intent.card or ""]
    if card.decline:
        return _decline(intent, card.decline, now)
    if card.asks_buyer:
        intent.status = ASKING
        intent.charge = None
        return ["payment_intent.requires_action"]
    return _hold(intent, now)


def authenticate(intent: Intent, now: int, *, passed: bool) -> list[str]:
    """Hear what the buyer told the bank; the intent must be asking."""
    if passed:
        return _hold(intent, now)
    return _decline(intent, REFUSED_AUTHENTICATION, now)


def _hold(intent: Intent, now: int) -> list[str]:
    intent.charge = "held"
    intent.charged_at = now
    if intent.capture_method != "manual":
        return _take(intent, intent.amount)
    intent.status = HELD
    intent.capturable = intent.amount
    return ["payment_intent.amount_capturable_updated"]


def _take(intent: Intent, amount: int) -> list[str]:
    intent.status = PAID
    intent.charge = "captured"
    intent.capturable = 0
    intent.received = amount
    return ["payment_intent.succeeded"]


def _decline(intent: Intent, why: Decline, now: int) -> list[str]:
    """Go back to wanting a card: a declined one is detached, as Stripe does it."""
    failed = intent.card
    intent.charge = "failed"
    intent.charged_at = now
    intent.capturable = 0
    intent.status = NO_CARD
    intent.decline = {
        "code": why.code,
        "decline_code": why.decline_code,
        "message": why.message,
        "card": failed,
        "method": intent.method_id,
    }
    intent.card = None
    return ["payment_intent.payment_failed"]


def capture(intent: Intent, amount: int, now: int) -> list[str]:
    """Take the money, all or part, and let go of the rest; the intent must be held."""
    card = CARDS[intent.card or ""]
    if card.capture == "declined":
        return _decline(intent, GENERIC, now)
    if card.capture == "expired":
        intent.charge = "failed"
        return _end(intent, "automatic", now)
    return _take(intent, amount)


def cancel(intent: Intent, reason: str | None, now: int) -> list[str]:
    """Give the authorisation back, if there is one, and end; the intent must be cancelable."""
    if intent.charge == "held":
        intent.charge = "released"
    return _end(intent, reason, now)


def _end(intent: Intent, reason: str | None, now: int) -> list[str]:
    intent.status = DEAD
    intent.capturable = 0
    intent.canceled_at = now
    intent.cancellation_reason = reason
    return ["payment_intent.canceled"]
