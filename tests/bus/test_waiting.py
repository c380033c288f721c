"""Delays: each has a queue of its own, and nobody waits behind somebody who waits longer."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait

import pytest

from bus.envelope import Envelope, Outgoing, encode
from bus.ids import new_id
from bus.publisher import Publisher
from bus.topology import retry_exchange
from tests.bus.probe import NOT_YET
from tests.bus.system import BINDINGS, VHOST, System, until

Order = Callable[..., Envelope]
_COMMANDS = "postgres.commands"
_SHORT_SEC, _LONG_SEC, _MANY = 1.0, 120.0, 8000


@pytest.fixture
def ladder(system: System) -> Iterator[System]:
    """The tests' own ladder, and another beside it."""
    system.migrate(BINDINGS, [_SHORT_SEC, _LONG_SEC])
    yield system
    for delay in (_SHORT_SEC, _LONG_SEC):
        for kind in ("queues", "exchanges"):
            system.api.call("DELETE", kind, VHOST, retry_exchange(delay))


def test_a_short_delay_is_on_time_however_many_wait_long(ladder: System, order: Order) -> None:
    """As shipped, delayed messages are held by the worker; past its prefetch, all are late."""
    _fill(ladder)
    asked = order(NOT_YET)
    with ladder.node("postgres", delays=[_SHORT_SEC, _LONG_SEC]) as node:
        began = time.monotonic()
        ladder.send(_COMMANDS, encode(asked))
        until(lambda: len(node.batches) >= 2, within_sec=10)
        took = time.monotonic() - began
        print({"one_second_took_sec": round(took, 2)})  # noqa: T201  # A figure to report.
        assert took >= _SHORT_SEC
        assert node.batches[:2] == [1, 1]
    assert ladder.ready(retry_exchange(_LONG_SEC)) == _MANY


def _fill(system: System) -> None:
    publisher = Publisher(system.amqp("postgres"), name="many", timeout_sec=60)
    publisher.start()
    until(lambda: publisher.connected)
    exchange = retry_exchange(_LONG_SEC)
    futures = publisher.publish(
        [
            Outgoing(id=new_id(), type="x", exchange=exchange, routing_key=_COMMANDS, body=b"{}")
            for _ in range(_MANY)
        ]
    )
    assert all(each.exception() is None for each in wait(futures, timeout=60).done)
    publisher.stop()
    assert system.ready(exchange) == _MANY
