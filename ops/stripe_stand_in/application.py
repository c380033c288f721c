"""From a request to its answer: key, route, faults, idempotency, the call.

Idempotency, as docs.stripe.com/api/idempotent_requests has it: a key's first answer is kept once
the work has begun, 500s included, and repeated for the same endpoint and parameters; other
parameters are an idempotency_error; a key whose first use is still under way is a conflict, 409.
What was refused before the work began (parameters, key, conflict, rate limit) is not kept.
"""

import asyncio
import base64
import binascii
import time
from dataclasses import dataclass
from functools import partial

import orjson
import structlog

from ops.stripe_stand_in.desk import Call, Desk, token
from ops.stripe_stand_in.errors import StripeError, invalid
from ops.stripe_stand_in.forms import decode
from ops.stripe_stand_in.objects import API_VERSION
from ops.stripe_stand_in.routes import Route, route_of
from ops.stripe_stand_in.server import Answer, Reply, Request
from ops.stripe_stand_in.store import Remembered

log = structlog.get_logger("stripe_stand_in")

LONGEST_KEY = 255
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "authorization, content-type, idempotency-key, stripe-version",
    "Access-Control-Max-Age": "300",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """A request on its way to its answer; `slot` is its idempotency key, scoped by who asks."""

    route: Route
    call: Call
    endpoint: str
    params: str
    slot: str | None


class Application:
    """Stripe's side of `/v1`."""

    def __init__(self, desk: Desk, keys: dict[str, bool], loop: asyncio.AbstractEventLoop) -> None:
        """Let in who has one of `keys`, each with whether it is a publishable one."""
        self._desk = desk
        self._keys = keys
        self._loop = loop
        self._under_way: set[str] = set()
        self.calls_waiting = 0

    def handle(self, request: Request, reply: Reply) -> None:
        """Answer a request, now or after the delay that a fault asks for."""
        if request.method == "OPTIONS":
            reply(Answer(204, headers=CORS))
            return
        request_id = f"req_{token()}"
        try:
            turn = self._accept(request, request_id)
        except StripeError as refused:
            reply(_refusal(refused, request_id, request.headers.get("idempotency-key")))
            return
        if turn.slot:
            self._under_way.add(turn.slot)
        self.calls_waiting += 1
        delay_sec = self._desk.faults.delay_sec(turn.route.kind)
        if delay_sec:
            self._loop.call_later(delay_sec, self._perform, turn, reply)
        else:
            self._perform(turn, reply)

    def _accept(self, request: Request, request_id: str) -> Turn:
        public = self._who(request.headers.get("authorization", ""))
        route, ident = route_of(request)
        if public and not route.public:
            raise StripeError(
                401,
                "This API call cannot be made with a publishable API key."
                " Please use a secret API key.",
                code="secret_key_required",
            )
        form = decode(_form_text(request))
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if key is not None and not 1 <= len(key) <= LONGEST_KEY:
            invalid(f"Invalid Idempotency-Key: it must have from 1 to {LONGEST_KEY} characters.")
        slot = key and f"{'public' if public else 'secret'}:{key}"
        if slot in self._under_way:
            raise StripeError(
                409,
                "There is currently another in-progress request using this Idempotent Key (that"
                " probably means you submitted twice, and the other request is still going"
                f" through): {key}. Please try again later.",
                code="idempotency_key_in_use",
                kind="idempotency_error",
                retry=True,
            )
        origin = f"http://{request.headers.get('host', '127.0.0.1')}"
        call = Call(ident, form, public, int(time.time()), request_id, key, origin)
        return Turn(route, call, f"{request.method} {request.path}", form.canonical(), slot)

    def _who(self, authorization: str) -> bool:
        scheme, _, credentials = authorization.partition(" ")
        key = credentials.strip()
        if scheme.lower() == "basic":
            try:
                key = base64.b64decode(key, validate=True).decode("latin-1").partition(":")[0]
            except binascii.Error:
                key = ""
        if not key:
            raise StripeError(
                401,
                "You did not provide an API key. You need to provide your API key in the"
                " Authorization header, using Bearer auth (e.g. 'Authorization: Bearer"
                " YOUR_SECRET_KEY').",
            )
        if key not in self._keys:
            shown = (
                f"{key[:8]}{'*' * 8}{key[-4:]}"
                if len(key) > len("sk_test_1234")
                else "*" * len(key)
            )
            raise StripeError(401, f"Invalid API Key provided: {shown}")
        return self._keys[key]

    def _perform(self, turn: Turn, reply: Reply) -> None:
        lost = False
        try:
            answer = self._answer(turn)
            lost = self._desk.faults.strikes("reply_lost_rate", turn.route.kind)
        except StripeError as refused:
            answer = _refusal(refused, turn.call.request_id, turn.call.key)
        except Exception:
            log.exception("call failed", endpoint=turn.endpoint, request_id=turn.call.request_id)
            answer = _refusal(_broken(), turn.call.request_id, turn.call.key)
        answer.lost = lost
        log.debug(
            "call",
            endpoint=turn.endpoint,
            status=answer.status,
            request_id=turn.call.request_id,
            lost=lost,
        )
        self._desk.store.after_commit(partial(self._finish, turn, reply, answer))

    def _finish(self, turn: Turn, reply: Reply, answer: Answer) -> None:
        self.calls_waiting -= 1
        if turn.slot:
            self._under_way.discard(turn.slot)
        reply(answer)

    def _answer(self, turn: Turn) -> Answer:
        """Repeat what the key remembers, or do the work; StripeError is not remembered."""
        self._stop_early(turn.route.kind)
        first = self._desk.store.recall(turn.slot) if turn.slot else None
        if first:
            return _repeat(first, turn)
        status, body = self._work(turn)
        call = turn.call
        if turn.slot:
            kept = Remembered(turn.endpoint, turn.params, call.request_id, status, body)
            self._desk.store.remember(turn.slot, kept, call.now)
        headers = _headers(call.request_id, call.key)
        if status == _broken().status and turn.slot:
            headers["Stripe-Should-Retry"] = (
                "false"  # A repeat would be answered with the same 500.
            )
        return Answer(status, body, headers)

    def _stop_early(self, kind: str) -> None:
        faults = self._desk.faults
        if faults.strikes("rate_limit_rate", kind):
            raise StripeError(429, "Request rate limit exceeded.", code="rate_limit")
        if faults.strikes("unavailable_rate", kind):
            raise StripeError(503, "Stripe is unavailable. Try again later.", kind="api_error")

    def _work(self, turn: Turn) -> tuple[int, bytes]:
        """Do the work once; give the status and body that the key will remember."""
        faults, kind, request_id = self._desk.faults, turn.route.kind, turn.call.request_id
        if faults.strikes("error_rate", kind):
            return 500, _broken().body(request_id)
        try:
            status, body = 200, orjson.dumps(turn.route.work(self._desk, turn.call))
        except StripeError as refused:
            if not refused.executed:
                raise
            status, body = refused.status, refused.body(request_id)
        if faults.strikes("error_after_rate", kind):
            return 500, _broken().body(request_id)
        return status, body


def _broken() -> StripeError:
    return StripeError(500, "An unknown error occurred. Try again later.", kind="api_error")


def _repeat(first: Remembered, turn: Turn) -> Answer:
    same_endpoint = first.endpoint == turn.endpoint
    if not same_endpoint or first.params != turn.params:
        which = (
            "with the same parameters they were first used with"
            if same_endpoint
            else "for the same endpoint they were first used for"
            f" ('{first.endpoint}' vs '{turn.endpoint}')"
        )
        raise StripeError(
            400,
            f"Keys for idempotent requests can only be used {which}. Try using a key other than"
            f" '{turn.call.key}' if you meant to execute a different request.",
            kind="idempotency_error",
        )
    headers = _headers(turn.call.request_id, turn.call.key)
    headers |= {
        "Idempotent-Replayed": "true",
        "Original-Request": first.request_id,
        "Stripe-Should-Retry": "false",
    }
    return Answer(first.status, first.body, headers)


def _refusal(refused: StripeError, request_id: str, key: str | None) -> Answer:
    headers = _headers(request_id, key)
    if refused.retry is not None:
        headers["Stripe-Should-Retry"] = "true" if refused.retry else "false"
    return Answer(refused.status, refused.body(request_id), headers)


def _headers(request_id: str, key: str | None) -> dict[str, str]:
    headers = {
        "Request-Id": request_id,
        "Stripe-Version": API_VERSION,
        "Access-Control-Allow-Origin": "*",
    }
    if key:
        headers["Idempotency-Key"] = key
    return headers


def _form_text(request: Request) -> str:
    if request.method == "GET":
        return request.query
    kind = request.headers.get("content-type", "application/x-www-form-urlencoded")
    if request.body and not kind.startswith("application/x-www-form-urlencoded"):
        invalid(
            "Invalid request (check that your POST content type is"
            " application/x-www-form-urlencoded)."
        )
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        invalid("Invalid request: the body is not UTF-8.")
