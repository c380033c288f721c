"""A client that listens: server-sent events, read as the standard says."""

import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
import orjson


class Event(NamedTuple):
    """One event, with the id that the client holds after it."""

    name: str
    data: Any
    last_id: str | None


class Listener:
    """What one connection has heard."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.heard: list[Event] = []
        """Everything so far, whether it was asked for or not."""
        self.last_id: str | None = None
        self.status = 0
        self.headers = httpx.Headers()
        self.answered = threading.Event()
        self.greeted = threading.Event()
        """Set with the first line: the server has begun to listen for us."""

    def next(self, deadline_sec: float = 10) -> Event:
        """Return the next event; fail when there is none in time, or no more."""
        event = self._events.get(timeout=deadline_sec)
        assert event is not None, "the stream has ended"
        return event

    def ended(self, deadline_sec: float = 10) -> bool:
        """Say whether there is nothing more to come."""
        return self._events.get(timeout=deadline_sec) is None

    @property
    def silent(self) -> bool:
        """Whether nothing waits to be read."""
        return self._events.empty()

    def read(self, lines: Iterator[str]) -> None:
        """Take in the stream until it ends."""
        name, data = "message", ""
        for line in lines:
            field, _, value = line.partition(": ")
            if field == "id":
                self.last_id = value
            elif field == "event":
                name = value
            elif field == "data":
                data += value
            elif not line:
                self.greeted.set()
                if data:
                    event = Event(name, orjson.loads(data), self.last_id)
                    self.heard.append(event)
                    self._events.put(event)
                name, data = "message", ""
        self._events.put(None)


@contextmanager
def listening(
    client: httpx.Client, path: str, headers: Mapping[str, str] | None = None
) -> Iterator[Listener]:
    """Listen at a path on a connection of our own, until the block ends."""
    listener = Listener()
    stop = threading.Event()
    asked = {**client.headers, "Accept": "text/event-stream", **(headers or {})}

    def listen() -> None:
        with (
            httpx.Client(base_url=client.base_url, timeout=30) as http,
            http.stream("GET", path, headers=asked) as answer,
        ):
            listener.status, listener.headers = answer.status_code, answer.headers
            listener.answered.set()
            listener.read(_until(stop, answer.iter_lines()))

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        assert listener.answered.wait(10), "no answer"
        yield listener
    finally:
        stop.set()


def _until(stop: threading.Event, lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if stop.is_set():
            return
        yield line
