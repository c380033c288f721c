"""What every call works with: the call itself, the kept objects, and the events to tell."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from ops.stripe_stand_in import objects
from ops.stripe_stand_in.errors import StripeError, invalid, unknown
from ops.stripe_stand_in.faults import Faults
from ops.stripe_stand_in.forms import Form
from ops.stripe_stand_in.intents import Intent
from ops.stripe_stand_in.store import Store


@dataclass(frozen=True, slots=True)
class Call:
    """One call: `ident` is the id in its path, `public` that it came with the publishable key."""

    ident: str
    form: Form
    public: bool
    now: int
    request_id: str
    key: str | None
    origin: str


def token() -> str:
    """Make an id's unguessable part; it rises with time, so that indexes grow at their end."""
    return f"{time.time_ns() // 1000:014x}{secrets.token_hex(6)}"


def secret() -> str:
    """Make what only the buyer's browser is to know."""
    return secrets.token_hex(12)


@dataclass(frozen=True, slots=True)
class Desk:
    """The store and the way out for webhooks; `deliver(event, due)` keeps and sends one."""

    store: Store
    faults: Faults
    deliver: Callable[[int, float], None]
    events: frozenset[str] = frozenset()
    """The types that the webhook endpoint is registered for; empty: all."""

    def intent(self, call: Call) -> Intent:
        """Find the intent in the path; with a publishable key its client secret is asked for."""
        intent = self.store.intent(call.ident)
        if intent is None:
            unknown("payment_intent", call.ident)
        if call.public and call.form.required("client_secret") != intent.client_secret:
            invalid(
                "The client_secret provided does not match the client_secret associated with the"
                " PaymentIntent.",
                "client_secret",
                "payment_intent_invalid_parameter",
            )
        return intent

    def show(self, call: Call, intent: Intent) -> dict[str, Any]:
        """Render an intent for this caller."""
        expand = call.form.words("expand") if "expand" in call.form else None
        shown = objects.payment_intent(intent, call.origin, expand)
        return objects.public(shown) if call.public else shown

    def moved(self, call: Call, intent: Intent, events: list[str]) -> dict[str, Any]:
        """Keep a changed intent, tell its events, answer; StripeError 402 when the card said no."""
        self.store.save_intent(intent)
        record = orjson.dumps(intent)
        for kind in events:
            self.tell(call, kind, record)
        if "payment_intent.payment_failed" in events:
            raise self._declined(call, intent)
        return self.show(call, intent)

    def _declined(self, call: Call, intent: Intent) -> StripeError:
        shown = self.show(call, intent)
        error = dict(shown["last_payment_error"])
        kind, code, message = error.pop("type"), error.pop("code"), error.pop("message")
        extra = {**error, "payment_intent": shown}
        return StripeError(402, message, kind=kind, code=code, executed=True, extra=extra)

    def tell(self, call: Call, kind: str, record: bytes) -> None:
        """Keep an event about an intent or a refund, and the webhooks that carry it."""
        cause = {"id": call.request_id, "idempotency_key": call.key}
        event = self.store.add_event(f"evt_{token()}", call.now, kind, cause, record)
        if self.events and kind not in self.events:
            return
        for after_sec in self.faults.departures():
            self.deliver(event, time.time() + after_sec)


def rendered_event(row: tuple[Any, ...], pending: int, origin: str) -> dict[str, Any]:
    """Render an event, with its object as it was when it happened."""
    _, ident, created, kind, cause, record = row
    kept = orjson.loads(record)
    if kind.startswith("refund."):
        shown = objects.refund(kept)
    elif kind.startswith("charge."):
        shown = objects.charge(Intent(**kept))
    else:
        shown = objects.payment_intent(Intent(**kept), origin)
    return {
        "id": ident,
        "object": "event",
        "api_version": objects.API_VERSION,
        "created": created,
        "data": {"object": shown},
        "livemode": False,
        "pending_webhooks": pending,
        "request": orjson.loads(cause),
        "type": kind,
    }
