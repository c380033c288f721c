"""Server-sent events (HTML Living Standard, section 9.2): the plumbing of every stream.

Whenever woken, a stream reads what is new from where its client stands, so that it skips nothing
however slow the client is; while nothing happens it holds no task and no queue. One that is not for
everybody ends with the token that opened it. A client whose stream has ended comes back by itself,
after a wait that differs from client to client, so that a process that stops does not send its
crowd to the others at once.
"""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from weakref import WeakSet

import orjson
from falcon.asgi import Request, Response

from http_edge.problems import ProblemError, refuse

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE_SEC = 15.0
"""A line at least this often: proxies close what is silent, and a dead client shows."""
_RETRY_MS = (1_000, 4_000)
_KEEP_ALIVE = b": still here\n\n"
_open: "WeakSet[Stream]" = WeakSet()

Read = Callable[[], Awaitable[bytes]]
"""Gives the frames that are new, or nothing; whoever has given the last one ends the stream."""
Who = tuple[str, str]
"""A client: a user, or without a token an address; of which kind, and its name."""


def frame(event: str, data: object, event_id: str | None = None) -> bytes:
    """Write one event; the client repeats the last `event_id` when it comes back."""
    name = "" if event_id is None else f"id: {event_id}\n"
    body = orjson.dumps(data, option=orjson.OPT_UTC_Z)  # One line: JSON escapes the others.
    return b"%sevent: %s\ndata: %s\n\n" % (name.encode(), event.encode(), body)


def place(event_id: str) -> bytes:
    """Write the id that the client shall repeat when it comes back, without an event."""
    return b"id: %s\n\n" % event_id.encode()


def wanted(req: Request) -> bool:
    """Say whether the client asks for a stream by name."""
    ranges = (each.partition(";") for each in (req.get_header("Accept") or "").split(","))
    return any(kind.strip().lower() == MEDIA_TYPE for kind, _, _ in ranges)


def open_streams() -> int:
    """Return how many clients this process has."""
    return len(_open)


def end_all() -> None:
    """Let every client go: the process is stopping."""
    for stream in list(_open):
        stream.end()


class Streams:
    """Makes streams answers, and lets nobody have too many of them at once."""

    def __init__(self, most: Mapping[str, int]) -> None:
        """Let each client have so many, by its kind."""
        self._most = most
        self._places: Counter[Who] = Counter()

    async def answer(
        self, req: Request, resp: Response, stream: "Stream", who: Who, until: float | None
    ) -> None:
        """Make this stream the answer; to a HEAD, what its head would be.

        It ends at `until` by the wall clock, when the token that opened it does; None: never.

        Raises:
            ProblemError: the client has as many as it may have.
        """
        resp.content_type = MEDIA_TYPE
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("X-Accel-Buffering", "no")  # nginx would collect the events otherwise.
        try:
            self._take(stream, who)
        except ProblemError:
            await stream.close()
            raise
        if req.method == "HEAD":
            await stream.close()
            return
        resp.stream = stream
        if until is not None:
            stream.end_at(until)

    def _take(self, stream: "Stream", who: Who) -> None:
        kind, have = who[0], self._places[who]
        if have >= self._most.get(kind, math.inf):
            told = f"{have} streams are open already ({kind}); close one of them."
            error = refuse("rate_limited", told)
            # By then it shows when one of them has no client any more.
            error.headers["Retry-After"] = str(round(KEEP_ALIVE_SEC))
            raise error
        self._places[who] += 1
        stream.on_close(lambda: self._give_back(who))

    def _give_back(self, who: Who) -> None:
        self._places[who] -= 1
        if not self._places[who]:
            del self._places[who]


class Stream:
    """What one client hears; Falcon iterates over it, and closes it when the client is gone."""

    def __init__(self, read: Read) -> None:
        """Read once at the beginning and after each `wake`."""
        self._read = read
        self._on_close: list[Callable[[], None]] = []
        self._news = asyncio.Event()
        self._news.set()
        self._ended = self._greeted = False
        _open.add(self)

    def on_close(self, do: Callable[[], None]) -> None:
        """Have something done once the client is gone: its subscriptions ended, say."""
        self._on_close.append(do)

    def wake(self) -> None:
        """Say that there may be something new to read."""
        self._news.set()

    def end(self) -> None:
        """Send nothing more than what is being read."""
        self._ended = True
        self._news.set()

    def end_at(self, when: float) -> None:
        """End at this time by the wall clock; who comes back must show a token that is good."""
        timer = asyncio.get_running_loop().call_later(max(when - time.time(), 0), self.end)
        self.on_close(timer.cancel)

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> bytes:
        if not self._greeted:  # At once, so that the client knows that it is connected.
            self._greeted = True
            return b"retry: %d\n\n" % random.randint(*_RETRY_MS)  # noqa: S311  # Jitter.
        while not self._ended:
            try:
                async with asyncio.timeout(KEEP_ALIVE_SEC):
                    await self._news.wait()
            except TimeoutError:
                return _KEEP_ALIVE
            self._news.clear()
            try:
                if frames := await self._read():
                    return frames
            except ProblemError:  # The views are away; by its return they may be back.
                break
        raise StopAsyncIteration

    async def close(self) -> None:
        """Be forgotten."""
        _open.discard(self)
        while self._on_close:
            self._on_close.pop()()
