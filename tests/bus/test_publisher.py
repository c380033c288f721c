"""The publisher: a future is done when the broker has the message, and fails when it may not."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from bus.envelope import Outgoing, envelope_of, outgoing
from bus.publisher import PATIENT_SEC, NotConfirmed, Publisher, Unsendable
from schemas.auth import UserRegistered
from tests.bus.system import System, until


def _message(email: str = "a@b.example") -> Outgoing:
    said = UserRegistered(user_id=uuid4(), email=email)
    return outgoing(envelope_of(said, source="/postgres"))


@pytest.fixture
def publisher(system: System) -> Iterator[Publisher]:
    made = Publisher(system.amqp("postgres"), name="tested", timeout_sec=PATIENT_SEC)
    made.start()
    until(lambda: made.connected)
    yield made
    made.stop()


def test_a_confirm_means_that_the_queue_has_it(system: System, publisher: Publisher) -> None:
    messages = [_message() for _ in range(500)]
    for future in publisher.publish(messages):
        assert future.result(timeout=10) is None
    assert system.ready("ear.events") == 500
    assert system.said()["id"] == str(messages[0].id)  # In order.


def test_a_message_carries_its_properties(system: System, publisher: Publisher) -> None:
    message = _message()
    publisher.publish([message])[0].result(timeout=5)
    method, properties, body = system.channel.basic_get("ear.events", auto_ack=True)
    assert method.exchange == "foyer.events"
    assert properties.content_type == "application/cloudevents+json"
    assert properties.delivery_mode == 2
    assert properties.message_id == str(message.id)
    assert properties.type == "auth.user.registered"
    assert body == message.body


def test_what_nobody_takes_is_not_confirmed(publisher: Publisher) -> None:
    lost, good = _message(), _message()
    lost = Outgoing(
        id=lost.id, type=lost.type, exchange=lost.exchange, routing_key="no.one", body=lost.body
    )
    first, second = publisher.publish([lost, good])
    with pytest.raises(NotConfirmed, match=r"no\.one"):
        first.result(timeout=5)
    assert second.result(timeout=5) is None


@pytest.mark.parametrize(
    "properties",
    [
        {"type": "漢" * 100},
        {"headers": {"x-foyer-attempt": 1.5}},
        {"headers": {"x-foyer-attempt": 2**63}},
        {"headers": {"x-foyer-error": "\ud800"}},
        {"headers": {"漢" * 100: 1}},
    ],
)
def test_what_cannot_be_written_fails_alone_and_takes_no_confirm_of_another(
    publisher: Publisher, properties: dict[str, Any]
) -> None:
    """The broker counts what it hears: what never went out must not be counted here either."""
    bad, lost, good = _message(), replace(_message(), routing_key="no.one"), _message()
    first, second, third = publisher.publish([replace(bad, **properties), lost, good])
    with pytest.raises(Unsendable):
        first.result(timeout=30)
    with pytest.raises(NotConfirmed, match=r"no\.one"):
        second.result(timeout=30)
    assert third.result(timeout=30) is None
    assert publisher.connected


def test_an_exchange_that_is_not_there_fails_its_message_and_no_later_one(
    system: System, publisher: Publisher
) -> None:
    message = _message()
    wrong = Outgoing(
        id=message.id, type=message.type, exchange="foyer.retry.7", routing_key="x", body=b"{}"
    )
    with pytest.raises(NotConfirmed):
        publisher.publish([wrong])[0].result(timeout=5)
    until(lambda: publisher.connected)
    publisher.publish([message])[0].result(timeout=5)
    assert system.said()["id"] == str(message.id)


def test_a_connection_that_is_cut_fails_what_is_pending_and_comes_back(
    system: System, publisher: Publisher
) -> None:
    stop = threading.Event()
    futures = []

    def flood() -> None:
        while not stop.is_set():
            futures.extend(publisher.publish([_message() for _ in range(50)]))
            time.sleep(0.002)

    flooding = threading.Thread(target=flood)
    flooding.start()
    old = publisher._connection
    until(lambda: system.cut("tested publisher"), within_sec=60)
    until(lambda: publisher._connection is not old)
    until(lambda: publisher.connected)
    stop.set()
    flooding.join()
    done, late = wait(futures, timeout=30)
    assert not late
    failed = [each for each in done if each.exception()]
    assert failed
    assert all(isinstance(each.exception(), NotConfirmed) for each in failed)
    assert len(done) - len(failed) <= system.ready("ear.events") <= len(done)
    publisher.publish([_message()])[0].result(timeout=5)


def test_without_a_broker_it_fails_in_time(system: System) -> None:
    del system
    away = Publisher("amqp://a:b@127.0.0.1:1/none", name="away", timeout_sec=0.3)
    away.start()
    began = time.monotonic()
    (future,) = away.publish([_message()])
    with pytest.raises(NotConfirmed):
        future.result(timeout=5)
    assert 0.25 < time.monotonic() - began < 5
    assert not away.connected
    away.stop()
    assert not away.alive


def test_stopping_fails_what_is_left(system: System) -> None:
    del system
    away = Publisher("amqp://a:b@127.0.0.1:1/none", name="away", timeout_sec=60)
    away.start()
    (future,) = away.publish([_message()])
    away.stop()
    with pytest.raises(NotConfirmed, match="stopped"):
        future.result(timeout=1)
