"""Seating plans as everybody may see them: read and written once for each version.

What is large here never changes for a version of a plan, so it is kept as the bytes that are sent,
under a name that tells one version from another. Only that name is looked up for each request.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from http_edge import database
from http_edge.conditional import Kept
from http_edge.database import Database
from http_edge.gather import Gatherer, Group
from http_edge.views import money

_GROUP_MOST = 500
_KEPT_MOST = 16
_DEADLINE_SEC = 1.9
_STANDING = """
    SELECT p.plan_id, p.version, p.status, p.organizer_id, l.version AS laid
    FROM plans p JOIN plan_layouts l USING (plan_id) WHERE p.plan_id = ANY(%s)
"""
# The sections stay text: they are read beside the event loop.
_IN_FULL = """
    SELECT p.*, l.version AS laid, l.sections::text AS sections
    FROM plans p JOIN plan_layouts l USING (plan_id) WHERE p.plan_id = %s
"""

Row = Mapping[str, Any]


class Layouts:
    """The plans that were asked for lately."""

    def __init__(self, views: Database) -> None:
        """Read from `views`."""
        self._database = views
        self._kept: OrderedDict[UUID, Kept] = OrderedDict()
        self._making: dict[UUID, asyncio.Task[Kept]] = {}
        self._gatherer: Gatherer[UUID, Row | None] = Gatherer(self._read, _GROUP_MOST)

    async def standing(self, plan_id: UUID) -> Row | None:
        """Return whose a plan is, its status and its versions.

        Raises:
            ProblemError: the views cannot be reached.
        """
        try:
            async with asyncio.timeout(_DEADLINE_SEC):
                return await self._gatherer.ask(plan_id)
        except TimeoutError:
            raise database.unavailable() from None

    async def kept(self, standing: Row) -> Kept:
        """Return a plan as it stands, made anew when the kept one is of another version.

        Raises:
            ProblemError: the views cannot be reached.
        """
        plan_id = standing["plan_id"]
        kept = self._kept.get(plan_id)
        if kept is None or kept.name != _name(standing):
            task = self._making.get(plan_id)
            if task is None:
                task = self._making[plan_id] = asyncio.create_task(self._make(plan_id))
                task.add_done_callback(lambda _: self._making.pop(plan_id, None))
            kept = await asyncio.shield(task)
        self._kept.move_to_end(plan_id)
        return kept

    async def _make(self, plan_id: UUID) -> Kept:
        (row,) = await self._database.fetch(_IN_FULL, (plan_id,))
        kept = await asyncio.to_thread(_encoded, row)
        self._kept[plan_id] = kept
        while len(self._kept) > _KEPT_MOST:
            self._kept.popitem(last=False)
        return kept

    async def _read(self, group: Group[UUID, Row | None]) -> None:
        rows = await self._database.fetch(_STANDING, (list({asked for asked, _ in group}),))
        found = {row["plan_id"]: row for row in rows}
        for asked, answer in group:
            if not answer.done():
                answer.set_result(found.get(asked))


def _name(row: Row) -> str:
    """Name what a plan looks like: the same name, the same bytes."""
    return f"{row['plan_id']}-{row['version']}.{row['laid']}-{row['status']}"


def _encoded(row: Row) -> Kept:
    currency = row["currency"]
    document = {
        "id": row["plan_id"],
        "venue_id": row["venue_id"],
        "ticket_id": row["ticket_id"],
        "name": row["name"],
        "status": row["status"],
        "version": row["version"],
        "assignment_mode": row["assignment_mode"],
        "pricing_mode": row["pricing_mode"],
        "max_seats_per_order": row["max_seats_per_order"],
        "currency": currency,
        "price_tiers": [
            {"name": tier["name"], "price": money(tier["price"], currency)}
            for tier in row["price_tiers"]
        ],
        "focal_point": row["focal_point"],
        "prevent_orphans": row["prevent_orphans"],
        "layout_json": row["layout_json"],
        "sections": [_section(each, currency) for each in orjson.loads(row["sections"])],
    }
    kept = Kept(orjson.dumps(document), _name(row))
    assert kept.compressed  # noqa: S101  # Made here, beside the event loop.
    return kept


def _section(laid: Row, currency: str) -> dict[str, Any]:
    prices = {price: money(price, currency) for price in _prices(laid)}
    return {
        "id": laid["section_id"],
        "name": laid["name"],
        "type": laid["type"],
        "capacity": laid["capacity"],
        "price": money(laid["price"], currency),
        "position_json": laid["position_json"],
        "rows": [
            {
                "label": row["label"],
                "seats": [
                    {
                        "id": seat["seat_id"],
                        "label": seat["label"],
                        "column": seat["column"],
                        "price": prices[seat["price"]],
                        "attributes": seat["attributes"] or {},
                    }
                    for seat in row["seats"]
                ],
            }
            for row in laid["rows"]
        ],
    }


def _prices(laid: Row) -> set[str]:
    return {seat["price"] for row in laid["rows"] for seat in row["seats"]}
