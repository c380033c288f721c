"""Dead letters: reading them without losing one, or their order.

Each service has a quorum queue of them, `<service>.dead`. They are read with `basic.get` and given
back all at once, which puts them where they were. RabbitMQ 4 counts what is given back and drops a
message at the twentieth time unless told otherwise; the migrate step tells it.

Two kinds: those that the bus gave up say why in `x-foyer-…` headers; those that the broker gave up
(given back too often before the bus could tell which of them it was) have its `x-death`.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pika
from pika.adapters.blocking_connection import BlockingChannel

from bus import tables  # noqa: F401  # Makes headers safe to read.
from bus.topology import VHOST
from ops.local.layout import Layout
from ops.stores import Stores

_SUFFIX = ".dead"
_BACK_WITHIN_SEC = 5
_LONGEST_LINE = 100


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One dead letter."""

    service: str
    body: bytes
    properties: pika.BasicProperties
    tag: int
    """Its number on the channel that read it."""
    document: dict[str, Any] = field(default_factory=dict)
    """What can be read of the body."""

    @property
    def headers(self) -> dict[str, Any]:
        """What was said about it when it died."""
        return dict(self.properties.headers or {})

    @property
    def message_id(self) -> str:
        """The message's own id, as far as it can be read."""
        return str(self.document.get("id") or self.properties.message_id or "")

    @property
    def type(self) -> str:
        """The message's type, as far as it can be read."""
        return str(self.document.get("type") or self.properties.type or "?")

    @property
    def by_broker(self) -> bool:
        """Whether the broker gave it up, not the bus."""
        return "x-foyer-code" not in self.headers

    @property
    def queue(self) -> str:
        """The queue that it was to be handled from; empty when nothing tells."""
        headers = self.headers
        died = headers.get("x-death") or [{}]
        told = headers.get("x-foyer-queue") or headers.get("x-first-death-queue")
        return str(told or died[0].get("queue") or "")

    @property
    def code(self) -> str:
        """Why it died: malformed, unknown_type, fault, or the broker's word for it."""
        headers = self.headers
        died = headers.get("x-death") or [{}]
        told = headers.get("x-foyer-code") or headers.get("x-first-death-reason")
        return str(told or died[0].get("reason") or "unknown")

    @property
    def error(self) -> str:
        """The kind of error."""
        return str(self.headers.get("x-foyer-error-type") or ("broker" if self.by_broker else ""))

    @property
    def detail(self) -> str:
        """What the error said, in a line."""
        return str(self.headers.get("x-foyer-error") or "").partition("\n")[0][:_LONGEST_LINE]

    @property
    def died_at(self) -> datetime | None:
        """When it died."""
        told = self.headers.get("x-foyer-died-at")
        if told:
            return datetime.fromisoformat(str(told))
        at = (self.headers.get("x-death") or [{}])[0].get("time")
        return at.replace(tzinfo=UTC) if isinstance(at, datetime) else None

    @property
    def group(self) -> str:
        """What died the same death: where, why, what, and in which line of the code."""
        stack = self.headers.get("x-foyer-stack-hash") or ""
        return f"{self.queue or self.service}/{self.code}/{self.type}/{self.error}/{stack}"


def queue_of(service: str) -> str:
    """Name a service's queue of dead letters."""
    return f"{service}{_SUFFIX}"


def services(stores: Stores) -> list[str]:
    """Name the services that have such a queue."""
    queues = stores.console.call("GET", "queues", VHOST)
    found = (each["name"] for each in queues)
    return sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX))


@dataclass
class Tray:
    """The letters of a service, taken out to be looked at."""

    channel: BlockingChannel
    letters: list[Letter]
    """Oldest first."""
    settled: int = 0

    def settle(self, letter: Letter) -> None:
        """Take a letter away for good."""
        self.channel.basic_ack(letter.tag)
        self.settled += 1


@contextmanager
def opened(stores: Stores, service: str) -> Iterator[Tray]:
    """Take a service's letters out; those that are not settled are given back at the end."""
    channel = stores.channel()
    found: list[Letter] = []
    tray = Tray(channel, found)
    for _ in range(
        stores.waiting(channel, queue_of(service))
    ):  # Those that die meanwhile can wait.
        method, properties, body = channel.basic_get(queue_of(service))
        if method is None:
            break
        found.append(
            Letter(
                service=service,
                body=body,
                properties=properties,
                tag=method.delivery_tag,
                document=_read(body),
            )
        )
    try:
        yield tray
    finally:
        if channel.is_open and len(found) > tray.settled:
            channel.basic_nack(0, multiple=True, requeue=True)  # All that this channel holds.
            _wait_until_back(stores, tray, service)
        if channel.connection.is_open:
            channel.connection.close()


def _wait_until_back(stores: Stores, tray: Tray, service: str) -> None:
    """Giving back is not answered: whoever looks next must not find an empty queue."""
    deadline = time.monotonic() + _BACK_WITHIN_SEC
    wanted = len(tray.letters) - tray.settled
    while stores.waiting(tray.channel, queue_of(service)) < wanted:
        if time.monotonic() > deadline:  # Somebody else has taken them out meanwhile.
            return
        time.sleep(0.01)


def all_letters(stores: Stores) -> Iterator[Letter]:
    """Read every service's letters."""
    for service in services(stores):
        with opened(stores, service) as tray:
            yield from tray.letters


def _read(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def explained() -> dict[str, str]:
    """Return the explanations that operators have left, by message id."""
    path = Layout.from_environment().log / "audit.log"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    told = (json.loads(line) for line in lines)
    return {each["message_id"]: each["why"] for each in told if each["action"] == "explain"}
