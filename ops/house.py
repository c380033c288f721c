"""A house to sell under load: a venue, a ticket and a plan, made and put on sale over HTTP."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.load import Connection

_DEADLINE_SEC = 120
_OK = 200


@dataclass(frozen=True, kw_only=True)
class House:
    """A plan on sale."""

    plan_id: str
    ticket_id: str
    section_ids: list[str]
    seat_ids: list[str]
    """In the plan's order."""
    created_ms: float
    """From the plan's request until its operation had ended."""


async def build(
    edge: Connection,
    headers: Mapping[str, str],
    plan: Callable[[str, str], dict[str, Any]],
    *,
    mode: str = "manual",
    most: int = 10,
) -> House:
    """Make a plan whose seats are not scarce, whoever buys, and put it on sale.

    `plan` is given the ids of venue and ticket; `most` seats may be in an order or held by a user.

    Raises:
        RuntimeError: the system does not do what it was asked for.
    """
    ask = _Asking(edge, headers)
    venue = {"name": "Load", "capacity": 50_000, "timezone": "Etc/UTC", "address": "Nowhere 1"}
    venue_id = (await ask.result("/v1/venues", venue))["venue_id"]
    ticket = await ask.result("/v1/tickets", _ticket(mode))
    ticket_id = ticket["ticket_id"]
    how = {"assignment_mode": mode, "max_seats_per_order": most}
    began = time.perf_counter()
    made = await ask.result("/v1/seating-plans", plan(venue_id, ticket_id) | how)
    took = (time.perf_counter() - began) * 1000
    path = f"/v1/seating-plans/{made['plan_id']}"
    await ask.result(f"{path}/activation")
    layout = (await edge.ask("GET", path, headers=headers)).json
    rows = [row for section in layout["sections"] for row in section["rows"]]
    return House(
        plan_id=made["plan_id"],
        ticket_id=ticket_id,
        section_ids=[section["id"] for section in layout["sections"]],
        seat_ids=[seat["id"] for row in rows for seat in row["seats"]],
        created_ms=took,
    )


def _ticket(mode: str) -> dict[str, Any]:
    starts = datetime.now(UTC) + timedelta(days=30)
    return {
        "title": "Seats under load",
        "price": "10.00",
        "currency": "EUR",
        "max_per_user": 1_000_000,
        "ticket_type": f"SEATED_{mode.upper()}",
        "event": {
            "title": "Seats under load",
            "starts_at": starts.isoformat(),
            "ends_at": (starts + timedelta(hours=2)).isoformat(),
        },
    }


class _Asking:
    """An organizer who waits for each operation to end."""

    def __init__(self, edge: Connection, headers: Mapping[str, str]) -> None:
        self._edge, self._headers = edge, {**headers, "Prefer": "wait=10"}

    async def result(self, path: str, body: object | None = None) -> Any:  # noqa: ANN401  # JSON.
        if body is None:
            answer = await self._edge.ask("POST", path, headers=self._headers)
        else:
            answer = await self._edge.post(path, body, self._headers)
        deadline = time.monotonic() + _DEADLINE_SEC
        while answer.status < 300 and answer.json["status"] == "pending":  # noqa: PLR2004  # HTTP's own.
            if time.monotonic() > deadline:
                break
            path = f"/v1/operations/{answer.json['id']}"
            answer = await self._edge.ask("GET", path, headers=self._headers)
        if answer.status != _OK or answer.json["status"] != "succeeded":
            msg = f"{path} did not succeed: {answer}"
            raise RuntimeError(msg)
        return answer.json["result"]
