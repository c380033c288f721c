"""A virtual host, databases and users of these tests' own, on the shared servers."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import orjson
import pika
import psycopg
import pymongo
import pytest
import redis
from psycopg.rows import dict_row

from bus import topology
from bus.service import Service
from bus.stores import mongo
from bus.stores.postgres import tables
from ops.local.layout import ROOT
from tests.bus.node import Node
from tests.bus.probe import LEDGERS, make

VHOST = "probe"
DELAYS = (0.2, 0.4)
PASSWORD = "probe-password"
SAID = ["auth.user.registered", "orders.order.refused", "bus.message.dead"]
BINDINGS: dict[str, tuple[list[str], list[str]]] = {
    "ear": ([], SAID),  # Nobody's process: what is said can be looked at in its queue.
    **{name: (["orders.order.place"], []) for name in LEDGERS},
}
_SETTING = {
    "postgres": "FOYER_DATABASE_URL",
    "mongo": "FOYER_MONGO_URL",
    "redis": "FOYER_REDIS_URL",
}
_T = TypeVar("_T")


def until(condition: Callable[[], _T], within_sec: float = 30) -> _T:
    """Wait for something to become true; return what it became."""
    deadline = time.monotonic() + within_sec
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_sec} s"
        time.sleep(0.01)
    return found


class System:
    """The tests' broker and stores, and what can be seen of them."""

    def __init__(self, known: Mapping[str, str]) -> None:
        """Make everything anew."""
        self.known = known
        self._spawned: list[subprocess.Popen[bytes]] = []
        self.api = topology.Api(known["FOYER_RABBITMQ_API_URL"])
        self.addresses = {
            "postgres": known["FOYER_ADMIN_DATABASE_URL"].replace("/postgres", "/probe_db"),
            "mongo": known["FOYER_ADMIN_MONGO_URL"].replace("/admin?", "/probe_db?"),
            "redis": known["FOYER_ADMIN_REDIS_URL"].replace("/0", "/7"),
        }
        self._make_stores()
        with suppress(OSError):
            self.api.call("DELETE", "vhosts", VHOST)
        self.rebuild()
        self.api.call(
            "PUT",
            "permissions",
            VHOST,
            "admin",
            body={"configure": ".*", "write": ".*", "read": ".*"},
        )
        self.connection = pika.BlockingConnection(pika.URLParameters(self.amqp("admin")))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def close(self) -> None:
        """Let go of it; the servers are the tests' own, and the next run makes all anew."""
        with suppress(pika.exceptions.AMQPError):
            self.connection.close()
        self.postgres.close()
        self.mongo.client.close()
        self.redis.close()

    def rebuild(self) -> None:
        """Make what is missing of the topology, and take away what is not asked for."""
        self.migrate(BINDINGS)

    def migrate(
        self,
        bindings: Mapping[str, tuple[list[str], list[str]]],
        delays: Sequence[float] = DELAYS,
        long: Mapping[str, tuple[list[str], list[str]]] | None = None,
    ) -> None:
        """Take the real migrate step, on our own virtual host."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(topology, "VHOST", VHOST)
            topology.migrate(
                self.known["FOYER_RABBITMQ_API_URL"],
                bindings,
                dict.fromkeys(bindings, PASSWORD),
                delays,
                self.known["FOYER_OPERATOR_PASSWORD"],
                long,
            )

    def amqp(self, user: str) -> str:
        """Return a user's address of the broker."""
        admin = urlsplit(self.known["FOYER_ADMIN_AMQP_URL"])
        login = f"{user}:{PASSWORD}" if user != "admin" else f"admin:{admin.password}"
        return f"amqp://{login}@{admin.hostname}:{admin.port}/{VHOST}"

    # The broker

    def send(self, queue: str, body: bytes, headers: Mapping[str, Any] | None = None) -> None:
        """Put a message into a queue, whatever it is."""
        properties = pika.BasicProperties(delivery_mode=2, headers=dict(headers or {}))
        self.channel.basic_publish("", queue, body, properties, mandatory=True)

    def send_by_console(self, queue: str, body: bytes, headers: Mapping[str, Any]) -> None:
        """Put a message into a queue, its headers of kinds that our own client cannot write."""
        message = {
            "routing_key": queue,
            "properties": {"headers": dict(headers)},
            "payload": body.decode(),
            "payload_encoding": "string",
        }
        told = self.api.call("POST", "exchanges", VHOST, "amq.default", "publish", body=message)
        assert told == {"routed": True}

    def take(self, queue: str) -> tuple[dict[str, Any], bytes] | None:
        """Take one message out of a queue: its headers and its body."""
        method, properties, body = self.channel.basic_get(queue, auto_ack=True)
        return (dict(properties.headers or {}), body) if method else None

    def wait_for(self, queue: str, within_sec: float = 30) -> tuple[dict[str, Any], bytes]:
        """Wait for a message in a queue and take it."""
        found = until(lambda: self.take(queue), within_sec)
        assert found
        return found

    def said(self, within_sec: float = 30) -> dict[str, Any]:
        """Wait for the next event that anybody says."""
        document: dict[str, Any] = orjson.loads(self.wait_for("ear.events", within_sec)[1])
        return document

    def ready(self, queue: str) -> int:
        """Return how many messages wait in a queue."""
        count: int = self.channel.queue_declare(queue, passive=True).method.message_count
        return count

    def consumers(self, queue: str) -> int:
        """Return how many consumers a queue has."""
        count: int = self.channel.queue_declare(queue, passive=True).method.consumer_count
        return count

    def purge(self) -> None:
        """Empty every queue, and every outbox: what other tests left is nobody's concern."""
        self.postgres.execute("DELETE FROM outbox WHERE published_at IS NULL")
        self.mongo.outbox.delete_many({"published_at": None})
        for owed in self.redis.scan_iter("outbox:*"):
            self.redis.delete(owed)
        for queue in self.api.call("GET", "queues", VHOST):
            self.channel.queue_purge(queue["name"])

    def cut(self, name: str) -> int:
        """Close the connections whose name holds `name`, as an operator may; return how many."""
        known = self.api.call("GET", "connections")
        found = [each["name"] for each in known if name in str(each.get("client_properties"))]
        for each in found:
            with suppress(OSError):  # It is closing already.
                self.api.call("DELETE", "connections", each)
        return len(found)

    # The stores

    def _make_stores(self) -> None:
        admin = self.known["FOYER_ADMIN_DATABASE_URL"]
        with psycopg.connect(admin, autocommit=True) as server:
            server.execute("DROP DATABASE IF EXISTS probe_db WITH (FORCE)")
            server.execute("CREATE DATABASE probe_db")
        self.postgres = psycopg.connect(
            self.addresses["postgres"], autocommit=True, row_factory=dict_row
        )
        self.postgres.execute(tables("postgres").encode())
        self.postgres.execute(
            "CREATE TABLE effects (id uuid NOT NULL, subject text NOT NULL, number bigserial)"
        )
        self.postgres.execute("CREATE TABLE counters (subject text PRIMARY KEY, value int)")
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(self.addresses["mongo"])
        client.drop_database("probe_db")
        self.mongo = client["probe_db"]
        mongo.migrate(self.mongo)
        for name in ("effects", "counters"):
            self.mongo.create_collection(name)
        self.redis = redis.Redis.from_url(self.addresses["redis"])
        self.redis.flushdb()

    def effects(self, store: str, subject: object) -> list[str]:
        """Return the ids of the messages that had an effect on a subject, each time, in order."""
        about = str(subject)
        if store == "postgres":
            rows = self.postgres.execute(
                "SELECT id FROM effects WHERE subject = %s ORDER BY number", [about]
            )
            return [str(row["id"]) for row in rows]
        if store == "mongo":
            return [row["id"] for row in self.mongo.effects.find({"subject": about})]
        pairs = (orjson.loads(each) for each in self.redis.lrange("effects", 0, -1))
        return [message for message, of in pairs if of == about]

    def counted(self, store: str, subject: object) -> int:
        """Return what a subject's counter has come to."""
        about = str(subject)
        if store == "postgres":
            rows = self.postgres.execute("SELECT value FROM counters WHERE subject = %s", [about])
            return sum(row["value"] for row in rows)
        if store == "mongo":
            return sum(row["value"] for row in self.mongo.counters.find({"_id": about}))
        return int(self.redis.hget("counters", about) or 0)

    def handled(self, store: str, message_id: UUID) -> bool:
        """Whether the inbox has a message."""
        if store == "postgres":
            found = self.postgres.execute("SELECT 1 FROM inbox WHERE message_id = %s", [message_id])
            return found.fetchone() is not None
        if store == "mongo":
            return self.mongo.inbox.find_one({"_id": f"mongo:{message_id}"}) is not None
        return bool(self.redis.exists(f"inbox:redis:{message_id}"))

    def unpublished(self, store: str) -> int:
        """Return how many messages the outbox still owes."""
        if store == "postgres":
            rows = self.postgres.execute("SELECT 1 FROM outbox WHERE published_at IS NULL")
            return len(rows.fetchall())
        if store == "mongo":
            return self.mongo.outbox.count_documents({"published_at": None})
        return sum(self.redis.hlen(key) for key in self.redis.scan_iter("outbox:*"))

    # Processes

    def service(self, store: str, through: int | None = None) -> Service[Any]:
        """Make the service with its store open; close it afterwards.

        `through` is a port between the two.
        """
        made, address = make(store), self.addresses[store]
        if through:
            address = address.replace(f":{urlsplit(address).port}/", f":{through}/")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(_SETTING[store], address)
            made.store.open(store)
        return made

    @contextmanager
    def node(
        self,
        store: str,
        batch: int = 64,
        delays: Sequence[float] = DELAYS,
        through: int | None = None,
    ) -> Iterator[Node]:
        """Run the service in this process; `through` is a port between it and its store."""
        with self.running(self.service(store, through), batch, delays) as node:
            yield node

    @contextmanager
    def running(
        self, service: Service[Any], batch: int = 64, delays: Sequence[float] = DELAYS
    ) -> Iterator[Node]:
        """Run a service that was made before in this process."""
        node = Node(service, self.amqp(service.name), delays, batch)
        node.start()
        try:
            yield node
        finally:  # A node that a failed test left behind would eat the next ones' messages.
            node.stop()
            service.store.close()

    def spawn(self, store: str, *how: str, **more: str) -> "subprocess.Popen[bytes]":
        """Run the service as a process of its own, with nothing but its settings, and `more`."""
        settings = {
            "PATH": os.environ["PATH"],
            "FOYER_AMQP_URL": self.amqp(store),
            "FOYER_RETRY_DELAYS_SEC": ",".join(map(str, DELAYS)),
            _SETTING[store]: self.addresses[store],
            **more,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bus.probe", store, *how],
            cwd=ROOT,
            env=settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if "again" in how else None,
        )
        self._spawned.append(process)
        return process

    def end_spawned(self) -> None:
        """Kill what a failed test left running; what it started notices, and ends as well."""
        for process in self._spawned:
            if process.poll() is None:
                process.kill()
                process.wait()
        self._spawned.clear()
