"""Messages about something: when each was said, published, and handled by whom.

Read from the outboxes (kept for days) and the inboxes (kept for weeks) of every service.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from bus.stores.postgres import outbox_of
from ops.stores import POSTGRES, Stores


@dataclass(frozen=True)
class Trace:
    """One message, said or handled."""

    at: datetime
    where: str
    what: str
    detail: str


@dataclass(frozen=True)
class _Said:
    id: UUID
    type: str
    service: str
    at: datetime
    published_at: datetime | None
    causation_id: str | None


def messages(stores: Stores, subjects: list[str], operations: list[str]) -> list[Trace]:
    """Return what was said about these, or under these operations, and who has handled it."""
    said = [*_in_postgres(stores, subjects, operations), *_in_mongo(stores, subjects, operations)]
    asked = _commands(stores, operations)
    types = {each.id: each.type for each in said} | asked
    found = [_told(each) for each in said]
    found += _handled(stores, types)
    return found


def _told(said: _Said) -> Trace:
    cause = f", because of {said.causation_id}" if said.causation_id else ""
    sent = f"published {said.published_at:%H:%M:%S.%f}" if said.published_at else "NOT PUBLISHED"
    return Trace(said.at, said.service, f"said {said.type}", f"{said.id} {sent}{cause}")


def _commands(stores: Stores, operations: list[str]) -> dict[UUID, str]:
    """The edge's own outbox is the operation's row: it holds the command."""
    found = stores.rows(
        "view",
        "SELECT command ->> 'id' AS id, type FROM operations WHERE id = ANY(%(ids)s::uuid[])",
        {"ids": operations},
    )
    return {UUID(row["id"]): row["type"] for row in found}


def _in_postgres(stores: Stores, subjects: list[str], operations: list[str]) -> Iterator[_Said]:
    for service in POSTGRES:
        found = stores.rows(
            service,
            "SELECT id, event_type, created_at, published_at, payload ->> 'causationid' AS cause"  # noqa: S608  # Our own name.
            f" FROM {outbox_of(service)} WHERE aggregate_id = ANY(%(subjects)s::text[]::uuid[])"
            " OR payload ->> 'operationid' = ANY(%(operations)s)"
            " OR payload -> 'data' ->> 'order_id' = ANY(%(subjects)s::text[])",
            {"subjects": subjects, "operations": operations},
        )
        for row in found:
            yield _Said(
                row["id"],
                row["event_type"],
                service,
                row["created_at"],
                row["published_at"],
                row["cause"],
            )


def _in_mongo(stores: Stores, subjects: list[str], operations: list[str]) -> Iterator[_Said]:
    ids = "|".join([*subjects, *operations])
    if not ids:
        return
    for row in stores.mongo.outbox.find({"payload": {"$regex": ids}}):
        document: dict[str, Any] = orjson.loads(row["payload"])
        yield _Said(
            UUID(row["_id"]),
            row["event_type"],
            "ticket",
            row["created_at"],
            row["published_at"],
            document.get("causationid"),
        )


def _handled(stores: Stores, types: dict[UUID, str]) -> Iterator[Trace]:
    for service in POSTGRES:
        found = stores.rows(
            service,
            "SELECT message_id, handled_at FROM inbox WHERE message_id = ANY(%(ids)s)",
            {"ids": list(types)},
        )
        for row in found:
            message_id = row["message_id"]
            yield Trace(row["handled_at"], service, f"handled {types[message_id]}", str(message_id))
    rows = {f"ticket:{message_id}": message_id for message_id in types}
    for row in stores.mongo.inbox.find({"_id": {"$in": list(rows)}}):
        message_id = rows[row["_id"]]
        yield Trace(row["handled_at"], "ticket", f"handled {types[message_id]}", str(message_id))
