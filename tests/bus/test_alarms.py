"""An alarm blocks who publishes and lets others consume: nothing is acknowledged unsettled."""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from bus.broker import BatchConsumer
from bus.envelope import EVENTS, Envelope, Outgoing, encode
from bus.publisher import Publisher
from bus.topology import retry_exchange
from ops.local.stack import Stack
from tests.bus.alarm import ALARMS, alarm
from tests.bus.probe import FAULT
from tests.bus.system import DELAYS, System, until

Order = Callable[..., Envelope]
_COMMANDS, _DEAD = "postgres.commands", "postgres.dead"
_ROUNDS = 2


@pytest.fixture
def acked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is acknowledged."""
    found: list[bytes] = []
    ack = BatchConsumer.ack

    def noted(self: BatchConsumer, batch: Any) -> None:  # noqa: ANN401  # Dramatiq's.
        found.extend(each.body for each in batch.args[0])
        ack(self, batch)

    monkeypatch.setattr(BatchConsumer, "ack", noted)
    return found


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Each try to put something off or to give it up."""
    found: list[int] = []
    publish = Publisher.publish

    def noted(self: Publisher, messages: Sequence[Outgoing]) -> Any:  # noqa: ANN401  # Futures.
        if any(each.exchange != EVENTS for each in messages):
            found.append(len(messages))
        return publish(self, messages)

    monkeypatch.setattr(Publisher, "publish", noted)
    return found


def _threads() -> set[str]:
    return {each.name for each in threading.enumerate()}


@pytest.mark.parametrize("which", ALARMS)
def test_a_retry_and_a_dead_letter_wait_for_the_alarm_to_end(  # noqa: PLR0913, PLR0917  # Fixtures.
    system: System, stack: Stack, order: Order, acked: list[bytes], tried: list[int], which: str
) -> None:
    """As shipped, a retry that cannot be published is swallowed, and its message acknowledged."""
    guilty, innocent, broken = order(FAULT), order(), encode(order())[:-9]
    for body in (encode(innocent), encode(guilty), broken):  # In batches cut anywhere.
        system.send(_COMMANDS, body)
    with ExitStack() as still_running:
        with alarm(system, stack, which):
            node = still_running.enter_context(system.node("postgres"))
            until(lambda: tried)
            until(lambda: len(node.consumers) == 2)  # Commands and events.
            threads, consumers = _threads(), node.consumers
            until(lambda: len(tried) >= _ROUNDS, within_sec=60)
            assert system.effects("postgres", innocent.data.subject) == [str(innocent.id)]
            assert not {encode(guilty), broken} & set(acked)
            assert _threads() == threads
        letters: set[bytes] = set()
        while letters != {encode(guilty), broken}:
            letters.add(system.wait_for(_DEAD)[1])
        until(lambda: system.unpublished("postgres") == 0)
        # What was on its way when the alarm came has perhaps been put off twice.
        until(lambda: not any(system.ready(retry_exchange(each)) for each in DELAYS))
        until(lambda: not any(each._in_work for each in node.consumers.values()))
        assert _threads() == threads
        assert node.consumers == consumers
    assert {encode(innocent), encode(guilty), broken} == set(acked)
    assert system.ready(_COMMANDS) == 0
    heard = [system.said().get("causationid") for _ in range(system.ready("ear.events"))]
    assert set(heard) == {str(innocent.id), None}  # None: the two are dead.
    assert system.effects("postgres", innocent.data.subject) == [str(innocent.id)]
