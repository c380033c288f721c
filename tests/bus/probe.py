"""A service that exists only in the tests, on each kind of store.

It hears real messages from queues of its own and does what their fields ask for: `quantity` says
what goes wrong. `python -m tests.bus.probe STORE [HOW]` is its process. With `die` it is killed
by its own hand right after its first commit, before anything of it is published; with `worker`
or `consumer`, a thread of that kind ends at its work. With `again` it is started
again whenever it ends, as under a supervisor.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn
from uuid import UUID

from bus import runner, settings
from bus.broker import BatchConsumer
from bus.delivery import Desk
from bus.envelope import Outgoing
from bus.publisher import Publisher
from bus.relay import Relay
from bus.service import NotYet, Refusal, Service, Transaction
from bus.stores import Store, mongo, redis
from bus.stores.mongo import Documents, Mongo
from bus.stores.postgres import Connection, Postgres
from bus.stores.redis import Keys, Redis
from bus.worker import run
from schemas.auth import UserRegistered
from schemas.order import PlaceOrder

_SIGN_OF_LIFE_SEC = 4
mongo._DEAD_AFTER = timedelta(seconds=_SIGN_OF_LIFE_SEC)  # Half as long as in earnest.
redis._ALIVE_SEC = _SIGN_OF_LIFE_SEC

REFUSED, NOT_YET, FAULT, FAULT_ONCE, KILLS = -1, -2, -3, -4, -5
"""Quantities; any other is written down."""
SOLD_OUT = ("sold_out", "No tickets are left.")
UNKNOWN = ("unknown_ticket", "Nobody has told us of it.")


@dataclass(frozen=True)
class Ledger:
    """How one kind of store writes down an effect, and adds to a counter without care."""

    store: Callable[[], Store[Any]]
    write: Callable[[Any, UUID, str], object]
    count: Callable[[Transaction[Any], str], object]


def _write_row(db: Connection, message_id: UUID, subject: str) -> None:
    db.execute("INSERT INTO effects (id, subject) VALUES (%s, %s)", [message_id, subject])


def _count_row(tx: Transaction[Connection], subject: str) -> None:
    """Read, dawdle, write: whoever does the same meanwhile is forgotten."""
    db = tx.db
    row = db.execute("SELECT value FROM counters WHERE subject = %s", [subject]).fetchone()
    time.sleep(0.001)
    db.execute(
        "INSERT INTO counters VALUES (%s, %s) ON CONFLICT (subject)"
        " DO UPDATE SET value = excluded.value",
        [subject, (row["value"] if row else 0) + 1],
    )


def _write_document(db: Documents, message_id: UUID, subject: str) -> None:
    db.database.effects.insert_one({"id": str(message_id), "subject": subject}, session=db.session)


def _count_document(tx: Transaction[Documents], subject: str) -> None:
    counters, session = tx.db.database.counters, tx.db.session
    found = counters.find_one({"_id": subject}, session=session)
    time.sleep(0.001)
    value = (found["value"] if found else 0) + 1
    counters.update_one({"_id": subject}, {"$set": {"value": value}}, upsert=True, session=session)


def _write_key(db: Keys, message_id: UUID, subject: str) -> None:
    db.writes.rpush("effects", json.dumps([str(message_id), subject]))


def _count_key(tx: Transaction[Keys], subject: str) -> None:
    """What the batch has queued cannot be read: it is remembered."""
    found = tx.memory.get(subject) or tx.db.client.hget("counters", subject)
    time.sleep(0.001)
    tx.memory[subject] = int(found or 0) + 1
    tx.db.writes.hset("counters", subject, tx.memory[subject])


LEDGERS = {
    "postgres": Ledger(Postgres, _write_row, _count_row),
    "mongo": Ledger(Mongo, _write_document, _count_document),
    "redis": Ledger(Redis, _write_key, _count_key),
}


class Rivals:
    """Counts who is inside a handler for one subject at the same time."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._lock = threading.Lock()
        self._inside: dict[str, int] = {}
        self.most = 0

    def enter(self, subject: str) -> None:
        with self._lock:
            self._inside[subject] = self._inside.get(subject, 0) + 1
            self.most = max(self.most, self._inside[subject])

    def leave(self, subject: str) -> None:
        with self._lock:
            self._inside[subject] -= 1


def make(name: str) -> Service[Any]:
    """Make the service on a store of its kind; each has a store, a claim and faults of its own."""
    ledger = LEDGERS[name]
    service = Service[Any](name, ledger.store())
    failed: set[UUID] = set()

    @service.handles(PlaceOrder)
    def place(command: PlaceOrder, tx: Transaction[Any]) -> None:
        if command.quantity == REFUSED:
            raise Refusal(*SOLD_OUT)
        if command.quantity == KILLS:
            os.kill(os.getpid(), signal.SIGKILL)
        if command.quantity == NOT_YET:
            raise NotYet(*UNKNOWN)
        ledger.write(tx.db, tx.cause.id, command.subject)
        tx.emit(UserRegistered(user_id=tx.cause.id, email="probe@example.org"))
        if command.quantity == FAULT or (
            command.quantity == FAULT_ONCE and tx.cause.id not in failed
        ):
            failed.add(tx.cause.id)
            msg = "the handler is broken"
            raise ZeroDivisionError(msg)
        ledger.count(tx, command.subject)

    @service.handles(UserRegistered)
    def hear(event: UserRegistered, tx: Transaction[Any]) -> None:
        ledger.write(tx.db, tx.cause.id, event.subject)
        ledger.count(tx, event.subject)

    return service


def die_before_publishing(name: str) -> None:
    """Commit one message's work and be gone."""
    service = make(name)
    service.store.open(name)
    publisher = Publisher(settings.read("FOYER_AMQP_URL"), name="doomed")
    relay = Relay(service.store, publisher)
    publisher.start()
    relay.start()
    while not (publisher.connected and relay.alive):
        time.sleep(0.01)
    service.store.watch()  # It is known to live, as after its relay's first round.

    def killed(said: Sequence[Outgoing]) -> None:
        assert said
        os.kill(os.getpid(), signal.SIGKILL)

    doomed = runner.Runner(service, killed)
    desk = Desk(name, f"{name}.commands", doomed, publisher, (1.0,), threading.Event())
    desk.handle([runner.Incoming(sys.stdin.buffer.read())])


def lame(which: str) -> None:
    """Have a thread end by what Dramatiq catches nowhere."""

    def end(*_: object) -> NoReturn:
        raise SystemExit

    setattr(BatchConsumer, {"worker": "ack", "consumer": "_receive"}[which], end)


def supervise() -> None:
    """Return in a new process each time that the last one has ended; tell their ids."""
    while child := os.fork():
        sys.stderr.write(f"{child}\n")
        os.waitpid(child, 0)


if __name__ == "__main__":
    if sys.argv[2:] == ["die"]:
        die_before_publishing(sys.argv[1])
    if sys.argv[2:] == ["again"]:
        supervise()
    elif sys.argv[2:]:
        lame(sys.argv[2])
    run(make(sys.argv[1]))
