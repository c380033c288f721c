"""What the API document says of answers: every status that a call can have, and every header."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from apispec import APISpec
from marshmallow import Schema

from http_edge import answers
from http_edge.call import Access, Call
from http_edge.problems import MEDIA_TYPE
from http_edge.sse import MEDIA_TYPE as STREAM
from schemas.problems import PROBLEMS

_TEXT: dict[str, Any] = {"type": "string"}
_WHOLE: dict[str, Any] = {"type": "string", "pattern": "^[0-9]+$"}
_HEADERS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "X-Request-Id": ("Names the request, in the logs too; the client's own is kept.", _TEXT, True),
    "Cache-Control": ("Whether it may be kept.", _TEXT, True),
    "RateLimit": ("What is left of each limit, and for how many seconds.", _TEXT, False),
    "RateLimit-Policy": ("The limits, each so many requests in so many seconds.", _TEXT, False),
    "Location": ("Where the operation is.", {"type": "string", "format": "uri-reference"}, True),
    "Preference-Applied": ("`wait=N`, when it was waited for.", _TEXT, False),
    "Retry-After": ("Come back in so many seconds.", _WHOLE, True),
    "Retry-After-While-Pending": ("Come back in so many seconds.", _WHOLE, False),
    "WWW-Authenticate": ("How to sign in.", _TEXT, True),
    "ETag": ("What this version is called; send it in If-None-Match.", _TEXT, True),
}
_ALWAYS = ("X-Request-Id", "Cache-Control", "RateLimit", "RateLimit-Policy")
_ALSO = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
_ENDS = "One that is not for everybody ends with its token: come back with a fresh one."
_REFUSED_HERE = (400, 401, 403, 404, 413, 415, 422, 429, 503)


def declare(spec: APISpec) -> None:
    """Add what the answers have in common: headers, and one answer for each kind of refusal."""
    for name, (why, schema, required) in _HEADERS.items():
        header = {"description": why, "schema": schema, "required": required}
        spec.components.header(name, header)
    spec.components.schema("Problem", schema=answers.ProblemDocument)
    for status in _REFUSED_HERE:
        codes = [
            f"`{code}` {problem.title}."
            for code, problem in PROBLEMS.items()
            if problem.status == status and code not in _OF_OPERATIONS
        ]
        told = _content(answers.ProblemDocument, " ".join(codes), MEDIA_TYPE)
        spec.components.response(
            _problem(status), told | {"headers": _headers(*_ALSO.get(status, ()))}
        )


_OF_OPERATIONS = ("bad_credentials",)
"""Codes that only an operation ends with, under a status that the edge answers with itself, too."""


def responses(call: Call) -> dict[str, Any]:
    """Return a call's answers, by status."""
    return _good(call) | {str(status): _problem(status) for status in sorted(set(_refusals(call)))}


def _good(call: Call) -> dict[str, Any]:
    if call.command is not None:
        return _of_write()
    content: dict[str, Any] = {}
    if call.answer is not None:
        content[call.media_type] = {"schema": call.answer}
    elif not call.stream:
        content[call.media_type] = {"schema": _TEXT if "json" not in call.media_type else {}}
    if call.stream:
        content[STREAM] = {"schema": _TEXT}
    why = (call.answer.__doc__ or "").strip() if call.answer else "Yes."
    if call.stream:
        events = ", ".join(f"`{each}`" for each in call.stream)
        why = f"{why if call.answer else ''} As a stream: the events {events}. {_ENDS}".strip()
    extra: tuple[str, ...] = ("ETag",) if call.has_etag else ()
    if call.answer is answers.Operation:
        extra = ("Preference-Applied", "Retry-After-While-Pending")
    good: dict[str, Any] = {
        "200": {"description": why, "content": content, "headers": _headers(*extra)}
    }
    if call.has_etag:
        good["304"] = {"description": "The client has it.", "headers": _headers("ETag")}
    return good


def _of_write() -> dict[str, Any]:
    accepted = _content(answers.Operation, "Accepted: follow the operation.")
    finished = _content(answers.Operation, "Finished, well or not, while the client waited.")
    accepted["headers"] = _headers("Location", "Retry-After")
    finished["headers"] = _headers("Location", "Preference-Applied")
    for each in (accepted, finished):
        each["links"] = {
            "operation": {
                "operationId": "get_v1_operations_operation_id",
                "parameters": {"operation_id": "$response.body#/id"},
            }
        }
    return {"200": finished, "202": accepted}


def _refusals(call: Call) -> Iterator[int]:
    """Say which statuses the edge can refuse this call with."""
    yield from (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)  # A query that is wrong.
    if call.path.startswith("/v1/") or call.answer is not None:
        yield from (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    elif call.path in _NEEDING_OTHERS:
        yield HTTPStatus.SERVICE_UNAVAILABLE
    else:
        yield HTTPStatus.TOO_MANY_REQUESTS
    if call.access is not Access.ANYONE:
        yield HTTPStatus.UNAUTHORIZED
    is_mine = call.access is Access.USER and call.answer is not None and call.query is None
    if "{" in call.path or is_mine:
        yield HTTPStatus.NOT_FOUND
    if call.body is not None or call.own_body:
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if call.body is not None:
        yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    if call.may_be_forbidden:
        yield HTTPStatus.FORBIDDEN


_NEEDING_OTHERS = ("/readyz", "/webhooks/stripe")


def _headers(*names: str) -> dict[str, Any]:
    return {
        name.removesuffix("-While-Pending"): {"$ref": f"#/components/headers/{name}"}
        for name in (*_ALWAYS, *names)
    }


def _problem(status: int) -> str:
    return f"Problem{status:d}"


def _content(
    schema: type[Schema], why: str, media_type: str = "application/json"
) -> dict[str, Any]:
    return {"description": why, "content": {media_type: {"schema": schema}}}
