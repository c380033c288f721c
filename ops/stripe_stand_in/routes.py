"""Which path and method is which kind of call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from ops.stripe_stand_in import intent_calls, reading, refund_calls
from ops.stripe_stand_in.desk import Call, Desk
from ops.stripe_stand_in.errors import StripeError
from ops.stripe_stand_in.server import Request

HELPERS = "/v1/test_helpers"
PLACE_OF_ID, PLACE_OF_HELPED_ID = 3, 4  # Among the parts of a path split at its slashes.


@dataclass(frozen=True, slots=True)
class Route:
    """A kind of call: its name (faults are set by it), its work, and who may make it."""

    kind: str
    work: Callable[[Desk, Call], dict[str, Any]]
    public: bool = False


ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/v1/payment_intents"): Route("create_intent", intent_calls.create),
    ("GET", "/v1/payment_intents"): Route("list_intents", reading.list_intents),
    ("GET", "/v1/payment_intents/*"): Route("retrieve_intent", intent_calls.retrieve, public=True),
    ("POST", "/v1/payment_intents/*"): Route("update_intent", intent_calls.update),
    ("POST", "/v1/payment_intents/*/confirm"): Route("confirm", intent_calls.confirm, public=True),
    ("POST", "/v1/payment_intents/*/capture"): Route("capture", intent_calls.capture),
    ("POST", "/v1/payment_intents/*/cancel"): Route("cancel", intent_calls.cancel),
    ("POST", f"{HELPERS}/payment_intents/*/authenticate"): Route(
        "authenticate", intent_calls.authenticate, public=True
    ),
    ("POST", "/v1/refunds"): Route("create_refund", refund_calls.create),
    ("GET", "/v1/refunds"): Route("list_refunds", reading.list_refunds),
    ("GET", "/v1/refunds/*"): Route("retrieve_refund", refund_calls.retrieve),
    ("POST", "/v1/refunds/*"): Route("update_refund", refund_calls.update),
    ("POST", f"{HELPERS}/refunds/*/settle"): Route("settle_refund", refund_calls.settle),
    ("GET", "/v1/charges/*"): Route("retrieve_charge", reading.retrieve_charge),
    ("GET", "/v1/payment_methods/*"): Route("retrieve_method", reading.retrieve_method),
    ("GET", "/v1/events"): Route("list_events", reading.list_events),
    ("GET", "/v1/events/*"): Route("retrieve_event", reading.retrieve_event),
}


def route_of(request: Request) -> tuple[Route, str]:
    """Find the kind of call and the id in its path; StripeError 404."""
    parts = request.path.split("/")
    place = PLACE_OF_HELPED_ID if request.path.startswith(HELPERS) else PLACE_OF_ID
    ident = ""
    if len(parts) > place:
        ident, parts[place] = unquote(parts[place]), "*"
    route = ROUTES.get((request.method, "/".join(parts)))
    if route is None or (len(parts) > place and not ident):
        raise StripeError(
            404,
            f"Unrecognized request URL ({request.method}: {request.path[:200]}). Please see https://stripe.com/docs"
            " or we can help at https://support.stripe.com/.",
        )
    return route, ident
