"""What the bus needs of a service's store, whichever it is.

A store opens one transaction for a batch: it keeps the batch's messages from racing with others
about the same aggregates, says which were handled before, and commits the handlers' writes with
the inbox and the outbox. The relay asks it for what is not published yet.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar
from uuid import UUID

from bus.envelope import Outgoing

DB_co = TypeVar("DB_co", covariant=True)


class Unit(Protocol[DB_co]):
    """One open transaction; leaving it without an exception commits."""

    @property
    def db(self) -> DB_co:
        """What handlers read and write with."""

    @property
    def unseen(self) -> Collection[UUID]:
        """The messages of the batch that were not handled before."""

    def forget(self, message_ids: Sequence[UUID]) -> None:
        """Take messages out of the inbox again: they are to be handled later."""

    def put(self, messages: Sequence[Outgoing]) -> None:
        """Write to the outbox."""


class Store(Protocol[DB_co]):
    """A service's own store."""

    def open(self, service: str) -> None:
        """Connect, with the address from this process's settings."""

    def close(self) -> None:
        """Let go of everything."""

    def begin(
        self, message_ids: Sequence[UUID], keys: Collection[str]
    ) -> AbstractContextManager[Unit[DB_co]]:
        """Open the transaction of a batch, alone with the aggregates that `keys` name."""

    def conflicted(self, error: BaseException) -> bool:
        """Whether trying the same again at once may work."""

    def unavailable(self, error: BaseException) -> bool:
        """Whether the store cannot be reached, whatever is asked of it."""

    # For the relay, which calls these from one thread of its own.

    def watch(self) -> None:
        """Show that this process lives, so that nobody else publishes what it wrote."""

    def mark(self, message_ids: Sequence[UUID]) -> None:
        """Note that the broker has these."""

    def abandoned(self, in_flight: Collection[UUID], limit: int) -> list[Outgoing]:
        """Take over rows that were committed and that nobody is publishing."""

    def purge(self, limit: int) -> None:
        """Remove at most `limit` old inbox rows, and as many published outbox rows."""
