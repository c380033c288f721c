"""What is under way between the services: every message twice, in any order, in any batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from bus.envelope import Envelope, Outgoing, decode, encode
from bus.runner import Done, Incoming, Later, Runner
from tests.driven import SERVICES, postgres

if TYPE_CHECKING:
    from uuid import UUID

LIVING, RESTING = [1, 1, 2, 4, 8, 16], [4, 16, 64]
"""How many messages a batch may have."""


@dataclass
class Bag:
    """What is under way to one service."""

    waiting: list[bytes] = field(default_factory=list)
    late: list[bytes] = field(default_factory=list)


class Bags:
    """The services, and all that is under way between them."""

    def __init__(self, seed: int) -> None:
        """Everything that happens follows from the seed, and from what the stores answer."""
        self.random = Random(seed)  # noqa: S311  # Repeatable, not secret.
        self.bags = {name: Bag() for name in SERVICES}
        self.said: dict[str, list[UUID]] = {name: [] for name in SERVICES}
        self.runners = {n: Runner(s, self.heard_from(n)) for n, s in SERVICES.items()}
        self.put_off: set[bytes] = set()
        self.sizes = LIVING

    def send(self, envelope: Envelope) -> None:
        """Send a message on its way to all who hear it: twice, the second time perhaps late."""
        body = encode(envelope)
        for name, service in SERVICES.items():
            if envelope.type in service.handlers:
                bag = self.bags[name]
                bag.waiting.append(body)
                late = self.random.random() < 0.4
                (bag.late if late else bag.waiting).append(body)

    def heard_from(self, name: str) -> Callable[[Sequence[Outgoing]], None]:
        """Return what takes to the others what a service says."""
        return partial(self._publish, name)

    def _publish(self, source: str, messages: Sequence[Outgoing]) -> None:
        for message in messages:
            self.said[source].append(message.id)
            self.send(decode(message.body))

    def deliver(self) -> bool:
        """Give one service a few of the messages on their way to it; False when there are none."""
        names = [name for name, bag in self.bags.items() if bag.waiting]
        if not names:
            return False
        name = self.random.choice(names)
        waiting = self.bags[name].waiting
        self.random.shuffle(waiting)
        size = self.random.choice(self.sizes)
        batch, waiting[:] = waiting[:size], waiting[size:]
        verdicts = self.runners[name].run([self._incoming(each) for each in batch])
        for body, verdict in zip(batch, verdicts, strict=True):
            if isinstance(verdict, Later) and not verdict.counts:  # A fact that has yet to arrive.
                self.put_off.add(body)
                waiting.append(body)
            else:
                assert verdict == Done(), (name, verdict, decode(body))
        return True

    def _incoming(self, body: bytes) -> Incoming:
        """What was put off has waited long enough when it comes again."""
        waited = datetime.now(UTC) - timedelta(minutes=1) if body in self.put_off else None
        return Incoming(body, since=waited)

    def rows(self, service: str, statement: str, *values: object) -> list[dict[str, Any]]:
        """Ask a service's PostgreSQL database."""
        found: list[dict[str, Any]] = (
            postgres(service).db.execute(statement.encode(), list(values)).fetchall()
        )
        return found

    def forget(self) -> None:
        """Note that what was said has been heard, for whoever looks after the outboxes."""
        for name, ids in self.said.items():
            if ids:
                SERVICES[name].store.mark(ids)
