"""Accounts of messages: what was said is handled, dead or waiting, and nothing else.

What was said is known from the outboxes, the edge's operations and Stripe's own list of events.
The clock keeps no list: what it said is what any service has heard of it. What was handled is
known from the inboxes. Both sides are compared by message id, for each queue.

Outbox rows are kept for three days: accounts are for a system that is younger.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from rich.table import Table

from bus.service import Service
from bus.stores.postgres import outbox_of
from http_edge.webhooks import message_id_of
from ops import letters
from ops.asyncapi import services
from ops.stores import POSTGRES, Stores
from ops.verify.rest import UNDER_WAY
from schemas.expiration import ClockTicked, TimerFired
from schemas.payment import RecordWebhook
from workers.expiration.clock import TICK_SEC, tick_id

_EXAMPLES = 5
_PATIENCE_SEC = 150.0
"""Longer than the longest pause before a message is tried again."""
_LOOK_AGAIN_SEC = 2.0
_DERIVED = 5
"""The version of a firing's id, which follows from its timer; an operator sends other ones."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """One queue's."""

    queue: str
    said: int
    handled: int
    dead: int
    waiting: int
    """Messages that are ready in the queue: nobody can tell, from outside, which ones."""
    left: list[str] = field(default_factory=list)
    """Messages that are neither handled nor dead."""

    @property
    def lost(self) -> int:
        """How many were neither handled nor dead at any look."""
        return len(self.left)

    @property
    def wrong(self) -> list[str]:
        """What is wrong, in sentences."""
        if not self.lost:
            return []
        some = ", ".join(self.left[:_EXAMPLES])
        perhaps = f" unless they are of the {self.waiting} waiting" if self.waiting else ""
        return [f"{self.queue}: {self.lost} of {self.said} are lost{perhaps}: {some}"]


@dataclass
class Accounts:
    """All queues', and who said how much."""

    queues: list[Account] = field(default_factory=list)
    said_by: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    """Heard, and in nobody's list: an operator's commands, or what was forgotten by age."""

    @property
    def wrong(self) -> list[str]:
        """What is wrong, in sentences."""
        return [each for account in self.queues for each in account.wrong]

    def table(self) -> Table:
        """Show them to a person."""
        table = Table("queue", "said", "handled", "dead", "under way", "lost", title="Messages")
        for each in self.queues:
            under_way = each.said - each.handled - each.dead - each.lost
            numbers = (each.said, each.handled, each.dead, under_way, each.lost)
            table.add_row(each.queue, *(f"{number:,}" for number in numbers))
        return table


def accounts(stores: Stores, patience_sec: float = _PATIENCE_SEC) -> Accounts:
    """Compare what was said with what was heard, until nothing is left or patience is over.

    The clock goes on, and an order may end by its deadline: what is missed was missed at each of
    several looks. What is tried again later or waits in its queue has that long to be handled.
    """
    deadline = time.monotonic() + patience_sec
    made = _look(stores)
    while made.wrong and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN_SEC)
        again = _look(stores)
        for queue, before in zip(again.queues, made.queues, strict=True):
            queue.left[:] = [each for each in queue.left if each in before.left]
        made = again
    return made


def _look(stores: Stores) -> Accounts:
    hearing = services()
    made = Accounts()
    said = dict(_said(stores, made.said_by))
    heard = {service.name: set(_heard(stores, service.name)) for service in hearing}
    made.unknown = _clock(stores, hearing, heard, said, made.said_by)
    dead = {each.name: _dead(stores, each.name) for each in hearing}
    channel = stores.channel()
    for service in hearing:
        for kind in service.queues:
            queue = f"{service.name}.{kind}"
            types = set(service.bindings(kind))
            wanted = {message for message, each in said.items() if each in types}
            handled = wanted & heard[service.name]
            given_up = (wanted & dead[service.name]) - handled
            made.queues.append(
                Account(
                    queue=queue,
                    said=len(wanted),
                    handled=len(handled),
                    dead=len(given_up),
                    waiting=stores.waiting(channel, queue),
                    left=[f"{said[m]} {m}" for m in wanted - handled - given_up],
                )
            )
    return made


def _said(stores: Stores, said_by: Counter[str]) -> Iterator[tuple[UUID, str]]:
    """Go through what was said, and by whom; the same message may come twice."""
    for service in POSTGRES:
        statement = f"SELECT id, event_type AS type FROM {outbox_of(service)}"  # noqa: S608  # Our own name.
        with stores.stream(service, statement) as rows:
            for row in rows:
                said_by[f"{service}'s outbox"] += 1
                yield row["id"], row["type"]
    for document in stores.mongo.outbox.find({}, {"event_type": True}):
        said_by["ticket's outbox"] += 1
        yield UUID(document["_id"]), document["event_type"]
    operations = "SELECT (command ->> 'id')::uuid AS id, type FROM operations"
    with stores.stream("view", operations) as rows:
        for row in rows:
            said_by["the edge: operations"] += 1
            yield row["id"], row["type"]
    if stores.is_stand_in:
        delivered: Any = {"delivery_success": True, "limit": 100, "types": list(UNDER_WAY)}
        for event in stores.stripe.v1.events.list(delivered).auto_paging_iter():
            said_by["the edge: Stripe's events"] += 1
            yield message_id_of(event.id), RecordWebhook.TYPE


def _heard(stores: Stores, service: str) -> Iterator[UUID]:
    """Go through a service's inbox."""
    if service in POSTGRES:
        statement = f"SELECT message_id FROM inbox WHERE consumer = '{service}'"  # noqa: S608  # The same.
        with stores.stream(service, statement) as rows:
            yield from (row["message_id"] for row in rows)
    elif service == "ticket":
        for document in stores.mongo.inbox.find({}, {"_id": True}):
            yield UUID(document["_id"].removeprefix("ticket:"))
    else:
        for key in stores.redis.scan_iter(f"inbox:{service}:*", count=5000):
            yield UUID(key.decode().rpartition(":")[2])


def _clock(
    stores: Stores,
    hearing: list[Service[Any]],
    heard: dict[str, set[UUID]],
    said: dict[UUID, str],
    said_by: Counter[str],
) -> int:
    """Add what the clock said, as far as anybody heard it; return what nobody can have said."""
    strange: set[UUID] = set().union(*heard.values()) - said.keys()
    ticks = strange & set(_ticks(stores))
    fired = {
        message
        for service in hearing
        if TimerFired.TYPE in service.handlers
        for message in (strange - ticks) & heard[service.name]
        if message.version == _DERIVED
    }
    said |= dict.fromkeys(ticks, ClockTicked.TYPE) | dict.fromkeys(fired, TimerFired.TYPE)
    said_by["the clock: ticks"] = len(ticks)
    said_by["the clock: timers"] = len(fired)
    return len(strange - ticks - fired)


def _ticks(stores: Stores) -> Iterator[UUID]:
    """Go through the ids that ticks have had since the view began to hear."""
    row = stores.rows("view", "SELECT min(handled_at) AS first, now() AS now FROM inbox")[0]
    if first := row["first"]:
        until = int(row["now"].timestamp()) // TICK_SEC
        for slot in range(int(first.timestamp()) // TICK_SEC - 1, until + 1):
            yield tick_id(slot)


def _dead(stores: Stores, service: str) -> set[UUID]:
    with letters.opened(stores, service) as tray:
        found = [each.message_id for each in tray.letters]
    return {UUID(each) for each in found if len(each) == len(str(UUID(int=0)))}
