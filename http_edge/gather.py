"""Doing together what concurrent requests each ask for.

While one group is on its way, what arrives waits and becomes the next group: a lone request
waits for nothing, and a busy edge makes one round trip for many. What a group's work starts but
need not wait for (a confirm, say) it leaves to its own tasks, so that groups overlap.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")

Group = list[tuple[_Asked, asyncio.Future[_Answer]]]
"""What was asked, and where each answer goes; a future may have been cancelled meanwhile."""


class Gatherer(Generic[_Asked, _Answer]):
    """Hands what is asked to `work`, in groups, one group after the other."""

    def __init__(
        self, work: Callable[[Group[_Asked, _Answer]], Awaitable[None]], most: int
    ) -> None:
        """Give `work` groups of at most `most`; it must set every future or raise."""
        self._work = work
        self._most = most
        self._waiting: deque[tuple[_Asked, asyncio.Future[_Answer]]] = deque()
        self._runner: asyncio.Task[None] | None = None

    def ask(self, asked: _Asked) -> "asyncio.Future[_Answer]":
        """Put something into the next group and return the future of its answer."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Answer] = loop.create_future()
        self._waiting.append((asked, answer))
        if self._runner is None:
            self._runner = loop.create_task(self._run())
        return answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                size = min(len(self._waiting), self._most)
                await self._do([self._waiting.popleft() for _ in range(size)])
        finally:
            self._runner = None

    async def _do(self, group: Group[_Asked, _Answer]) -> None:
        # Whoever left (a client that hung up, a deadline) needs no answer any more.
        wanted = [each for each in group if not each[1].done()]
        try:
            if wanted:
                await self._work(wanted)
        except Exception as error:  # noqa: BLE001  # It is not ours: each asker gets it.
            fail(wanted, error)
        except asyncio.CancelledError:
            for _, answer in group:
                answer.cancel()
            raise


def fail(group: "Group[_Asked, _Answer]", error: Exception) -> None:
    """Answer every asker that still waits with the same error."""
    for _, answer in group:
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # Nobody may be left to look at it.
