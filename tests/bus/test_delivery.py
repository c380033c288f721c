"""What becomes of a message that cannot be handled now, or ever: nothing is lost, nobody waits."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from uuid import uuid4

import orjson
import pytest

import bus.runner
from bus.delivery import Desk, Unsettled
from bus.envelope import Envelope, encode, envelope_of, outgoing
from bus.publisher import Publisher
from bus.runner import Incoming, Runner
from bus.topology import retry_exchange
from schemas.order import CancelOrder
from tests.bus.node import Node
from tests.bus.probe import FAULT, NOT_YET, REFUSED
from tests.bus.system import DELAYS, VHOST, System, until

Order = Callable[..., Envelope]
_COMMANDS, _DEAD = "postgres.commands", "postgres.dead"


@pytest.fixture(scope="module")
def running(whole_system: System) -> Iterator[Node]:
    whole_system.purge()
    with whole_system.node("postgres") as node:
        yield node


@pytest.fixture
def node(system: System, running: Node) -> Node:
    """The service on PostgreSQL, running; `batches` tells what this test's messages came in."""
    del system
    running.batches.clear()
    return running


def _changed(asked: Envelope, **changes: object) -> bytes:
    return orjson.dumps(orjson.loads(encode(asked)) | changes)


def test_a_message_is_handled_and_acknowledged(system: System, node: Node, order: Order) -> None:
    asked = order()
    system.send(_COMMANDS, encode(asked))
    said = system.said()
    assert said["type"] == "auth.user.registered"
    assert said["causationid"] == str(asked.id)
    until(lambda: system.unpublished("postgres") == 0)
    assert node.batches == [1]


@pytest.mark.parametrize("store", ["postgres", "mongo", "redis"])
def test_a_fault_climbs_the_ladder_and_dies_with_its_reasons(
    system: System, order: Order, store: str
) -> None:
    guilty, innocent = order(FAULT), [order() for _ in range(5)]
    began = datetime.now(UTC)
    with system.node(store):
        for each in (*innocent[:2], guilty, *innocent[2:]):
            system.send(f"{store}.commands", encode(each))
        headers, body = system.wait_for(f"{store}.dead")
        lasted = datetime.now(UTC) - began
        for each in innocent:
            assert until(lambda m=each: system.effects(store, m.data.subject)) == [str(each.id)]  # type: ignore[misc]
        heard = [system.said() for _ in range(6)]
    assert lasted >= timedelta(seconds=sum(DELAYS))
    assert body == encode(guilty)
    assert headers["x-foyer-code"] == "fault"
    assert headers["x-foyer-queue"] == f"{store}.commands"
    assert headers["x-foyer-error-type"] == "ZeroDivisionError"
    assert headers["x-foyer-error"] == "the handler is broken"
    assert "in place" in headers["x-foyer-stack"]
    assert len(headers["x-foyer-stack-hash"]) == 16
    assert headers["x-foyer-tries"] == len(DELAYS) + 1
    first = datetime.fromisoformat(headers["x-foyer-first-failed-at"])
    died = datetime.fromisoformat(headers["x-foyer-died-at"])
    assert began <= first < died
    assert died - first >= timedelta(seconds=sum(DELAYS))
    assert system.effects(store, guilty.data.subject) == []
    (told,) = [each for each in heard if each["type"] == "bus.message.dead"]
    assert told["operationid"] == str(guilty.operation_id)
    assert told["data"] == {
        "message_id": str(guilty.id),
        "message_type": "orders.order.place",
        "queue": f"{store}.commands",
        "code": "fault",
        "detail": "the handler is broken",
    }


def test_a_refusal_is_answered_and_never_retried(system: System, node: Node, order: Order) -> None:
    asked = order(REFUSED)
    system.send(_COMMANDS, encode(asked))
    said = system.said()
    assert said["type"] == "orders.order.refused"
    assert said["data"]["code"] == "sold_out"
    assert node.batches == [1]


def test_not_yet_comes_again_and_then_is_refused(
    system: System, node: Node, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting uses up none of the delays: it comes again after the first, as often as it takes."""
    monkeypatch.setattr(bus.runner, "_NOT_YET_FOR", timedelta(seconds=3))
    asked = order(NOT_YET)
    began = datetime.now(UTC)
    system.send(_COMMANDS, encode(asked))
    said = system.said()
    assert datetime.now(UTC) - began >= timedelta(seconds=3)
    assert said["type"] == "orders.order.refused"
    assert said["data"]["code"] == "unknown_ticket"
    assert len(node.batches) > len(DELAYS) + 1
    assert system.ready(_DEAD) == 0


def _damaged(asked: Envelope) -> dict[str, bytes]:
    data = orjson.loads(encode(asked))["data"]
    return {
        "broken": encode(asked)[:-9],
        "empty": b"",
        "binary": bytes(range(256)),
        "list": b"[]",
        "no cloudevent": b'{"hello": "world"}',
        "wrong schema": _changed(asked, data=data | {"quantity": "two"}),
        "no id": _changed(asked, id="7"),
        "long": _changed(asked, padding="x" * 1_000_000),
        "deep": b"[" * 100_000,
    }


def test_what_is_malformed_dies_at_once_and_stops_nothing(
    system: System, node: Node, order: Order
) -> None:
    asked = order()
    damaged = _damaged(order())
    for body in damaged.values():
        system.send(_COMMANDS, body)
    system.send(_COMMANDS, encode(asked))
    letters = [system.wait_for(_DEAD) for _ in damaged]
    assert sorted(body for _, body in letters) == sorted(damaged.values())
    for headers, _ in letters:
        assert headers["x-foyer-code"] == "malformed"
        assert headers["x-foyer-tries"] == 1
        assert headers["x-foyer-error"]
    heard = [system.said() for _ in range(len(damaged) + 1)]
    assert [e["causationid"] for e in heard if e["type"] == "auth.user.registered"] == [
        str(asked.id)
    ]
    assert sum(each["type"] == "bus.message.dead" for each in heard) == len(damaged)
    assert all(each.is_alive() for each in node.worker.workers)


@pytest.mark.parametrize("known_elsewhere", [True, False])
def test_an_unknown_type_takes_the_round_of_delays_first(
    system: System, node: Node, order: Order, *, known_elsewhere: bool
) -> None:
    asked = order()
    body = (
        encode(envelope_of(CancelOrder(order_id=uuid4()), source="/edge"))
        if known_elsewhere
        else _changed(asked, type="orders.order.painted")
    )
    began = datetime.now(UTC)
    system.send(_COMMANDS, body)
    headers, letter = system.wait_for(_DEAD)
    assert datetime.now(UTC) - began >= timedelta(seconds=sum(DELAYS))
    assert letter == body
    assert headers["x-foyer-code"] == "unknown_type"
    assert headers["x-foyer-tries"] == len(DELAYS) + 1
    assert node.batches == [1] * (len(DELAYS) + 1)


def test_foreign_options_in_a_body_change_nothing(system: System, node: Node, order: Order) -> None:
    """As shipped, Dramatiq takes the queue, the actor and its options from the body."""
    asked = order()
    foreign = {
        "queue_name": "nobody.commands",
        "actor_name": "nobody",
        "args": [1],
        "kwargs": {"x": 1},
        "options": {"max_retries": 0, "eta": 1, "pipe_target": {}, "on_success": "nobody"},
        "message_id": "x",
    }
    system.send(_COMMANDS, _changed(asked, **foreign), headers={"x-foyer-attempt": 1, "eta": 1})
    assert system.said()["causationid"] == str(asked.id)
    other = order()
    system.send(_COMMANDS, encode(other))
    assert system.said()["causationid"] == str(other.id)
    assert all(each.is_alive() for each in node.worker.workers)
    assert system.ready(_DEAD) == 0


@pytest.mark.parametrize(
    "headers",
    [
        *({"x-foyer-attempt": each} for each in ("many", -5, 10**9, None, [1])),
        *({"x-foyer-since": each} for each in ("yesterday", 7, None, "2020-01-01T00:00:00")),
        {"x-foyer-since": "0001-01-01T00:00:00+23:59"},
        {"x-foyer-since": "9999-12-31T23:59:59-23:59"},
        *({"x-delivery-count": each} for each in ("often", -5, 10**9, True)),
    ],
)
def test_foreign_headers_stop_nothing(
    system: System,
    node: Node,
    order: Order,
    headers: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who writes to the exchanges may write what they like into our headers."""
    monkeypatch.setattr(bus.runner, "_NOT_YET_FOR", timedelta(seconds=1))
    guilty, early = order(FAULT), order(NOT_YET)
    system.send(_COMMANDS, encode(guilty), headers)
    assert system.wait_for(_DEAD)[0]["x-foyer-code"] == "fault"
    assert system.said()["type"] == "bus.message.dead"
    system.send(_COMMANDS, encode(early), headers)
    assert system.said()["type"] == "orders.order.refused"
    assert all(each.is_alive() for each in node.worker.workers)


@pytest.mark.parametrize("value", [1.5, 1e300, 2**62, -1e300, "2", True, {"a": [1e300]}])
def test_no_value_of_a_header_stops_the_queue(
    system: System, node: Node, order: Order, value: object
) -> None:
    """Not all that AMQP's tables can hold is read as something that can be written again."""
    guilty, after = order(FAULT), order()
    for sent in ({"x-foyer-attempt": value}, {"x-foyer-tries": value, "x-foyer-a": value}):
        system.send_by_console(_COMMANDS, encode(guilty), sent)
        headers, body = system.wait_for(_DEAD)
        assert body == encode(guilty)
        assert headers["x-foyer-code"] == "fault"
        assert set(headers) >= {"x-foyer-queue", "x-foyer-tries"}
        assert "x-foyer-a" not in headers
    system.send(_COMMANDS, encode(after))
    until(lambda: system.effects("postgres", after.data.subject))
    until(lambda: system.unpublished("postgres") == 0)
    assert node.publisher.connected


@pytest.mark.parametrize("field", ["type", "id"])
def test_a_long_name_in_any_script_stops_nothing(
    system: System, node: Node, order: Order, field: str
) -> None:
    """What AMQP calls a short string has room for 255 bytes, however few characters they are."""
    body, after = _changed(order(), **{field: "漢" * 100}), order()
    system.send(_COMMANDS, body)
    system.send(_COMMANDS, encode(after))
    headers, letter = system.wait_for(_DEAD)
    assert letter == body
    assert headers["x-foyer-code"] == {"type": "unknown_type", "id": "malformed"}[field]
    heard = [system.said() for _ in range(2)]
    assert {each["type"] for each in heard} == {"bus.message.dead", "auth.user.registered"}
    until(lambda: system.unpublished("postgres") == 0)
    assert node.publisher.connected


def test_a_fault_that_cannot_be_told_in_utf_8_is_told_all_the_same(
    system: System, order: Order
) -> None:
    service, asked = system.service("redis"), order()

    def fail(*_: object) -> NoReturn:
        msg = "not a character: \ud800"
        raise ValueError(msg)

    kept = service.handlers[asked.type]
    service.handlers[asked.type] = replace(kept, function=fail)
    with system.running(service):
        system.send("redis.commands", encode(asked))
        headers, body = system.wait_for("redis.dead")
        told = system.said()
    assert body == encode(asked)
    assert headers["x-foyer-error"] == told["data"]["detail"] == "not a character: ?"


def test_what_cannot_be_written_is_given_up_without_its_properties(
    system: System, node: Node, order: Order
) -> None:
    """To try again what can never be written would stop the queue for good."""
    asked, stopping = order(), threading.Event()
    desk = Desk("postgres", _COMMANDS, node.runner, node.publisher, DELAYS, stopping)
    move = replace(
        outgoing(asked), exchange=retry_exchange(DELAYS[0]), headers={"x-foyer-attempt": 1.5}
    )
    desk._publish([move])
    headers, body = system.wait_for(_DEAD)
    assert body == encode(asked)
    assert headers["x-foyer-code"] == "unsendable"
    assert headers["x-foyer-queue"] == _COMMANDS


def test_what_cannot_be_put_off_is_not_acknowledged(system: System, order: Order) -> None:
    """As shipped, a retry that cannot be published is swallowed, and the message acknowledged."""
    service = system.service("postgres")
    offline = Publisher("amqp://nobody:nothing@127.0.0.1:1/nowhere", name="off", timeout_sec=0.2)
    offline.start()
    runner: Runner[Any] = Runner(service, lambda _: None)
    stopping = threading.Event()
    stopping.set()
    desk = Desk("postgres", _COMMANDS, runner, offline, DELAYS, stopping)
    for each in (order(FAULT), order(NOT_YET)):
        with pytest.raises(Unsettled):
            desk.handle([Incoming(encode(each))])
    with pytest.raises(Unsettled):
        desk.handle([Incoming(b"{")])
    offline.stop()
    service.store.close()


def test_the_ladder_may_be_away_for_a_while(system: System, node: Node, order: Order) -> None:
    """The message waits where it is, and is delivered only once meanwhile."""
    asked = order(FAULT)
    system.api.call("DELETE", "exchanges", VHOST, retry_exchange(DELAYS[0]))
    system.send(_COMMANDS, encode(asked))
    until(lambda: node.batches)
    until(lambda: not node.publisher.connected)
    system.rebuild()
    headers, body = system.wait_for(_DEAD)
    assert node.batches == [1] * (len(DELAYS) + 1)
    assert body == encode(asked)
    assert headers["x-foyer-code"] == "fault"


def test_what_was_not_settled_is_delivered_again(
    system: System, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As shipped, Dramatiq acknowledges what raised when nothing retries it."""
    asked = order()
    with monkeypatch.context() as patch:
        calls: list[int] = []

        def fail(_: Desk, deliveries: list[Incoming]) -> None:
            calls.append(len(deliveries))
            raise Unsettled

        patch.setattr(Desk, "handle", fail)
        with system.node("redis"):
            system.send("redis.commands", encode(asked))
            until(lambda: len(calls) > 1)
    with system.node("redis"):
        assert system.said()["causationid"] == str(asked.id)
