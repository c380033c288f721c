"""How an operation ends, and what is told of it. Pure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from schemas.message import Message
from schemas.problems import PROBLEMS
from workers.view.shown import Shown


@dataclass(frozen=True, kw_only=True)
class End:
    """How an operation ended; `secret` is sealed to the edge and given once."""

    status: Literal["succeeded", "failed"]
    result: dict[str, Any] | None = None
    secret: dict[str, str] | None = None
    error: dict[str, Any] | None = None


Rule = Callable[[Sequence[Message], Shown | None, Collection[str]], End | None]
"""Judges an operation by what was just said under its id, the order that it is about, and the
types of all that was ever said under its id; answers None while something is missing."""


def said(end: Callable[[Any], End], *events: type[Message]) -> Rule:
    """Make the rule of a command that has ended when these were all said under its operation.

    `end` is told by whichever of them came last.
    """
    needed = {event.TYPE for event in events}

    def rule(now: Sequence[Message], _: Shown | None, steps: Collection[str]) -> End | None:
        last = next((each for each in now if isinstance(each, events)), None)
        if last is None or needed - {last.TYPE, *steps}:
            return None
        return end(last)

    return rule


def succeeded(result: dict[str, Any]) -> End:
    """Make the end that gives this result."""
    return End(status="succeeded", result=result)


def failed(code: str, detail: str | None = None, seat_ids: Collection[UUID] = ()) -> End:
    """Fail with a problem (RFC 9457); a code that clients do not know is not told to them."""
    known = code if code in PROBLEMS else "internal"
    problem = PROBLEMS[known]
    error: dict[str, Any] = {
        "type": f"/docs#{known}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail or f"{problem.title}.",
        "code": known,
    }
    if seat_ids:
        error["seat_ids"] = [str(each) for each in seat_ids]
    return End(status="failed", error=error)


UNANSWERED = failed("internal", "Nothing was heard of it for an hour.")
"""The end of an operation whose service never said a word about it."""
