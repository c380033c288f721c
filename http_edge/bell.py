"""Being woken by the views: one connection of this process that listens for all its clients.

The view service rings a channel with the ids that there is news about, many to a notification,
in the transaction that writes the news: whoever is woken finds it. After a lost connection
everybody is woken, because what was rung meanwhile was not heard.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import psycopg
from psycopg import sql

from http_edge import database

FINISHED = "operation_finished"
"""Rung with the ids of operations that have ended."""
NEWS = "news"
"""Rung with the ids of operations that have a new step, and of users who have a notification."""
SEATS = "seats_changed"
"""Rung with the ids of seating plans whose map of seats has changed."""
_CHANNELS = (FINISHED, NEWS, SEATS)
_PAUSE_SEC = 0.2

Ring = Callable[[], None]


class Bell:
    """Rings for whoever waits for an id."""

    def __init__(self, address: str) -> None:
        """Prepare to listen at the views."""
        self._address = address
        self._waiters: dict[tuple[str, str], list[Ring]] = defaultdict(list)
        self.listening = False

    def subscribe(self, channel: str, about: UUID, ring: Ring) -> Callable[[], None]:
        """Call `ring` each time there may be something new to read; return what ends that."""
        key = channel, str(about)
        self._waiters[key].append(ring)

        def unsubscribe() -> None:
            waiters = self._waiters[key]
            with suppress(ValueError):
                waiters.remove(ring)
            if not waiters:
                del self._waiters[key]

        return unsubscribe

    @contextmanager
    def waiting_for(self, operation_id: UUID) -> Iterator[asyncio.Event]:
        """Give an event that is set when an operation may have ended."""
        event = asyncio.Event()
        unsubscribe = self.subscribe(FINISHED, operation_id, event.set)
        try:
            yield event
        finally:
            unsubscribe()

    async def listen(self) -> None:
        """Listen for as long as the process lives, on one connection at a time."""
        while True:
            with suppress(psycopg.Error, TimeoutError, OSError):
                await self._listen_once()
            self.listening = False
            await asyncio.sleep(_PAUSE_SEC)

    async def _listen_once(self) -> None:
        connection = await database.connect(self._address)
        async with connection:
            for channel in _CHANNELS:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            self.listening = True
            for waiters in list(self._waiters.values()):
                _ring(waiters)
            async for told in connection.notifies():
                for about in told.payload.split():
                    _ring(self._waiters.get((told.channel, about), ()))


def _ring(waiters: "list[Ring] | tuple[()]") -> None:
    for ring in tuple(waiters):
        ring()
