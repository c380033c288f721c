"""What became of a write: as it is, at its end, or step by step."""

from typing import Any
from uuid import UUID

from falcon.asgi import Request, Response

from http_edge import sse
from http_edge.bell import NEWS, Bell
from http_edge.gate import asked
from http_edge.problems import RETRY_AFTER_SEC, refuse
from http_edge.reading import Reader
from http_edge.sse import Stream, Streams
from http_edge.views import utc
from http_edge.writes import Writes, answer, applied


class Operation:
    """At /v1/operations/{operation_id}."""

    def __init__(self, reader: Reader, writes: Writes, bell: Bell, streams: Streams) -> None:
        self._reader = reader
        self._writes = writes
        self._bell = bell
        self._streams = streams

    async def on_get(self, req: Request, resp: Response, operation_id: UUID) -> None:
        """Show an operation to who made it, when asked to as soon as it has finished."""
        this = asked(req)
        this.operation_id = operation_id
        row = await self._reader.read(operation_id)
        if row is None or row["user_id"] not in (None, this.user_id):
            # Who sent a token that has ended should learn that, not that there is nothing.
            raise this.bad_token or refuse("not_found", "There is no such operation of yours.")
        if sse.wanted(req):
            await self._follow(req, resp, operation_id)
            return
        if row["status"] == "pending" and this.wait_sec:
            row = await self._writes.wait_for(operation_id, this.wait_sec) or row
        # A HEAD must not take a secret that it does not give.
        document = await self._reader.document(row, taking_secrets=req.method != "HEAD")
        answer(resp, document)
        if row["status"] == "pending":
            resp.set_header("Retry-After", str(RETRY_AFTER_SEC))
        else:
            applied(resp, this.wait_sec)

    async def _follow(self, req: Request, resp: Response, operation_id: UUID) -> None:
        """Tell each step as it is seen, and the end; who comes back hears all of them again."""
        following = _Following(self._reader, operation_id)
        stream = following.stream
        stream.on_close(self._bell.subscribe(NEWS, operation_id, stream.wake))
        this = asked(req)
        await self._streams.answer(req, resp, stream, this.who, this.until)


class _Following:
    """What one stream has told of its operation."""

    __slots__ = ("_operation_id", "_reader", "_told", "stream")

    def __init__(self, reader: Reader, operation_id: UUID) -> None:
        self._reader = reader
        self._operation_id = operation_id
        self._told: list[Any] = []
        self.stream = Stream(self.read)

    async def read(self) -> bytes:
        row = await self._reader.read(self._operation_id)
        if row is None:
            self.stream.end()
            return b""
        fresh = [each for each in row["steps"] if each not in self._told]
        self._told += fresh
        frames = [
            sse.frame("step", {"type": each["type"], "at": utc(each["at"])}) for each in fresh
        ]
        if row["status"] != "pending":
            frames.append(sse.frame("end", await self._reader.document(row)))
            self.stream.end()
        return b"".join(frames)
