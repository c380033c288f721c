"""Connections to the views: a few long-lived ones, each used by one statement at a time.

A connection that broke is replaced by whoever needs it next, so that the edge recovers with the
server and fails at once while it is away; there is no back-off to wait for and no queue without
an end.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from http_edge.problems import ProblemError, refuse

TIMEOUT_SEC = 1.5
"""The longest that a request waits for the views: for a connection, or for an answer."""

_OPTIONS = "-c statement_timeout=5000 -c timezone=UTC -c enable_seqscan=off"
"""Everything is read through an index. A plan is kept for as long as the statistics are, and one
made while a table was small must not scan it from end to end once a sale has filled it."""

Connection = psycopg.AsyncConnection[DictRow]
Parameters = Sequence[Any] | Mapping[str, Any]


def unavailable() -> ProblemError:
    """Make the error for views that cannot be reached."""
    return refuse("unavailable", "The views cannot be reached.")


async def connect(address: str) -> Connection:
    """Open one connection, every statement a transaction of its own.

    Raises:
        psycopg.Error: it cannot be opened.
        TimeoutError: not within `TIMEOUT_SEC`.
    """
    async with asyncio.timeout(TIMEOUT_SEC):
        return await psycopg.AsyncConnection.connect(
            address,
            autocommit=True,
            row_factory=dict_row,
            application_name="edge",
            connect_timeout=2,
            tcp_user_timeout=5000,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            options=_OPTIONS,
        )


class Database:
    """A fixed number of connections."""

    def __init__(self, address: str, *, size: int) -> None:
        """Prepare `size` of them; each is opened when it is first needed."""
        self._address = address
        self._idle: asyncio.LifoQueue[Connection | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._idle.put_nowait(None)

    async def fetch(self, statement: str, parameters: Parameters = ()) -> list[DictRow]:
        """Run one reading statement; once more if the connection turns out to be gone.

        Raises:
            ProblemError: the views cannot be reached.
        """
        try:
            return await self.run(statement, parameters)
        except psycopg.OperationalError:
            pass
        try:
            return await self.run(statement, parameters)
        except psycopg.OperationalError:
            raise unavailable() from None

    async def run(self, statement: str, parameters: Parameters = ()) -> list[DictRow]:
        """Run one statement, once.

        Raises:
            ProblemError: no connection can be had in time.
            psycopg.Error: the statement failed, or the connection broke under it.
        """
        # A task of its own: cancelling psycopg waits for the server, which may be what is stuck.
        # It gives its connection back whenever it ends; we answer in time.
        running = asyncio.create_task(self._execute(statement, parameters))
        running.add_done_callback(_look_at)
        done, _ = await asyncio.wait({running}, timeout=TIMEOUT_SEC)
        if not done:
            running.cancel()
            raise unavailable()
        try:
            return running.result()
        except TimeoutError:
            raise unavailable() from None

    async def close(self) -> None:
        """Close what is idle; called once nothing is asked any more."""
        while not self._idle.empty():
            if connection := self._idle.get_nowait():
                await connection.close()

    async def _execute(self, statement: str, parameters: Parameters) -> list[DictRow]:
        async with self._connection() as connection:
            # Always prepared: the few statements there are, run all the time.
            cursor = await connection.execute(statement, parameters, prepare=True)
            return await cursor.fetchall()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        connection = await self._idle.get()
        try:
            if connection is None or connection.closed:
                connection = None
                connection = await connect(self._address)
            yield connection
        finally:
            self._idle.put_nowait(connection)


def _look_at(task: "asyncio.Task[list[DictRow]]") -> None:
    """Take note of how it ended, for when nobody waits for it any more."""
    if not task.cancelled():
        task.exception()
