"""A message that kills whoever handles it takes nobody with it, and ends among the dead."""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import pytest

from bus.envelope import Envelope, encode, envelope_of
from bus.topology import DELIVERY_LIMIT
from ops import dead, letters
from ops.local.stack import Stack
from ops.stores import Stores, settings
from schemas.auth import UserRegistered
from schemas.bus import MessageDead
from tests.bus.probe import KILLS
from tests.bus.system import VHOST, System, until

Order = Callable[..., Envelope]
_COMMANDS, _DEAD = "redis.commands", "redis.dead"


@pytest.mark.parametrize(("beside", "elsewhere"), [(30, 0), (0, 300)])
def test_a_message_that_kills_its_process_ends_among_the_dead_and_its_neighbours_live(  # noqa: PLR0913  # Fixtures.
    system: System,
    order: Order,
    stack: Stack,
    capsys: pytest.CaptureFixture[str],
    *,
    beside: int,
    elsewhere: int,
) -> None:
    """All that was delivered with it is counted against; only it may be given up, and that is said.

    Neighbours are those in its queue, and those in the process's other queue, of which there
    are more than a consumer holds.
    """
    deadly, innocent = order(KILLS), [order() for _ in range(beside)]
    for each in (deadly, *innocent):
        system.send(_COMMANDS, encode(each))
    events = [envelope_of(_registered(), source="/edge") for _ in range(elsewhere)]
    for each in events:
        system.send("redis.events", encode(each))
    with system.spawn("redis", "again") as supervisor:
        try:
            until(lambda: system.ready(_DEAD), within_sec=60)
            for each in (*innocent, *events):
                found = until(lambda m=each: system.effects("redis", m.data.subject))  # type: ignore[misc]
                assert found == [str(each.id)]
            heard: set[str] = set()
            announced: list[dict[str, object]] = []
            while heard != {str(each.id) for each in innocent} or not announced:
                said = system.said()
                if said["type"] == MessageDead.TYPE:
                    announced.append(said)
                else:  # One may be published twice.
                    heard.add(said["causationid"])
            # The last one lives: it has tied itself to its parent, and ends with it.
            until(lambda: system.consumers(_COMMANDS) == 1)
        finally:
            supervisor.terminate()
        assert supervisor.stderr
        lives = len([each for each in supervisor.stderr if each.strip().isdigit()])
    assert lives - DELIVERY_LIMIT in {0, 1}  # An equal was there at the last but one.
    (row,) = listed(system, stack, capsys)
    assert (row["count"], row["queue"], row["code"]) == (1, _COMMANDS, "deadly")
    assert row["example"] == str(deadly.id)
    headers, body = system.wait_for(_DEAD)
    assert body == encode(deadly)
    assert headers["x-foyer-queue"] == _COMMANDS
    assert headers["x-foyer-error-type"] == "Deadly"
    (told,) = announced
    assert told["operationid"] == str(deadly.operation_id)
    assert told["data"] == {
        "message_id": str(deadly.id),
        "message_type": deadly.type,
        "queue": _COMMANDS,
        "code": "deadly",
        "detail": headers["x-foyer-error"],
    }


def _given_back(system: System, messages: list[Envelope], times: int) -> None:
    for each in messages:
        system.send(_COMMANDS, encode(each))
    for _ in range(times):
        until(lambda: system.ready(_COMMANDS) == len(messages))
        for _ in messages:
            system.channel.basic_get(_COMMANDS)
        system.channel.basic_nack(0, multiple=True, requeue=True)
    until(lambda: system.ready(_COMMANDS) == len(messages))


def test_what_was_given_back_as_often_as_its_neighbour_is_tried(
    system: System, order: Order
) -> None:
    """Nothing tells which of them it was; whoever is left when the process lives is not guilty."""
    equals = [order() for _ in range(5)]
    _given_back(system, equals, DELIVERY_LIMIT - 1)
    with system.node("redis") as node:
        for each in equals:
            found = until(lambda m=each: system.effects("redis", m.data.subject))  # type: ignore[misc]
            assert found == [str(each.id)]
        assert node.batches == [1] * len(equals)
    assert system.ready(_DEAD) == 0


def test_what_was_given_back_more_often_than_all_else_is_given_up_unhandled(
    system: System, order: Order
) -> None:
    guilty, fresh = order(), order()
    _given_back(system, [guilty], DELIVERY_LIMIT - 1)
    system.send(_COMMANDS, encode(fresh))
    with system.node("redis"):
        headers, body = system.wait_for(_DEAD)
        assert until(lambda: system.effects("redis", fresh.data.subject)) == [str(fresh.id)]
    assert (headers["x-foyer-code"], body) == ("deadly", encode(guilty))
    assert system.effects("redis", guilty.data.subject) == []


class _Never(datetime):
    """A time that AMQP has and no calendar of ours: pika takes its tuple as it is."""

    def utctimetuple(self) -> Any:  # noqa: ANN401  # Its hours are beyond what a real one may have.
        return (9999, 12, 31, 10**15, 0, 0)


def test_a_time_that_no_clock_has_ends_no_connection(system: System, order: Order) -> None:
    """Each end would count against all that came by the same connection."""
    asked, innocent = order(), order()
    system.send(_COMMANDS, encode(asked), {"at": _Never.now(UTC), "in": {"a": [_Never.now(UTC)]}})
    system.send(_COMMANDS, encode(innocent))
    with system.node("redis") as node:
        for each in (asked, innocent):
            found = until(lambda m=each: system.effects("redis", m.data.subject))  # type: ignore[misc]
            assert found == [str(each.id)]
        until(lambda: node.consumers[_COMMANDS]._in_work is None)
    assert system.ready(_DEAD) == system.ready(_COMMANDS) == 0


def _registered() -> UserRegistered:
    return UserRegistered(user_id=uuid4(), email="neighbour@example.org")


def listed(
    system: System, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> list[dict[str, object]]:
    """Return what `python -m ops dead list` says, of the tests' own virtual host."""
    known = settings(stack.layout) | {"FOYER_ADMIN_AMQP_URL": system.amqp("admin")}
    with pytest.MonkeyPatch.context() as patch, Stores(known) as stores:
        patch.setattr(letters, "VHOST", VHOST)
        dead._list(stores, argparse.Namespace(json=True))
    found: list[dict[str, object]] = orjson.loads(capsys.readouterr().out)
    return found
