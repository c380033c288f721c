"""What Stripe tells: checked over the raw bytes, cleared of secrets and of people, handed on.

Stripe repeats until it hears 2xx, and it hears that only after the broker's confirm. A repeat
has the same message id, so the payment service records an event once.
"""

import time
from typing import Any
from uuid import UUID, uuid5

import orjson
from falcon.asgi import Request, Response
from marshmallow import ValidationError
from stripe import SignatureVerificationError, WebhookSignature

from bus.envelope import Malformed, envelope_of, outgoing
from http_edge import json_body
from http_edge.gate import asked
from http_edge.operations import Operations
from http_edge.problems import ProblemError, refuse
from http_edge.writes import SOURCE, answer
from schemas.message import schema_of
from schemas.payment import RecordWebhook

OLDEST_SEC = 300
"""Stripe's own tolerance."""
NEWEST_SEC = 60
"""How far Stripe's clock may run ahead of ours."""
_EVENTS = UUID("3f6d7c52-6a3b-5f0e-9d9c-6d1f6f0f5b1e")  # It must never change.


_LEFT_OUT = frozenset(
    {
        *("client_secret", "billing_details", "customer_details", "shipping", "receipt_email"),
        *("customer_email", "customer_name", "customer_phone", "customer_address"),
        *("email", "name", "phone", "address", "ip_address"),
    }
)
"""What is secret, and what is personal and needed by nobody here: not kept, it is not lost."""


class StripeWebhook:
    """At /webhooks/stripe."""

    def __init__(self, operations: Operations, secret: str) -> None:
        self._operations = operations
        self._secret = secret

    async def on_post(self, req: Request, resp: Response) -> None:
        """Hand an event on."""
        body = await json_body.raw(req)
        check_signature(body, req.get_header("Stripe-Signature"), self._secret)
        command = _command(body)
        envelope = envelope_of(
            command,
            source=SOURCE,
            message_id=message_id_of(command.stripe_event_id),
            traceparent=asked(req).trace.traceparent,
        )
        try:
            await self._operations.publish(outgoing(envelope))
        except Malformed:
            raise refuse("too_large", "It does not fit in one message.") from None
        answer(resp, {"received": True})


def message_id_of(stripe_event_id: str) -> UUID:
    """Return the id under which an event is handed on, however often Stripe tells it."""
    return uuid5(_EVENTS, stripe_event_id)


def check_signature(body: bytes, signature: str | None, secret: str) -> None:
    """Make sure that Stripe said this, and recently.

    Raises:
        ProblemError: it is not signed with our secret, too old, or from the future.
    """
    try:
        WebhookSignature.verify_header(body, signature, secret, OLDEST_SEC)
    except (SignatureVerificationError, ValueError, TypeError):
        raise _refused() from None
    # The library looks at the first time and only for age; the same one is looked at here.
    times = [each.partition("=")[2] for each in (signature or "").split(",") if each[:2] == "t="]
    if int(times[0]) > time.time() + NEWEST_SEC:
        raise _refused()


def without_secrets(value: Any) -> Any:  # noqa: ANN401  # JSON.
    """Return a copy of JSON in which no object has a `client_secret`, or says who somebody is."""
    if isinstance(value, dict):
        return {
            name: without_secrets(each) for name, each in value.items() if name not in _LEFT_OUT
        }
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    return value


def _check_shape(event: dict[str, Any]) -> None:
    """Make sure that what is looked into later is an object, where it is told at all."""
    thing = _object_in(_object_in(event, "data"), "object")
    for name in ("metadata", "last_payment_error"):
        _object_in(thing, name)


def _object_in(told: dict[str, Any], name: str) -> dict[str, Any]:
    found = told.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise TypeError(name)
    return found


def _command(body: bytes) -> RecordWebhook:
    try:
        told = orjson.loads(body)
        _check_shape(told)
        command: RecordWebhook = schema_of(RecordWebhook).load(
            {
                "stripe_event_id": told["id"],
                "event_type": told["type"],
                "body": without_secrets(told),
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        raise refuse("malformed", "This is not an event of Stripe's.") from None
    return command


def _refused() -> ProblemError:
    return refuse("malformed", "The signature is wrong, too old or from the future.")
