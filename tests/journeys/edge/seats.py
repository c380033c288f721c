"""Plans and seats in the views, written as the view service writes them; and who watches them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import psycopg
from psycopg.rows import DictRow

from schemas.message import Message
from tests.journeys.edge.parts import DEADLINE_SEC
from workers.view import map_store, store
from workers.view.maps import Maps
from workers.view.projections import projected

Views = psycopg.Connection[DictRow]


def show(views: Views, *said: Message) -> None:
    """Project these events in one transaction."""
    maps = Maps()
    with views.transaction():
        for each in said:
            maps.hear(each)
            if row := projected(each):
                store.replace(views, row[0], [row[1]])
        relaid = map_store.lay(views, maps.laid()) if maps.layouts else []
        map_store.change(views, maps.changed(), relaid)


class Watcher:
    """A client that keeps the map of a plan as the events tell it."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        """Read what is left of an answer whose head has been read."""
        self._reader = reader
        self.events: list[str] = []
        self.last_id: str | None = None
        self.revision = 0
        self.version = 0
        self.sections: dict[str, Any] = {}

    async def until(self, holds: Callable[["Watcher"], object]) -> None:
        """Hear events until it holds; fail after the deadline."""
        async with asyncio.timeout(DEADLINE_SEC):
            while not holds(self):
                await self.hear_one()

    async def hear_one(self) -> None:
        """Hear one event, or a comment."""
        fields = {}
        while (line := (await self._line()).decode()) != "":
            name, _, value = line.partition(": ")
            fields[name] = value
        if "id" in fields:
            self.last_id = fields["id"]
            self.revision = int(fields["id"])
        if "event" in fields:
            self.events.append(fields["event"])
            self._apply(fields["event"], orjson.loads(fields["data"]))

    def _apply(self, event: str, data: Any) -> None:  # noqa: ANN401  # Whatever JSON holds.
        if event == "snapshot":
            assert str(data["revision"]) == self.last_id
            self.version, self.sections = data["version"], data["sections"]
            return
        for section, index, state in data:
            if index is None:
                self.sections[section] = {"available": state}
            else:
                letters = self.sections[section]
                self.sections[section] = letters[:index] + state + letters[index + 1 :]

    async def _line(self) -> bytes:
        """Return a line of the stream, which comes in chunks."""
        line = await self._reader.readline()
        assert line, "the stream has ended"
        return line.rstrip(b"\n")


class _Chunks(asyncio.StreamReader):
    """What is inside the chunks of a chunked answer."""

    async def fill(self, raw: asyncio.StreamReader) -> None:
        try:
            while size := int(await raw.readline(), 16):
                self.feed_data(await raw.readexactly(size))
                await raw.readline()
        except (ValueError, asyncio.IncompleteReadError, OSError):
            pass
        self.feed_eof()


@asynccontextmanager
async def watching(
    port: int, plan_id: object, last_id: str | None = None
) -> AsyncIterator[Watcher]:
    """Watch a plan's seats."""
    raw, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    resume = "" if last_id is None else f"Last-Event-ID: {last_id}\r\n"
    writer.write(
        f"GET /v1/seating-plans/{plan_id}/availability HTTP/1.1\r\nHost: x\r\n"
        f"Accept: text/event-stream\r\n{resume}\r\n".encode()
    )
    head = (await raw.readuntil(b"\r\n\r\n")).decode().lower()
    assert " 200 " in head.splitlines()[0], head
    assert "content-type: text/event-stream" in head
    assert "transfer-encoding: chunked" in head
    chunks = _Chunks(limit=1 << 20)
    filling = asyncio.create_task(chunks.fill(raw))
    try:
        yield Watcher(chunks)
    finally:
        filling.cancel()
        writer.close()
