"""Webhooks on their way: signed, sent side by side, tried again after 1, 2, 4 … s until 2xx.

Each delivery has its own schedule, kept on disk. When nobody listens at the receiver's port at
all, the others wait with the one that found out, and one second later a few try again: a receiver
that is down costs next to nothing, and once it is back everything flows.
"""

import asyncio
import contextlib
import hashlib
import heapq
import hmac
import socket
import time
from collections import deque
from typing import TypeAlias, cast
from urllib.parse import urlsplit

import orjson
import structlog

from ops.stripe_stand_in.desk import rendered_event
from ops.stripe_stand_in.store import Store

log = structlog.get_logger("stripe_stand_in")

SENDERS = 16
ANSWER_WITHIN_SEC = 10.0
LONGEST_WAIT_SEC = 32.0
PROBE_EVERY_SEC = 1.0

Delivery: TypeAlias = tuple[float, int, int, int]  # due, its number, the event's number, attempts


def signature(payload: bytes, secret: str, now: int) -> str:
    """Sign like Stripe: HMAC-SHA256 over `t.payload`; docs.stripe.com/webhooks/signature."""
    mac = hmac.new(secret.encode(), b"%d." % now + payload, hashlib.sha256)
    return f"t={now},v1={mac.hexdigest()}"


class _Wire(asyncio.Protocol):
    """One kept-alive connection to the receiver, one request on it at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._got = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own type, alike.
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed before the answer"))

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(b"\r\n\r\n")
        if end < 0 or self._answer is None or self._answer.done():
            return
        head = bytes(self._got[:end]).lower()
        status = int(head[9:12]) if head[9:12].isdigit() else 0
        length = _content_length(head)
        if length is None or b"connection: close" in head:
            self.close()  # The status is all that matters; where the body ends is not known.
        elif len(self._got) < end + 4 + length:
            return
        self._answer.set_result(status)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()
            self.transport = None

    async def post(self, request: bytes) -> int:
        """Send and give the status; OSError or TimeoutError when there was no answer."""
        if self.transport is None:
            raise ConnectionResetError
        self._got.clear()
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        async with asyncio.timeout(ANSWER_WITHIN_SEC):
            return await self._answer


def _content_length(head: bytes) -> int | None:
    at = head.find(b"content-length:")
    if at < 0:
        return 0 if head[9:12] == b"204" else None
    value = head[at + len(b"content-length:") :].split(b"\r\n", 1)[0].strip()
    return int(value) if value.isdigit() else None


class Deliveries:
    """Everything undelivered, and those who carry it."""

    def __init__(self, store: Store, url: str, secret: str, origin: str) -> None:
        """Deliver to `url`; `origin` is the stand-in's own address, for links in the events."""
        self._store = store
        self._secret = secret
        self._origin = origin
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._head = (
            f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            "User-Agent: Stripe/1.0 (stand-in)\r\n"
            "Content-Type: application/json; charset=utf-8\r\nAccept: */*\r\n"
        )
        self._later: list[Delivery] = []
        self._ready: deque[Delivery] = deque()
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._down_until = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self.sent = 0
        self.failed = 0

    def start(self) -> None:
        """Take up what an earlier process left, and begin."""
        self._later = self._store.undelivered()
        heapq.heapify(self._later)
        self._tasks = [asyncio.create_task(self._carry()) for _ in range(SENDERS)]
        self._release()

    async def stop(self) -> None:
        """Stop carrying; what is undelivered stays on disk."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._timer:
            self._timer.cancel()

    def add(self, event: int, due: float) -> None:
        """Keep a new delivery; it leaves after the commit."""
        delivery = (due, self._store.add_delivery(event, due), event, 0)
        self._store.after_commit(lambda: self._queue(delivery))

    @property
    def waiting(self) -> int:
        """Count what is not under way."""
        return len(self._later) + len(self._ready)

    def _queue(self, delivery: Delivery) -> None:
        if delivery[0] <= time.time():
            self._ready.append(delivery)
            self._wake.set()
        else:
            heapq.heappush(self._later, delivery)
            self._release()

    def _release(self) -> None:
        """Move what is due, and come back for what is next."""
        now = time.time()
        while self._later and self._later[0][0] <= now:
            self._ready.append(heapq.heappop(self._later))
        if self._ready:
            self._wake.set()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._later:
            wait_sec = max(0.001, self._later[0][0] - now)
            self._timer = asyncio.get_running_loop().call_later(wait_sec, self._release)

    async def _carry(self) -> None:
        wire = _Wire()
        while True:
            while not self._ready:
                self._wake.clear()
                await self._wake.wait()
            if (wait_sec := self._down_until - time.monotonic()) > 0:
                await asyncio.sleep(wait_sec)
                continue
            delivery = self._ready.popleft()
            try:
                wire = await self._attempt(delivery, wire)
            except asyncio.CancelledError:
                wire.close()
                raise
            except Exception:
                log.exception("delivery broke", number=delivery[2])
                wire.close()
                self._again(delivery, "broken")

    async def _attempt(self, delivery: Delivery, wire: _Wire) -> _Wire:
        row = self._store.event("seq", delivery[2])
        if row is None:
            self._store.delivered(delivery[1])
            return wire
        payload = orjson.dumps(rendered_event(row, 1, self._origin))
        try:
            wire, status = await self._send(wire, payload)
        except (OSError, TimeoutError) as failed:
            wire.close()
            self._again(delivery, type(failed).__name__)
            return wire
        if 200 <= status < 300:  # noqa: PLR2004 - the 2xx of HTTP
            self.sent += 1
            self._store.delivered(delivery[1])
        else:
            self._again(delivery, str(status))
        return wire

    async def _send(self, wire: _Wire, payload: bytes) -> tuple[_Wire, int]:
        if wire.transport is not None:
            with contextlib.suppress(
                ConnectionError
            ):  # The receiver may have hung up a kept connection.
                return wire, await wire.post(self._request(payload))
            wire.close()
        fresh = await self._connect()
        return fresh, await fresh.post(self._request(payload))

    def _request(self, payload: bytes) -> bytes:
        signed = signature(payload, self._secret, int(time.time()))
        head = f"{self._head}Content-Length: {len(payload)}\r\nStripe-Signature: {signed}\r\n\r\n"
        return head.encode() + payload

    async def _connect(self) -> _Wire:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_SEC):
                _, wire = await asyncio.get_running_loop().create_connection(
                    _Wire, self._host, self._port
                )
        except (OSError, TimeoutError):
            self._down_until = time.monotonic() + PROBE_EVERY_SEC
            raise
        return wire

    def _again(self, delivery: Delivery, why: str) -> None:
        _, number, event, attempts = delivery
        self.failed += 1
        wait_sec = min(2.0**attempts, LONGEST_WAIT_SEC)
        log.warning(
            "webhook not delivered",
            number=event,
            attempt=attempts + 1,
            why=why,
            again_in_sec=wait_sec,
        )
        due = time.time() + wait_sec
        self._store.put_off(number, due, attempts + 1)
        heapq.heappush(self._later, (due, number, event, attempts + 1))
        self._release()
