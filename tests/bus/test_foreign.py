"""Messages that would steer Dramatiq: to us they are data, or no messages at all."""

import os
from collections.abc import Callable

import dramatiq
import pytest

from bus.envelope import Envelope, encode
from tests.bus.system import System

Order = Callable[..., Envelope]
_OPTIONS = {
    "max_retries": 0,
    "eta": 1,
    "time_limit": 1,
    "on_success": "redis.events",
    "on_failure": "nobody",
    "pipe_target": {"queue_name": "nobody", "actor_name": "nobody"},
}


def _encoded(queue: str, actor: str) -> bytes:
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name=queue, actor_name=actor, args=([],), kwargs={}, options=_OPTIONS
    )
    return message.encode()


@pytest.mark.parametrize("queue", ["redis.commands", "redis.events", "nobody.commands"])
def test_dramatiqs_own_messages_are_malformed(system: System, order: Order, queue: str) -> None:
    """As shipped, whoever may publish can call any actor, or end a thread by a foreign queue."""
    calls = [_encoded(queue, "redis.commands"), _encoded(queue, os.system.__name__)]
    asked = order()
    with system.node("redis") as node:
        for body in (*calls, encode(asked)):
            system.send("redis.commands", body)
        letters = [system.wait_for("redis.dead") for _ in calls]
        heard = [system.said() for _ in range(3)]
        assert all(each.is_alive() for each in node.worker.workers)
    assert [body for _, body in letters] == calls
    assert {headers["x-foyer-code"] for headers, _ in letters} == {"malformed"}
    assert str(asked.id) in {each.get("causationid") for each in heard}
    assert system.effects("redis", asked.data.subject) == [str(asked.id)]


def test_options_in_headers_change_nothing(system: System, order: Order) -> None:
    asked, after = order(), order()
    headers = {**_OPTIONS, "queue_name": "nobody.commands", "actor_name": "nobody", "options": {}}
    with system.node("redis") as node:
        for each in (asked, after):
            system.send("redis.commands", encode(each), headers)
        assert [system.said()["causationid"] for _ in range(2)] == [str(asked.id), str(after.id)]
        assert all(each.is_alive() for each in node.worker.workers)
    assert system.ready("redis.dead") == 0
