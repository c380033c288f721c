"""Where a fault is: marshmallow's messages as JSON pointers (RFC 6901)."""

from collections.abc import Iterator, Mapping

from marshmallow import ValidationError

from http_edge.problems import Fault

MOST = 50
"""Faults told at once; a body with more is told the first of them."""


def pointer(*parts: object) -> str:
    """Return the pointer to a place; without parts, to the whole document."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def faults_of(error: ValidationError) -> list[Fault]:
    """Flatten marshmallow's messages into faults, at most `MOST` of them."""
    found = []
    for fault in _walk(error.normalized_messages(), ""):  # type: ignore[no-untyped-call]
        found.append(fault)
        if len(found) == MOST:
            break
    return found


def _walk(messages: object, at: str) -> Iterator[Fault]:
    if isinstance(messages, Mapping):
        for name, below in messages.items():
            # marshmallow's own name for "the whole object".
            inside = at if name == "_schema" else at + pointer(name)
            yield from _walk(below, inside)
    elif isinstance(messages, list | tuple):
        for each in messages:
            yield from _walk(each, at)
    else:
        yield Fault(at, str(messages))
