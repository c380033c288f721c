"""The rules are pure: a noun's file opens nothing, reads no clock and no environment."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.local.layout import ROOT

_DOORS = {
    "__init__.py",
    "__main__.py",
    "handlers.py",
    "store.py",
    "outcomes.py",  # Payment: from a noun's answer to rows and messages,
    "refunding.py",  # the same for refunds,
    "answers.py",  # from what Stripe says to outcomes,
    "trail.py",  # what is kept and said,
    "calls.py",  # and its SQL about calls.
    "heard.py",  # View: from events to statements,
    "map_store.py",  # those about seats,
    "people_store.py",  # and those about forgetting people.
    "gateway.py",
    "gateway_worker.py",
    "long_worker.py",
    "timers.py",
    "clock.py",
    "seals.py",
    "password.py",
    "starting.py",
    "key.py",  # Auth: makes keys and signs.
    "stock_handlers.py",  # Order: what it hears, by what it is about.
    "money_handlers.py",
    "refund_handlers.py",
    "ending_handlers.py",
    "service.py",  # Venue: its two stores,
    "venue_handlers.py",  # what it hears, by what it is about,
    "plan_handlers.py",
    "seat_handlers.py",
    "order_handlers.py",
    "republishing.py",
    "plan_store.py",  # its statements,
    "layout_store.py",
    "seat_store.py",
    "holds.py",
    "halls.py",  # what its threads keep together,
    "floor.py",  # and what a transaction sees of all that.
}
"""What a worker has beside its nouns; every other file is held to be one."""

_OUTSIDE = {
    *("asyncio", "bus", "concurrent", "dramatiq", "falcon", "httpx", "io", "logging", "os"),
    *("pathlib", "pika", "psycopg", "pymongo", "random", "redis", "requests", "secrets", "socket"),
    *("stripe", "structlog", "subprocess", "sys", "threading", "time", "urllib"),
}
_CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "uuid1", "uuid4", "getenv", "open"}

_NOUNS = [p for p in sorted((ROOT / "workers").rglob("*.py")) if p.name not in _DOORS]


def breaches(source: str) -> Iterator[str]:
    """Go through what a pure file may not do."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in _OUTSIDE)
        elif isinstance(node, ast.ImportFrom):
            if str(node.module).split(".")[0] in _OUTSIDE and node.module != "bus.service":
                yield str(node.module)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.split(".")[-1] in _CLOCKS:
                yield f"{called}()"


def test_there_are_nouns() -> None:
    assert {"order.py", "payment.py", "ticket.py", "user.py"} <= {path.name for path in _NOUNS}


@pytest.mark.parametrize("path", _NOUNS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_noun_is_pure(path: Path) -> None:
    assert not list(breaches(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "source",
    [
        "import psycopg",
        "from pymongo import MongoClient",
        "from datetime import datetime; datetime.now()",
        "import os",
        "from bus.stores.postgres import Connection",
        "from uuid import uuid4; uuid4()",
    ],
)
def test_a_breach_is_seen(source: str) -> None:
    assert list(breaches(source))
