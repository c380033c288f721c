"""A tiny HTTP/1.1 server: keep-alive, bodies with a length, every answer in one write.

One write with TCP_NODELAY matters: head and body in two writes meet the client's delayed ACK, 40
ms a call.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias, cast

LONGEST_HEAD = 16 * 1024
LONGEST_BODY = 256 * 1024
MOST_WAITING = LONGEST_HEAD + LONGEST_BODY
REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class Request:
    """One request; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Answer:
    """One answer; `lost` closes the connection in its stead."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    lost: bool = False


Reply: TypeAlias = Callable[[Answer], None]


class RefusedError(Exception):
    """A request that cannot be read; its status is answered and the connection closed."""

    def __init__(self, status: int) -> None:
        """Remember the status."""
        super().__init__(status)
        self.status = status


class Connection(asyncio.Protocol):
    """One client: its requests are taken one after the other."""

    def __init__(
        self, handle: Callable[[Request, Reply], None], open_connections: set["Connection"]
    ) -> None:
        """Give every request to `handle`, with the function that answers it."""
        self._handle = handle
        self._all = open_connections
        self._waiting = bytearray()
        self._busy = False
        self._keep = True
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own type, alike.
        self._all.add(self)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End; a call under way is still done, its answer goes nowhere."""
        self._all.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Take in bytes, and a request once it is whole."""
        self._waiting += data
        if self._busy:
            if len(self._waiting) > MOST_WAITING:
                self.close()
            return
        self._next()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    @property
    def idle(self) -> bool:
        """Tell whether no call is under way."""
        return not self._busy

    def _next(self) -> None:
        try:
            request = self._take()
        except RefusedError as refused:
            self._keep = False
            self._busy = True
            self._reply(
                Answer(
                    refused.status,
                    b'{"error":{"type":"invalid_request_error","message":"Bad request."}}',
                )
            )
            return
        if request is not None:
            self._busy = True
            self._handle(request, self._reply)

    def _take(self) -> Request | None:
        end = self._waiting.find(b"\r\n\r\n")
        if end < 0:
            if len(self._waiting) > LONGEST_HEAD:
                raise RefusedError(431)
            return None
        first, *lines = self._waiting[:end].decode("latin-1").split("\r\n")
        parts = first.split(" ")
        if len(parts) != len(("method", "target", "version")) or not parts[2].startswith("HTTP/1."):
            raise RefusedError(400)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = _length(headers)
        start = end + len(b"\r\n\r\n")
        if len(self._waiting) < start + length:
            if headers.get("expect") and self._transport:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        body = bytes(self._waiting[start : start + length])
        del self._waiting[: start + length]
        wanted = headers.get("connection", "").lower()
        self._keep = wanted != "close" and (parts[2] != "HTTP/1.0" or wanted == "keep-alive")
        path, _, query = parts[1].partition("?")
        return Request(parts[0], path, query, headers, body)

    def _reply(self, answer: Answer) -> None:
        self._busy = False
        if self._transport is None:
            return
        if answer.lost:
            self._transport.close()
            return
        self._transport.write(_encoded(answer, keep=self._keep))
        if not self._keep:
            self._transport.close()
        elif self._waiting:
            self._next()


def _length(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise RefusedError(411)
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise RefusedError(400)
    if len(length) > len(str(LONGEST_BODY)) or int(length) > LONGEST_BODY:
        raise RefusedError(413)
    return int(length)


def _encoded(answer: Answer, *, keep: bool) -> bytes:
    more = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    head = (
        f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, '')}\r\n"
        f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n"
        f"{more}{'' if keep else 'Connection: close' + chr(13) + chr(10)}\r\n"
    )
    return head.encode("latin-1", "replace") + answer.body
