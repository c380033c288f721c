"""A store that does not answer is no message's fault: nothing is handled, counted or lost."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from bus.envelope import Envelope, encode
from bus.runner import Runner, StoreUnavailable
from tests.bus.system import System, until
from tests.journeys.edge.parts import Proxy

Order = Callable[..., Envelope]


class Seen:
    """Which messages reached their handlers, and how often a batch found the store away."""

    def __init__(self) -> None:
        self.handled: list[object] = []
        self.away = 0


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found = Seen()
    handle, run = Runner._handle, Runner.run

    def handling(self: Runner[Any], each: Any, *rest: Any) -> Any:  # noqa: ANN401  # As it is.
        found.handled.append(each.envelope.id)
        return handle(self, each, *rest)

    def running(self: Runner[Any], batch: Any) -> Any:  # noqa: ANN401  # As it is.
        try:
            return run(self, batch)
        except StoreUnavailable:
            found.away += 1
            raise

    monkeypatch.setattr(Runner, "_handle", handling)
    monkeypatch.setattr(Runner, "run", running)
    return found


def test_a_store_that_falls_silent_and_away(
    system: System, store: str, order: Order, seen: Seen
) -> None:
    """The message waits, delivered once; no delay is used up."""
    known, asked = order(), order()
    at = urlsplit(system.addresses[store])
    line = Proxy(str(at.hostname), at.port or 0)
    with system.node(store, through=line.port) as node:
        system.send(f"{store}.commands", encode(known))
        assert system.said()["causationid"] == str(known.id)
        until(lambda: system.unpublished(store) == 0)  # Or it is said again afterwards.
        line.frozen = True
        system.send(f"{store}.commands", encode(asked))
        until(lambda: len(node.batches) == 2)
        line.break_connections()
        until(lambda: seen.away >= 2, within_sec=60)
        assert seen.handled == [known.id]
        line.frozen = line.cut = False
        assert system.said()["causationid"] == str(asked.id)
        assert node.batches == [1, 1]
        until(lambda: system.unpublished(store) == 0)
    assert seen.handled == [known.id, asked.id]
    assert system.effects(store, asked.data.subject) == [str(asked.id)]


def test_a_connection_that_is_lost_at_the_inbox(system: System, order: Order, seen: Seen) -> None:
    """As shipped, a hook that raises does not stop what it guards: an inbox would fail open."""
    asked = order()
    with psycopg.connect(system.addresses["postgres"]) as rival, system.node("postgres") as node:
        rival.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        system.send("postgres.commands", encode(asked))
        first = until(lambda: _waits_for_the_inbox(system))
        system.postgres.execute("SELECT pg_terminate_backend(%s)", [first])
        until(lambda: _waits_for_the_inbox(system) not in {None, first})
        assert seen.away == 1
        assert seen.handled == []
        rival.rollback()
        assert system.said()["causationid"] == str(asked.id)
        assert node.batches == [1]
    assert seen.handled == [asked.id]


def _waits_for_the_inbox(system: System) -> int | None:
    row = system.postgres.execute(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'foyer postgres'"
        " AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO inbox%'"
    ).fetchone()
    return row["pid"] if row else None
