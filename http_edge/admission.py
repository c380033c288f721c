"""Turning requests away while too much that was accepted still waits to be carried out.

The backlog is the operations that have not ended: what is in the services' queues, in their hands
and in their outboxes, counted where the edge may read anyway. (The queues' own lengths would miss
what a saga still has to do, and need rights at the broker that the edge does not have.) It is
counted each second, and what this process accepts meanwhile is added. A queue without a bound
would only turn refusals into waiting; and no queue of the broker's may have one, since one full
queue stops the sagas.
"""

import asyncio

from bus import log
from http_edge.database import Database
from http_edge.problems import ProblemError, refuse

_LOOK_SEC = 1.0
_RETRY_AFTER_SEC = 5
_COUNT = """
    SELECT count(*) AS backlog
    FROM (SELECT FROM operations WHERE status = 'pending' LIMIT %s) AS waiting
"""


class Admission:
    """Knows how much waits, and says when it is enough."""

    def __init__(self, database: Database, most: int) -> None:
        """Let in while fewer than `most` operations wait."""
        self._database = database
        self._most = most
        self._waiting = 0
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """How much waits, as far as is known."""
        return self._waiting

    def enter(self) -> None:
        """Let a command in.

        Raises:
            ProblemError: too much waits; nothing was written.
        """
        if self._waiting >= self._most:
            error = refuse("unavailable", "Too much waits to be done; nothing was accepted.")
            error.headers["Retry-After"] = str(_RETRY_AFTER_SEC)
            raise error
        self._waiting += 1

    async def keep_looking(self) -> None:
        """Count what waits, each second, for as long as the process lives."""
        while True:
            try:
                await self._look()
            except ProblemError:  # The views are away; so are the rows that would be written.
                pass
            except Exception:  # noqa: BLE001  # It must go on; the next look may succeed.
                log.get("admission").exception("the backlog cannot be counted")
            await asyncio.sleep(_LOOK_SEC)

    async def _look(self) -> None:
        (row,) = await self._database.fetch(_COUNT, (self._most,))
        self._waiting = row["backlog"]
        if (self._waiting >= self._most) != self._is_closed:
            self._is_closed = not self._is_closed
            told = "the backlog is full" if self._is_closed else "there is room again"
            log.get("admission").warning(told, backlog=self._waiting, most=self._most)
