"""Buyers for load: a small HTTP client, and a shop in which many buy.

A connection is kept alive and makes one request at a time, with little CPU: a general client
costs more for each request than the edge does, and on a machine that both share it would measure
itself.
"""

import asyncio
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson
import psycopg

from ops.local.stack import Stack


class Answer(NamedTuple):
    """A status and a JSON body."""

    status: int
    json: Any


class Connection:
    """One connection to one host."""

    def __init__(self, host: str, port: int) -> None:
        """Name the host; the connection is made with the first request."""
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        """Use it for a while."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close it; the next request makes a new one."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and read its answer.

        Raises:
            OSError: the connection failed; what became of the request is not known.
        """
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines += [f"Content-Length: {len(body)}", "", ""]
        self._writer.write("\r\n".join(lines).encode() + body)
        try:
            return await self._read(self._reader)
        except (asyncio.IncompleteReadError, ValueError) as error:
            self.close()
            msg = "the answer was cut off"
            raise ConnectionError(msg) from error

    async def post(self, path: str, body: object, headers: Mapping[str, str]) -> Answer:
        """Send JSON."""
        how = {"Content-Type": "application/json", **headers}
        return await self.ask("POST", path, orjson.dumps(body), how)

    async def _read(self, reader: asyncio.StreamReader) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        length = 0
        for line in head[1:]:
            name, _, value = line.partition(":")
            if name.lower() == "content-length":
                length = int(value)
        text = await reader.readexactly(length)
        return Answer(int(head[0].split(" ", 2)[1]), orjson.loads(text) if text else None)


async def signed_in(edge: Connection) -> dict[str, str]:
    """Register and sign in somebody new; return the headers of the requests to come."""
    who = {"email": f"load-{uuid.uuid4().hex[:12]}@example.com", "password": "a long password"}
    wait = {"Prefer": "wait=10"}
    await edge.post("/v1/users", who, wait)
    session = (await edge.post("/v1/sessions", who, wait)).json
    return {"Authorization": f"Bearer {session['result']['access_token']}"}


class Shop:
    """The system under load, a signed-in user, and a ticket."""

    def __init__(self, stack: Stack) -> None:
        """Use a running system."""
        self.stack = stack
        self.environment = stack.environment()
        self.port = stack.layout.port("edge")
        self.headers: dict[str, str] = {}
        self.ticket_id = ""

    def connection(self) -> Connection:
        """Connect to the edge."""
        return Connection("127.0.0.1", self.port)

    async def open(self) -> None:
        """Register, sign in, and offer a ticket that does not run out."""
        async with self.connection() as edge:
            self.headers = await signed_in(edge)
            self.ticket_id = await self.offer(edge, quota=1_000_000)

    async def offer(self, edge: Connection, quota: int) -> str:
        """Offer a ticket; return its id."""
        starts = datetime.now(UTC) + timedelta(days=30)
        ticket = {
            "title": "Bench",
            "price": "10.00",
            "currency": "EUR",
            "quota": quota,
            "max_per_user": 1_000_000,
            "ticket_type": "GA",
            "event": {
                "title": "Bench",
                "starts_at": starts.isoformat(),
                "ends_at": (starts + timedelta(hours=2)).isoformat(),
            },
        }
        answer = await edge.post("/v1/tickets", ticket, {**self.headers, "Prefer": "wait=10"})
        return str(answer.json["result"]["ticket_id"])

    async def order(self, edge: Connection, *, wait_sec: int = 0) -> tuple[int, Any]:
        """Order one; return the status and the operation."""
        headers = {**self.headers, "Idempotency-Key": uuid.uuid4().hex}
        if wait_sec:
            headers["Prefer"] = f"wait={wait_sec}"
        body = {"ticket_id": self.ticket_id, "quantity": 1}
        answer = await edge.post("/v1/orders", body, headers)
        return answer.status, answer.json

    async def pay(self, stripe: Connection, payment: dict[str, Any]) -> None:
        """Confirm a payment with a good card, as a buyer's browser does."""
        secret = payment["client_secret"]
        intent = secret.split("_secret_")[0]
        answer = await stripe.ask(
            "POST",
            f"/v1/payment_intents/{intent}/confirm",
            f"client_secret={secret}&payment_method=pm_card_visa".encode(),
            {
                "Authorization": f"Bearer {payment['publishable_key']}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        if answer.status != 200:  # noqa: PLR2004  # HTTP's own.
            msg = f"a card was not taken: {answer}"
            raise RuntimeError(msg)

    def captured(self) -> int:
        """Count the captured payments that the view knows."""
        with psycopg.connect(self.environment["FOYER_VIEW_DATABASE_URL"]) as db:
            row = db.execute("SELECT count(*) FROM payments WHERE status = 'SUCCEEDED'").fetchone()
        return int(row[0]) if row else 0

    def pending(self) -> int:
        """Count the operations that have not ended."""
        with psycopg.connect(self.environment["FOYER_VIEW_DATABASE_URL"]) as db:
            row = db.execute("SELECT count(*) FROM operations WHERE status = 'pending'").fetchone()
        return int(row[0]) if row else 0
