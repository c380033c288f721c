"""Dead letters on the real broker: seen, explained, sent back and dropped, never lost."""

import argparse
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from bus.topology import DEAD, VHOST
from ops import dead, letters
from ops.letters import Letter
from ops.local.stack import Stack
from ops.stores import Stores, settings
from tests.bus.system import until

SERVICE = "auth"  # Nobody consumes here: the servers run without processes.
QUEUE = f"{SERVICE}.commands"


@pytest.fixture
def servers(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    """The servers' stores, and a broker without letters of ours."""
    monkeypatch.setenv("FOYER_PORT_BASE", str(stack.layout.base))
    with Stores(settings(stack.layout)) as stores:
        channel = stores.channel()
        for queue in (QUEUE, letters.queue_of(SERVICE)):
            channel.queue_purge(queue)
        yield stores
        for queue in (QUEUE, letters.queue_of(SERVICE)):
            channel.queue_purge(queue)


def die(stores: Stores, code: str = "fault", **headers: Any) -> str:  # noqa: ANN401  # As AMQP has them.
    """Have a message die as the bus does it; return its id."""
    message_id = str(uuid.uuid4())
    body = {"id": message_id, "type": "users.user.register", "data": {}}
    told = {
        "x-foyer-queue": QUEUE,
        "x-foyer-code": code,
        "x-foyer-error-type": "ZeroDivisionError",
        "x-foyer-error": "division by zero",
        "x-foyer-attempt": 4,
        "x-foyer-died-at": "2026-11-22T10:00:00+00:00",
    }
    properties = pika.BasicProperties(
        message_id=message_id, type="users.user.register", delivery_mode=2, headers=told | headers
    )
    channel = stores.channel()
    channel.confirm_delivery()
    channel.basic_publish(DEAD, SERVICE, orjson.dumps(body), properties, mandatory=True)
    return message_id


def lying(stores: Stores) -> list[str]:
    """The ids of our letters, oldest first."""
    with letters.opened(stores, SERVICE) as tray:
        return [each.message_id for each in tray.letters]


def given_back(stores: Stores) -> list[str]:
    """The same, as soon as the broker has noticed that whoever held them is gone."""
    return until(lambda: lying(stores))


def came_back(stores: Stores) -> list[tuple[str, dict[str, Any]]]:
    """Take what lies in the queue that they died in."""
    channel: BlockingChannel = stores.channel()
    found = []
    while (got := channel.basic_get(QUEUE, auto_ack=True))[0]:
        headers = dict(got[1].headers or {})
        headers.pop("x-delivery-count", None)  # The queue's own, of this delivery.
        found.append((str(got[1].message_id), headers))
    return found


def audited(action: str, stack: Stack) -> list[str]:
    """Whose letters the audit log says this of."""
    lines = Path(stack.layout.log / "audit.log").read_text().splitlines()
    told = [orjson.loads(line) for line in lines]
    assert all(each["at"] and each["who"] for each in told)
    return [each["message_id"] for each in told if each["action"] == action]


def run(**given: object) -> int:
    """Run `python -m ops dead`."""
    return dead.run(argparse.Namespace(**given))


def test_looking_loses_no_letter_and_no_order(servers: Stores) -> None:
    died = [die(servers) for _ in range(5)]
    for _ in range(30):  # More often than RabbitMQ 4 gives a message back unless told otherwise.
        assert lying(servers) == died


def test_letters_of_one_death_are_one_group(servers: Stores) -> None:
    faults = {die(servers) for _ in range(3)}
    die(servers, code="malformed")
    with letters.opened(servers, SERVICE) as tray:
        first, second = dead.groups(tray.letters)
    assert {each.message_id for each in first.letters} == faults
    assert first.id != second.id
    assert second.letters[0].code == "malformed"


def test_two_causes_of_one_kind_of_error_are_two_groups(
    servers: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kind alone does not tell them apart, and what it said may name the message: the stack."""
    there = {die(servers, **{"x-foyer-stack-hash": "a" * 16}) for _ in range(2)}
    said = {"x-foyer-error": "another division\nby zero"}
    here = die(servers, **{"x-foyer-stack-hash": "b" * 16}, **said)
    with letters.opened(servers, SERVICE) as tray:
        first, second = dead.groups(tray.letters)
    assert {each.message_id for each in first.letters} == there
    assert [each.message_id for each in second.letters] == [here]
    assert run(act=dead._list, json=True) == 0
    rows = {row["group"]: row for row in orjson.loads(capsys.readouterr().out)}
    assert [rows[each.id]["detail"] for each in (first, second)] == [
        "division by zero",
        "another division",
    ]
    assert run(act=dead._drop, ids=[second.id], yes=True) == 0
    assert set(lying(servers)) == there


def test_a_letter_is_shown_whole(servers: Stores, capsys: pytest.CaptureFixture[str]) -> None:
    message_id = die(servers)
    assert run(act=dead._show, ids=[message_id]) == 0
    shown = orjson.loads(capsys.readouterr().out)
    assert shown["headers"]["x-foyer-error"] == "division by zero"
    assert shown["message"]["id"] == message_id
    assert run(act=dead._show, ids=["nobody"]) == 1


def test_a_replayed_letter_starts_afresh_and_is_audited(servers: Stores, stack: Stack) -> None:
    first, second, third = (die(servers, own="kept") for _ in range(3))
    assert run(act=dead._replay, ids=[second], all=False) == 0
    assert lying(servers) == [first, third]
    assert came_back(servers) == [(second, {"own": "kept"})]
    assert second in audited("replay", stack)
    with letters.opened(servers, SERVICE) as tray:
        (group,) = dead.groups(tray.letters)
    assert run(act=dead._replay, ids=[group.id], all=False) == 0
    assert [each for each, _ in came_back(servers)] == [first, third]
    assert lying(servers) == []


def test_a_replay_killed_after_its_confirm_is_repeated_not_lost(servers: Stores) -> None:
    message_id = die(servers)
    with letters.opened(servers, SERVICE) as tray:
        tray.channel.confirm_delivery()
        assert dead._send_back(tray.channel, tray.letters[0])
        tray.channel.connection.close()  # As if killed: published, not acknowledged.
    assert given_back(servers) == [message_id]
    assert dead.replay(servers, [message_id]) == (1, 0)
    assert [each for each, _ in came_back(servers)] == [message_id] * 2  # The inbox knows the id.


def test_a_letter_without_a_way_back_stays(
    servers: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = die(servers, **{"x-foyer-queue": "nowhere.commands"})
    fine = die(servers)
    assert dead.replay(servers, [lost, fine]) == (1, 1)
    assert lying(servers) == [lost]
    assert "'nowhere.commands' does not take it" in capsys.readouterr().err


def test_what_the_broker_gave_up_is_understood_and_replayed(servers: Stores) -> None:
    message_id = str(uuid.uuid4())
    body = orjson.dumps({"id": message_id, "type": "users.user.register"})
    properties = pika.BasicProperties(message_id=message_id, delivery_mode=2)
    channel = servers.channel()
    channel.confirm_delivery()
    channel.basic_publish("", QUEUE, body, properties, mandatory=True)
    letter = delivered_too_often(servers, channel)
    assert letter.by_broker
    assert (letter.queue, letter.code, letter.message_id) == (QUEUE, "delivery_limit", message_id)
    assert letter.died_at
    assert dead.replay(servers, [message_id]) == (1, 0)
    assert came_back(servers) == [(message_id, {})]


def delivered_too_often(stores: Stores, channel: BlockingChannel) -> Letter:
    """Give the queue's message back until the broker has had enough."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        method, _, _ = channel.basic_get(QUEUE)
        if method:
            channel.basic_nack(method.delivery_tag, requeue=True)
        with letters.opened(stores, SERVICE) as tray:
            if tray.letters:
                return tray.letters[0]
    pytest.fail("the broker did not give it up")


def test_dropping_needs_a_yes_and_keeps_the_body_in_the_audit_log(
    servers: Stores, stack: Stack
) -> None:
    gone, kept = die(servers), die(servers)
    assert run(act=dead._drop, ids=[gone], yes=False) == 2
    assert lying(servers) == [gone, kept]
    assert run(act=dead._drop, ids=[gone], yes=True) == 0
    assert lying(servers) == [kept]
    assert gone in audited("drop", stack)


def test_an_explained_letter_is_no_longer_unexplained(servers: Stores) -> None:
    told, untold = die(servers), die(servers)
    assert run(act=dead._explain, ids=[told], why="a partner's test") == 0
    assert letters.explained()[told] == "a partner's test"
    assert untold not in letters.explained()


def test_all_or_names_but_not_both_and_not_neither(servers: Stores) -> None:
    message_id = die(servers)
    assert run(act=dead._replay, ids=[], all=False) == 2
    assert run(act=dead._replay, ids=[message_id], all=True) == 2
    assert lying(servers) == [message_id]


def test_the_queues_of_the_dead_have_room_for_any_number_of_looks(servers: Stores) -> None:
    """RabbitMQ 4 drops what is given back twenty times, unless a policy says otherwise."""
    deadline = time.monotonic() + 15  # The console is some seconds behind.
    definition: dict[str, int] = {}
    while not definition and time.monotonic() < deadline:
        queue = servers.console.call("GET", "queues", VHOST, letters.queue_of(SERVICE))
        definition = queue.get("effective_policy_definition") or {}
    assert definition["delivery-limit"] > 1_000_000
