"""Saying no: RFC 9457 problem documents, for everything that the edge refuses itself.

    ProblemError                 raised anywhere while a request is served
    └── made with `refuse(code, detail, ...)`

Falcon's own errors and whatever else is raised end here too, so that a client meets one shape.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import falcon
import orjson
from falcon.asgi import Request, Response

from bus import log
from schemas.problems import PROBLEMS

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SEC = 1

_CODES = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "rate_limited",
}
_log = log.get("edge")


class Fault(NamedTuple):
    """One thing that is wrong with a request, and where (RFC 6901)."""

    pointer: str
    message: str


class ProblemError(Exception):
    """The request is refused."""

    def __init__(
        self,
        code: str,
        detail: str,
        faults: Iterable[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Refuse with one of the known codes."""
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status that the code stands for."""
        return PROBLEMS[self.code].status


def refuse(code: str, detail: str, faults: Iterable[Fault] = ()) -> ProblemError:
    """Make the error for a code, with the headers that its status calls for."""
    headers = {}
    status = PROBLEMS[code].status
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SEC)
    if code == "unauthenticated":
        headers["WWW-Authenticate"] = 'Bearer realm="foyer"'
    return ProblemError(code, detail, faults, headers)


def document(
    code: str, detail: str, faults: Iterable[Fault] = (), status: int | None = None
) -> dict[str, Any]:
    """Return the body of a problem answer; `status` where it is not the code's own."""
    problem = PROBLEMS[code]
    body: dict[str, Any] = {
        "type": f"/docs#{code}",
        "title": problem.title,
        "status": status or problem.status,
        "detail": detail,
        "code": code,
    }
    if listed := [fault._asdict() for fault in faults]:
        body["errors"] = listed
    return body


def render(resp: Response, body: Mapping[str, Any]) -> None:
    """Make this the answer."""
    resp.status = body["status"]
    resp.content_type = MEDIA_TYPE
    resp.data = orjson.dumps(body)
    resp.set_header("Cache-Control", "no-store")


async def on_problem(
    _: Request, resp: Response, error: ProblemError, __: Mapping[str, Any]
) -> None:
    """Answer what the edge refused."""
    render(resp, document(error.code, error.detail, error.faults))
    for name, value in error.headers.items():
        resp.set_header(name, value)


async def on_http_error(
    req: Request, resp: Response, error: falcon.HTTPError, __: Mapping[str, Any]
) -> None:
    """Answer what Falcon refused."""
    status = error.status_code
    if status == HTTPStatus.NOT_FOUND:
        detail = f"Nothing is at {req.path[:200]}."
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{req.method} cannot be done at {req.path[:200]}."
    else:
        detail = error.description or error.title or "The request cannot be served."
    server = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    known = _CODES.get(status, "internal" if server else "malformed")
    render(resp, document(known, detail, status=status))
    for name, value in dict(error.headers or {}).items():
        resp.set_header(name, value)


def path_of(req: Request) -> str:
    """Return a request's path for the logs; one that leads nowhere may say anything, and is not.

    One that leads somewhere holds nothing of the client's but ids.
    """
    return req.path if req.uri_template else "nowhere"


async def on_fault(req: Request, resp: Response, error: Exception, __: Mapping[str, Any]) -> None:
    """Answer what should not have happened, and tell the operator where."""
    _log.error(
        "a request failed",
        method=req.method,
        path=path_of(req),
        request_id=getattr(req.context, "request_id", None),
        exc_info=error,
    )
    render(resp, document("internal", "It is logged; trying again may help."))
