"""What every request passes: its trace, who asks, and the shape of what was sent.

The order of refusals: no such path (404) or method (405), no token (401), media type (415), size
(413), no key (400), broken JSON (400), then everything that is wrong with the values (422).
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from falcon.asgi import Request, Response
from marshmallow import Schema, ValidationError

from http_edge import headers, json_body, measuring
from http_edge.access_log import AccessLog
from http_edge.call import Access, Call
from http_edge.calls import CALLS
from http_edge.headers import Trace
from http_edge.pointers import faults_of, pointer
from http_edge.problems import Fault, ProblemError, path_of, refuse
from http_edge.rates import Rates
from http_edge.sse import Who
from http_edge.tokens import Tokens

_MOST_PARAMETERS = 20
_UNCOUNTED = frozenset({"/healthz", "/readyz", "/metrics", "/webhooks/stripe"})
"""Asked by machines of the operator's, and by Stripe from few addresses in a sale."""


@dataclass(slots=True)
class Asked:
    """What a request asks for, checked."""

    trace: Trace
    began: float
    address: str
    """Where the request comes from, as far as that is to be believed."""
    user_id: UUID | None = None
    session_id: UUID | None = None
    until: float | None = None
    """When the token ends, by the wall clock; a stream that it opened ends then, too."""
    bad_token: ProblemError | None = None
    """Why the token that was sent, but not needed, is not valid."""
    query: dict[str, Any] = field(default_factory=dict)
    form: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    """The JSON as it was sent."""
    left: list[str] = field(default_factory=list)
    """What the rate limits leave to whoever asks."""
    key: str | None = None
    wait_sec: int | None = None
    operation_id: UUID | None = None
    """For the access log."""

    @property
    def user(self) -> UUID:
        """Who asks, where the gate has made sure that somebody does."""
        if self.user_id is None:
            raise refuse("unauthenticated", "Send an access token.")
        return self.user_id

    @property
    def who(self) -> Who:
        """Whom to count what is open for."""
        return ("user", str(self.user_id)) if self.user_id else ("address", self.address)

    @property
    def session(self) -> UUID:
        """Which sign-in the token comes from."""
        if self.session_id is None:
            raise refuse("unauthenticated", "This token names no session; sign in again.")
        return self.session_id


def asked(req: Request) -> Asked:
    """Return what this request asks for."""
    found: Asked = req.context.asked
    return found


class Gate:
    """Checks requests by the table of calls, before the resource sees them."""

    def __init__(self, tokens: Tokens, rates: Rates, access_log: AccessLog) -> None:
        """Check tokens with `tokens`, count by `rates`, tell `access_log` of every request."""
        self._tokens = tokens
        self._rates = rates
        self._access_log = access_log
        self._calls = {(call.template, call.method): call for call in CALLS}

    async def process_request(self, req: Request, resp: Response) -> None:
        """Begin to follow the request."""
        trace = headers.trace(req.get_header("X-Request-Id"), req.get_header("traceparent"))
        this = req.context.asked = Asked(trace, time.perf_counter(), self._rates.client(req))
        req.context.request_id = trace.request_id
        resp.set_header("X-Request-Id", trace.request_id)
        if req.path not in _UNCOUNTED:
            self._rates.spend(this.left, "address", this.address)

    async def process_resource(
        self, req: Request, _: Response, __: object, ___: dict[str, Any]
    ) -> None:
        """Check everything that the table says of the call."""
        method = "GET" if req.method == "HEAD" else req.method
        call = self._calls.get((req.uri_template or "", method))
        if call is None:
            return
        this = asked(req)
        await self._identify(req, call, this)
        if call.tries_secrets:
            self._rates.spend(this.left, "sign-in", this.address)
        if call.body is not None:
            await self._read_body(req, call, call.body, this)
        if call.tries_secrets and (account := this.form.get("email") or this.user_id):
            self._rates.spend(this.left, "account", str(account).lower())
        if req.query_string or call.query is not None:
            this.query = _query(req.query_string, call.query)
        this.wait_sec = headers.wait_sec(req.get_header("Prefer"))

    async def process_response(
        self,
        req: Request,
        resp: Response,
        _: object,
        __: bool,  # noqa: FBT001  # Falcon's.
    ) -> None:
        """Tell the client what it may still ask, and the access log what it did."""
        this = asked(req)
        self._rates.tell(resp, this.left)
        lasted_sec = time.perf_counter() - this.began
        measuring.request(req, resp.status_code, lasted_sec)
        self._access_log.tell(
            req.method, path_of(req), resp.status_code, lasted_sec, this.trace, this.operation_id
        )

    async def _identify(self, req: Request, call: Call, this: Asked) -> None:
        if call.access is Access.ANYONE:
            return
        try:
            bearer = await self._tokens.bearer_of(req.get_header("Authorization"))
        except ProblemError as error:
            if call.access is Access.USER or error.code != "unauthenticated":
                raise
            this.bad_token = error
        else:
            if bearer is not None:
                this.user_id, this.session_id = bearer.user_id, bearer.session_id
                this.until = bearer.expires
        if call.access is Access.USER and this.user_id is None:
            raise refuse("unauthenticated", "Send an access token.")
        if this.user_id is not None:
            self._rates.spend(this.left, "user", str(this.user_id))

    async def _read_body(self, req: Request, call: Call, shape: Schema, this: Asked) -> None:
        if req.content_type is not None or req.content_length:
            json_body.check_media_type(req.content_type)
        body = await json_body.raw(req, call.body_bytes)
        if body and req.content_type is None:
            json_body.check_media_type(None)
        if call.access is Access.USER:
            told = req.get_header("Idempotency-Key")
            this.key = headers.idempotency_key(told)
            if this.key is None and call.key_required:
                raise refuse("key_required", "Send an Idempotency-Key, new for each purchase.")
            if this.key is None and told is not None:
                raise refuse("malformed", "The Idempotency-Key is empty.")
        if not body:
            if any(each.required for each in shape.fields.values()):
                raise refuse("malformed", "A JSON body is needed.")
            return
        # What may be long is looked through beside the others, who need not wait for it.
        if call.body_bytes > json_body.BODY_BYTES:
            this.body, this.form = await asyncio.to_thread(_parsed, shape, body)
        else:
            this.body, this.form = _parsed(shape, body)


def _query(text: str, shape: Schema | None) -> dict[str, Any]:
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise refuse("malformed", "The query cannot be read.") from None
    known = (
        set() if shape is None else {each.data_key or name for name, each in shape.fields.items()}
    )
    faults = []
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            faults.append(Fault(pointer(name), "Unknown parameter."))
        elif name in values:
            faults.append(Fault(pointer(name), "Given twice."))
        elif json_body.has_controls(value):
            faults.append(Fault(pointer(name), "Holds control characters."))
        values[name] = value
    if faults:
        raise refuse("invalid_request", "The query is not right.", faults)
    return {} if shape is None else _loaded(shape, values)


def _parsed(shape: Schema, body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    values = json_body.parse(body)
    return values, _loaded(shape, values)


def _loaded(shape: Schema, values: dict[str, Any]) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = shape.load(values)
    except ValidationError as error:
        faults = faults_of(error)
        raise refuse("invalid_request", "Some values are not right.", faults) from None
    return loaded
