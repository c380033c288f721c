"""What was committed is published, whoever dies, and has one effect."""

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack

import orjson

from bus.envelope import Envelope, encode
from bus.publisher import Publisher
from bus.relay import Relay
from bus.runner import Incoming, Runner
from tests.bus.node import relaying
from tests.bus.probe import _SIGN_OF_LIFE_SEC, LEDGERS
from tests.bus.system import System, until

Order = Callable[..., Envelope]
_CLAIM_SEC, _SWEEP_SEC = _SIGN_OF_LIFE_SEC, 2


def test_a_process_killed_between_commit_and_publish_leaves_its_messages_to_others(
    system: System, order: Order
) -> None:
    """Three processes, one on each store, die right there; other processes' sweeps find the rows.

    PostgreSQL knows at once that a session is gone; MongoDB and Redis wait for a sign of life.
    """
    asked = {name: order() for name in LEDGERS}
    doomed = {name: system.spawn(name, "die") for name in LEDGERS}
    for name, process in doomed.items():
        process.communicate(encode(asked[name]), timeout=60)
        assert process.returncode == -signal.SIGKILL
        assert system.unpublished(name) == 1
    assert system.ready("ear.events") == 0
    found: dict[str, float] = {}
    ids: dict[str, str] = {}
    with ExitStack() as others:
        services = {name: system.service(name) for name in LEDGERS}
        for name, service in services.items():
            others.enter_context(relaying(service, system.amqp(name)))
        began = time.monotonic()
        while len(found) < len(LEDGERS):
            said = system.said(within_sec=_CLAIM_SEC + _SWEEP_SEC + 1)
            store = said["source"].removeprefix("/")
            assert store not in found, "published twice"
            found[store], ids[store] = time.monotonic() - began, said["id"]
            assert said["causationid"] == str(asked[store].id)
        for name in LEDGERS:
            until(lambda n=name: system.unpublished(n) == 0)  # type: ignore[misc]
    print({name: round(after, 1) for name, after in found.items()})  # noqa: T201  # A figure to report.
    assert found["postgres"] < _CLAIM_SEC, "sooner than any sign of life could tell"
    assert system.ready("ear.events") == 0
    for name, service in services.items():  # The broker gives the command back; it is known.
        Runner(service, lambda _: None).run([Incoming(encode(asked[name]))])
        assert system.effects(name, asked[name].data.subject) == [str(asked[name].id)]
        assert system.unpublished(name) == 0
        service.store.close()


def test_a_publish_that_failed_is_swept_up(system: System, store: str, order: Order) -> None:
    """The broker was away when the transaction committed; the process lives on."""
    service = system.service(store)
    offline = Publisher("amqp://a:b@127.0.0.1:1/none", name="off", timeout_sec=0.1)
    offline.start()
    relay, asked = Relay(service.store, offline), order()
    relay.start()
    Runner(service, relay.hand).run([Incoming(encode(asked))])
    until(lambda: not relay._in_flight)
    relay.stop()  # It notes what is known of each: that it was handed over is not enough.
    assert system.unpublished(store) == 1
    offline.stop()
    with relaying(service, system.amqp(store)):
        assert system.said()["causationid"] == str(asked.id)
        until(lambda: system.unpublished(store) == 0)
    service.store.close()


def test_what_a_living_process_is_publishing_is_left_to_it(
    system: System, store: str, order: Order
) -> None:
    service, other = system.service(store), system.service(store)
    service.store.watch()
    asked = order()
    Runner(service, lambda _: None).run([Incoming(encode(asked))])
    other.store.watch()
    assert other.store.abandoned([], 10) == []
    (own,) = service.store.abandoned([], 10)
    assert orjson.loads(own.body)["causationid"] == str(asked.id)
    assert service.store.abandoned([own.id], 10) == []
    service.store.mark([own.id])
    assert service.store.abandoned([], 10) == []
    service.store.close()
    other.store.close()


def test_what_two_relays_publish_has_one_effect(system: System, store: str, order: Order) -> None:
    """Published twice under one id: the receiver's inbox knows it."""
    asked = order()
    with system.node(store):
        system.send(f"{store}.commands", encode(asked))
        said = orjson.dumps(system.said())
        for _ in range(3):
            system.send(f"{store}.events", said)
        about = orjson.loads(said)["subject"]
        until(lambda: system.ready(f"{store}.events") == 0)
        until(lambda: len(system.effects(store, about)) == 1)
    assert system.effects(store, about) == [orjson.loads(said)["id"]]
