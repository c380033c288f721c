"""Dramatiq's hazards, each by its name, on a real broker."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bus import topology
from bus.broker import Batch, BusBroker
from bus.delivery import Desk
from bus.envelope import Envelope, encode
from bus.runner import Incoming
from tests.bus.node import Node
from tests.bus.system import VHOST, System, until

Order = Callable[..., Envelope]
_COMMANDS = "postgres.commands"


class Gate:
    """Holds a node's handling up, so that a test can pull the connection away meanwhile."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.inside = threading.Event()

    def around(self, handle: Callable[..., None]) -> Callable[..., None]:
        def wait(desk: Desk, deliveries: list[Incoming]) -> None:
            self.inside.set()
            assert self.open.wait(20)
            handle(desk, deliveries)

        return wait


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    made = Gate()
    monkeypatch.setattr(Desk, "handle", made.around(Desk.handle))
    return made


@pytest.fixture
def node(system: System, gate: Gate) -> Iterator[Node]:
    del gate
    with system.node("postgres") as running:
        yield running


def consumer_of(node: Node) -> Any:  # noqa: ANN401  # Ours or none yet.
    return until(lambda: node.consumers.get(_COMMANDS))


def reconnected(node: Node, old: Any) -> Any:  # noqa: ANN401  # As above.
    """Close a consumer's connection; return the next one, once it holds a batch."""
    old.connection.add_callback_threadsafe(old.connection.close)
    until(lambda: node.consumers.get(_COMMANDS) not in {old, None})
    new = consumer_of(node)
    until(lambda: new._in_work)
    return new


def test_a_stale_ack_acknowledges_nothing_of_the_new_connection(
    system: System, node: Node, gate: Gate, order: Order
) -> None:
    """As shipped, an ack goes by the delivery's number, on whatever connection there is now."""
    asked = order()
    system.send(_COMMANDS, encode(asked))
    assert gate.inside.wait(10)
    old = consumer_of(node)
    stale = old._in_work
    assert isinstance(stale, Batch)
    new = reconnected(node, old)  # It has the message again, under the same number.
    assert new._in_work._tag == stale._tag
    told = threading.Event()
    new.ack(stale)
    new.nack(stale)
    new.connection.add_callback_threadsafe(told.set)
    assert told.wait(10)
    assert new._in_work is not stale
    reconnected(node, new)  # Had it been acknowledged, it would not come a third time.
    gate.open.set()
    assert system.said()["causationid"] == str(asked.id)
    assert system.effects("postgres", asked.data.subject) == [str(asked.id)]


def test_what_an_old_connection_held_is_not_lost(
    system: System, node: Node, gate: Gate, order: Order
) -> None:
    """Neither is what the new one brings meanwhile: all of it is handled, each message once."""
    messages = [order() for _ in range(20)]
    for each in messages[:10]:
        system.send(_COMMANDS, encode(each))
    assert gate.inside.wait(10)
    old = consumer_of(node)
    old.connection.add_callback_threadsafe(old.connection.close)
    for each in messages[10:]:
        system.send(_COMMANDS, encode(each))
    until(lambda: node.consumers.get(_COMMANDS) not in {old, None})
    gate.open.set()
    for each in messages:
        until(lambda m=each: system.effects("postgres", m.data.subject))  # type: ignore[misc]
    heard = [system.said()["causationid"] for _ in messages]
    assert sorted(heard) == sorted(str(each.id) for each in messages)


def test_a_queue_that_is_deleted_and_made_again_is_consumed_again(
    system: System, node: Node, gate: Gate, order: Order
) -> None:
    """The broker cancels the consumer, which tries again until there is a queue."""
    gate.open.set()
    before, asked = order(), order()
    system.send(_COMMANDS, encode(before))
    assert system.said()["causationid"] == str(before.id)
    old = consumer_of(node)
    until(lambda: old._in_work is None)
    system.api.call("DELETE", "queues", VHOST, _COMMANDS)
    # RabbitMQ 3.10 tells nobody when the queue is made again before it has told its consumers.
    until(lambda: node.consumers.get(_COMMANDS) is not old)
    system.rebuild()
    until(lambda: system.ready(_COMMANDS) == 0)
    system.send(_COMMANDS, encode(asked))
    assert system.said()["causationid"] == str(asked.id)
    assert all(each.is_alive() for each in node.worker.workers)
    assert all(each.is_alive() for each in node.worker.consumers.values())


def test_connections_that_are_cut_come_back(
    system: System, node: Node, gate: Gate, order: Order
) -> None:
    gate.open.set()
    consumer_of(node)
    until(lambda: system.cut("postgres node") >= 3, within_sec=60)
    asked = [order() for _ in range(3)]
    for each in asked:
        system.send(_COMMANDS, encode(each))
    heard = {system.said()["causationid"] for _ in asked}
    assert heard == {str(each.id) for each in asked}


def test_batches_grow_with_what_is_waiting(
    system: System, node: Node, gate: Gate, order: Order
) -> None:
    system.send(_COMMANDS, encode(order()))
    assert gate.inside.wait(10)
    waiting = [order() for _ in range(100)]
    for each in waiting:
        system.send(_COMMANDS, encode(each))
    arrived = consumer_of(node).channel.get_waiting_message_count
    until(lambda: arrived() == len(waiting))
    gate.open.set()
    until(lambda: sum(node.batches) == 101)
    assert node.batches[0] == 1
    assert max(node.batches) == 64


def test_a_worker_that_drains_takes_nothing_new(
    system: System, node: Node, gate: Gate, order: Order
) -> None:
    """What it holds is finished and published; the rest goes back to the queue."""
    held, left = order(), order()
    system.send(_COMMANDS, encode(held))
    assert gate.inside.wait(10)
    system.send(_COMMANDS, encode(left))
    node.broker.draining = True
    ending = threading.Thread(target=node.stop)
    ending.start()
    gate.open.set()
    ending.join(timeout=15)
    assert system.said()["causationid"] == str(held.id)
    assert until(lambda: system.ready(_COMMANDS)) == 1
    assert not system.handled("postgres", left.id)


def test_nothing_is_enqueued_through_dramatiq() -> None:
    broker = BusBroker("amqp://a:b@127.0.0.1:1/none", name="x", batch=1)
    broker.add_queue("postgres", "commands", lambda _: None)
    actor = broker.get_actor(_COMMANDS)
    with pytest.raises(TypeError, match="emit"):
        actor.send([])
    assert broker.get_declared_delay_queues() == set()
    assert topology.DEAD not in broker.get_declared_queues()
