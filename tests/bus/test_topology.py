"""The broker is as the handlers ask, and each user may do only what its service needs."""

import time
from collections.abc import Callable, Iterator

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from bus.topology import retry_exchange
from tests.bus.system import BINDINGS, DELAYS, VHOST, System


def bound(system: System, queue: str) -> set[tuple[str, str]]:
    found = system.api.call("GET", "queues", VHOST, queue, "bindings")
    return {(each["source"], each["routing_key"]) for each in found if each["source"]}


@pytest.fixture
def mongo(system: System) -> Iterator[BlockingChannel]:
    """A channel of the service on MongoDB."""
    connection = pika.BlockingConnection(pika.URLParameters(system.amqp("mongo")))
    channel = connection.channel()
    channel.confirm_delivery()
    yield channel
    if connection.is_open:
        connection.close()


def test_a_queue_is_bound_to_what_is_handled(system: System) -> None:
    assert bound(system, "redis.commands") == {
        ("foyer.commands", "orders.order.place"),
        ("foyer.return", "redis.commands"),
    }
    assert bound(system, "ear.events") == {
        ("foyer.events", "auth.user.registered"),
        ("foyer.events", "bus.message.dead"),
        ("foyer.events", "orders.order.refused"),
        ("foyer.return", "ear.events"),
    }
    assert bound(system, "redis.dead") == {("foyer.dead", "redis")}


def test_a_handler_that_is_removed_is_unbound(system: System) -> None:
    other = BINDINGS | {"ear": ([], ["bus.message.dead", "orders.order.created"])}
    system.migrate(other)
    assert bound(system, "ear.events") == {
        ("foyer.events", "bus.message.dead"),
        ("foyer.events", "orders.order.created"),
        ("foyer.return", "ear.events"),
    }
    system.rebuild()
    assert ("foyer.events", "orders.order.created") not in bound(system, "ear.events")


def test_migrating_again_keeps_what_waits(system: System) -> None:
    for queue in ("redis.commands", "redis.events", "redis.dead"):
        system.send(queue, b"kept")
    system.rebuild()
    for queue in ("redis.commands", "redis.events", "redis.dead"):
        assert system.wait_for(queue)[1] == b"kept"


@pytest.mark.parametrize("changed", [{"x-delivery-limit": -1}, {"x-max-length": 10}])
def test_a_queue_that_has_other_arguments_stops_the_migration(
    system: System, changed: dict[str, int]
) -> None:
    """Each start migrates: nothing runs on a queue that would drop or refuse messages."""
    queue = system.api.call("GET", "queues", VHOST, "ear.commands")
    other = {"durable": True, "arguments": queue["arguments"] | changed}
    system.api.call("DELETE", "queues", VHOST, "ear.commands")
    system.api.call("PUT", "queues", VHOST, "ear.commands", body=other)
    try:
        with pytest.raises(OSError, match=next(iter(changed))):
            system.rebuild()
    finally:
        system.api.call("DELETE", "queues", VHOST, "ear.commands")
        system.rebuild()


def test_every_queue_is_durable_replicated_and_unbounded(system: System) -> None:
    """A full queue would stop every relay that feeds it; a dead letter has no end."""
    queues = {each["name"]: each for each in system.api.call("GET", "queues", VHOST)}
    names = {f"{user}.{kind}" for user in BINDINGS for kind in ("commands", "events", "dead")}
    waiting = {retry_exchange(delay) for delay in DELAYS}
    assert queues.keys() == names | waiting
    for name, queue in queues.items():
        arguments = queue["arguments"]
        assert queue["durable"]
        assert arguments["x-queue-type"] == "quorum"
        assert not {"x-max-length", "x-max-length-bytes", "x-expires"} & arguments.keys()
        assert ("x-message-ttl" in arguments) == (name in waiting)
        if name not in waiting and not name.endswith(".dead"):
            assert arguments["x-delivery-limit"] > 0
            assert arguments["x-dead-letter-strategy"] == "at-least-once"


def test_a_message_that_has_waited_returns_to_its_own_queue(system: System) -> None:
    began = time.monotonic()
    system.channel.basic_publish(retry_exchange(DELAYS[0]), "redis.events", b"late", mandatory=True)
    assert system.wait_for("redis.events")[1] == b"late"
    assert time.monotonic() - began >= DELAYS[0]


@pytest.mark.parametrize("queue", ["mongo.commands", "mongo.events"])
def test_a_service_reads_its_own_queues(system: System, mongo: BlockingChannel, queue: str) -> None:
    system.send(queue, b"mine")
    assert mongo.basic_get(queue, auto_ack=True)[2] == b"mine"


_FORBIDDEN: dict[str, Callable[[BlockingChannel], object]] = {
    "read another's commands": lambda c: c.basic_get("redis.commands"),
    "read another's events": lambda c: c.basic_get("ear.events"),
    "read its dead letters": lambda c: c.basic_get("mongo.dead"),
    "read what waits": lambda c: c.basic_get(retry_exchange(DELAYS[0])),
    "consume another's": lambda c: c.basic_consume("redis.events", lambda *_: None),
    "purge another's": lambda c: c.queue_purge("redis.commands"),
    "declare a queue": lambda c: c.queue_declare("mongo.mine"),
    "declare a nameless queue": lambda c: c.queue_declare("", exclusive=True),
    "declare an exchange": lambda c: c.exchange_declare("mongo"),
    "delete its queue": lambda c: c.queue_delete("mongo.commands"),
    "delete an exchange": lambda c: c.exchange_delete("foyer.events"),
    "bind more to its queue": lambda c: c.queue_bind("mongo.events", "foyer.events", "#"),
    "unbind its queue": lambda c: c.queue_unbind("mongo.events", "foyer.return", "mongo.events"),
    "write to a queue directly": lambda c: c.basic_publish("", "redis.commands", b"x"),
    "write to the return": lambda c: c.basic_publish("foyer.return", "redis.commands", b"x"),
    "write elsewhere": lambda c: c.basic_publish("amq.topic", "x", b"x"),
}


@pytest.mark.parametrize("attempt", _FORBIDDEN.values(), ids=_FORBIDDEN)
def test_a_service_may_not(
    mongo: BlockingChannel, attempt: Callable[[BlockingChannel], object]
) -> None:
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
        attempt(mongo)
    assert refused.value.reply_code == 403


@pytest.mark.parametrize("exchange", ["foyer.commands", "foyer.events", "foyer.dead"])
def test_a_service_writes_to_the_exchanges(mongo: BlockingChannel, exchange: str) -> None:
    """Nobody is bound to this key: it is returned, not refused."""
    with pytest.raises(pika.exceptions.UnroutableError):
        mongo.basic_publish(exchange, "nobody.asks.this", b"{}", mandatory=True)


def test_a_service_enters_no_other_virtual_host(system: System) -> None:
    address = system.amqp("mongo").replace(f"/{VHOST}", "/foyer")
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError):
        pika.BlockingConnection(pika.URLParameters(address))
