"""A consumer that the broker has forgotten notices by itself."""

from collections.abc import Callable

import pytest

from bus import broker
from bus.envelope import Envelope, encode
from tests.bus.system import VHOST, System, until

Order = Callable[..., Envelope]
_COMMANDS = "postgres.commands"


def test_a_queue_that_is_deleted_and_made_again_at_once(
    system: System, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RabbitMQ 3.10 then tells nobody: as shipped, the consumer waits for ever."""
    assert broker._SILENCE_SEC <= 10
    monkeypatch.setattr(broker, "_SILENCE_SEC", 2.0)
    before, waiting = order(), order()
    with system.node("postgres") as node:
        system.send(_COMMANDS, encode(before))
        assert system.said()["causationid"] == str(before.id)
        until(lambda: not node.consumers[_COMMANDS]._in_work)
        arguments = system.api.call("GET", "queues", VHOST, _COMMANDS)["arguments"]
        system.channel.queue_delete(_COMMANDS)
        system.channel.queue_declare(_COMMANDS, durable=True, arguments=arguments)
        system.rebuild()
        system.send(_COMMANDS, encode(waiting))
        assert system.said()["causationid"] == str(waiting.id)


def test_subscribing_anew_loses_nothing(
    system: System, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when it is done all the time, with messages on their way."""
    monkeypatch.setattr(broker, "_SILENCE_SEC", 0.0)
    asked = [order() for _ in range(60)]
    with system.node("postgres") as node:
        first = until(lambda: node.consumers.get(_COMMANDS))
        for each in asked:
            system.send(_COMMANDS, encode(each))
            until(lambda m=each: system.effects("postgres", m.data.subject))  # type: ignore[misc]
        heard = [system.said()["causationid"] for _ in asked]
        assert node.consumers[_COMMANDS] is first
    assert heard == [str(each.id) for each in asked]
