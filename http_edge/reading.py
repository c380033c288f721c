"""Operations as their makers see them: read together, waited for, secrets opened.

Whoever waits is woken by the bell, reads in one statement with everybody else who was woken, and
answers.
"""

import asyncio
from typing import Any
from uuid import UUID

import psycopg

from bus.sealing import Opener
from http_edge import database
from http_edge.database import Database
from http_edge.gather import Gatherer, Group
from http_edge.views import utc

_GROUP_MOST = 200
_DEADLINE_SEC = 1.9
_SECRET_COMMANDS = frozenset({"auth.session.open", "auth.session.refresh"})

# An order's payment is looked up here, because its client secret is shown while it can be paid.
_READ = """
    SELECT o.id, o.user_id, o.type, o.status, o.submitted_at, o.finished_at, o.result, o.error,
        (SELECT coalesce(jsonb_agg(jsonb_build_object('type', s.type, 'at', s.at)
                                   ORDER BY s.at, s.message_id), '[]')
         FROM operation_steps s WHERE s.operation_id = o.id) AS steps,
        (SELECT p.client_secret FROM payments p JOIN orders b USING (order_id)
         WHERE o.type = 'orders.order.place'
           AND p.payment_id = (o.result -> 'payment' ->> 'id')::uuid
           AND p.status = 'PENDING' AND b.status = 'AWAITING_PAYMENT') AS client_secret
    FROM operations o
    WHERE o.id = ANY(%s)
"""
_TAKE = "SELECT take_secret(%s) AS secret"

Row = dict[str, Any]


class Reader:
    """Reads operations."""

    def __init__(
        self,
        views: Database,
        opener: Opener,
        *,
        publishable_key: str,
        stripe_api_base: str,
    ) -> None:
        """Read from `views`, open secrets with `opener`."""
        self._database = views
        self._opener = opener
        self._stripe = {"publishable_key": publishable_key, "api_base": stripe_api_base}
        self._gatherer: Gatherer[UUID, Row | None] = Gatherer(self._read, _GROUP_MOST)

    async def read(self, operation_id: UUID) -> Row | None:
        """Return an operation's row.

        Raises:
            ProblemError: the views cannot be reached.
        """
        try:
            async with asyncio.timeout(_DEADLINE_SEC):  # It may wait for the group before its own.
                return await self._gatherer.ask(operation_id)
        except TimeoutError:
            raise database.unavailable() from None

    async def read_finished(
        self, operation_id: UUID, wait_sec: float, event: asyncio.Event
    ) -> Row | None:
        """Return the row as soon as the operation has finished, or as it is in `wait_sec`."""
        deadline = asyncio.get_running_loop().time() + wait_sec
        while True:
            event.clear()
            row = await self.read(operation_id)
            if row is None or row["status"] != "pending":
                return row
            try:
                async with asyncio.timeout_at(deadline):
                    await event.wait()
            except TimeoutError:
                return await self.read(operation_id)

    async def document(self, row: Row, *, taking_secrets: bool = True) -> dict[str, Any]:
        """Show an operation to who made it, with what only they may read."""
        result = row["result"]
        if row["client_secret"] is not None:
            result = result | {"payment": result["payment"] | self.payment(row["client_secret"])}
        is_secret = row["type"] in _SECRET_COMMANDS and row["status"] == "succeeded"
        if is_secret and taking_secrets:
            result = (result or {}) | await self._take_secret(row["id"])
        return {
            "id": row["id"],
            "type": row["type"],
            "status": row["status"],
            "submitted_at": row["submitted_at"],
            "finished_at": row["finished_at"],
            "steps": [{"type": each["type"], "at": utc(each["at"])} for each in row["steps"]],
            "result": result,
            "error": row["error"],
        }

    def payment(self, client_secret: str) -> dict[str, str]:
        """Return what a buyer's client needs to pay, from the sealed client secret."""
        return {"client_secret": self._opener.open(client_secret), **self._stripe}

    async def _take_secret(self, operation_id: UUID) -> dict[str, str]:
        """Return the operation's secrets, which exist once: the next reader gets none."""
        try:
            rows = await self._database.run(_TAKE, (operation_id,))
        except psycopg.OperationalError:
            raise database.unavailable() from None
        sealed = rows[0]["secret"] or {}
        return {name: self._opener.open(value) for name, value in sealed.items()}

    async def _read(self, group: Group[UUID, Row | None]) -> None:
        rows = await self._database.fetch(_READ, (list({asked for asked, _ in group}),))
        found = {row["id"]: row for row in rows}
        for asked, answer in group:
            if not answer.done():
                answer.set_result(found.get(asked))
