"""Reading what a client sent as JSON, without believing any of it.

What is not strictly JSON (RFC 8259, I-JSON: no duplicate names, no lone surrogates, no NaN) is
broken; a text with control characters or a number that other systems cannot hold is refused with
its place. Nothing here knows what a body means.
"""

import asyncio
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any
from unicodedata import category

import orjson
from falcon.asgi import Request

from http_edge.pointers import MOST, pointer
from http_edge.problems import Fault, refuse

BODY_BYTES = 64 * 1024
SLOWEST_SEC = 20
DEPTH = 20
_LARGEST = 2**53 - 1
"""Numbers beyond it do not survive every JSON reader (RFC 7493)."""


async def raw(req: Request, most: int = BODY_BYTES) -> bytes:
    """Return the body.

    Raises:
        ProblemError: it is longer than `most` bytes, told or counted, or takes too long to come.
    """
    if (req.content_length or 0) > most:
        raise refuse("too_large", f"A body has at most {most} bytes here.")
    try:
        async with asyncio.timeout(SLOWEST_SEC):
            body: bytes = await req.stream.read(most + 1)
    except TimeoutError:
        raise refuse("malformed", f"The body was not there within {SLOWEST_SEC} s.") from None
    if len(body) > most:
        raise refuse("too_large", f"A body has at most {most} bytes here.")
    return body


def check_media_type(content_type: str | None) -> None:
    """Accept JSON in UTF-8 only.

    Raises:
        ProblemError: it is something else.
    """
    kind, *parameters = (content_type or "").lower().split(";")
    charsets = [each.partition("=")[2].strip(' "') for each in parameters if "charset" in each]
    if kind.strip() != "application/json" or any(
        each not in ("utf-8", "utf8") for each in charsets
    ):
        raise refuse("unsupported_media_type", "Send application/json in UTF-8.")


def parse(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`.

    Raises:
        ProblemError: broken JSON, not an object, or texts and numbers that no store should hold.
    """
    try:
        value = orjson.loads(body)
        _DUPLICATES.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise refuse("malformed", f"The body is not JSON: {error}"[:300]) from None
    if not isinstance(value, dict):
        raise refuse("malformed", "The body is not a JSON object.")
    if faults := list(islice(_unwelcome(value), MOST)):
        raise refuse("invalid_request", "Some values cannot be accepted.", faults)
    return value


def has_controls(text: str) -> bool:
    """Say whether a text holds control characters (Unicode's category Cc)."""
    return not text.isprintable() and any(category(each) == "Cc" for each in text)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        msg = "a name appears twice in one object"
        raise ValueError(msg)


_DUPLICATES = json.JSONDecoder(object_pairs_hook=_refuse_duplicates)


def _unwelcome(value: object, at: str = "", depth: int = 0) -> Iterator[Fault]:
    if isinstance(value, str):
        if has_controls(value):
            yield Fault(at, "Holds control characters.")
    elif isinstance(value, int | float):
        if abs(value) > _LARGEST:
            yield Fault(at, "The number is too large.")
    elif isinstance(value, dict | list):
        if depth == DEPTH:
            yield Fault(at, f"Nested more than {DEPTH} levels deep.")
            return
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for name, each in parts:
            if isinstance(name, str) and has_controls(name):
                yield Fault(at, "A name holds control characters.")
            else:
                yield from _unwelcome(each, at + pointer(name), depth + 1)
