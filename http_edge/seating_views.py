"""Every statement that reads venues and seating plans, and what their rows look like to clients."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from http_edge.database import Database
from http_edge.views import LAST, Document, after, page
from schemas.venue import DEFAULT_HOLD_TTL_SEC

Row = Mapping[str, Any]

_VENUE = "SELECT * FROM venues WHERE venue_id = %s AND organizer_id = %s"
_SETTINGS = "SELECT hold_ttl_sec FROM organizer_settings WHERE organizer_id = %s"
_VENUES_OF = """
    SELECT * FROM venues
    WHERE organizer_id = %(owner)s
      AND (created_at, venue_id) < (%(after_at)s::timestamptz, %(after_id)s::uuid)
    ORDER BY created_at DESC, venue_id DESC
    LIMIT %(limit)s
"""


class SeatingViews:
    """What the world may read of venues and plans."""

    def __init__(self, database: Database) -> None:
        """Read with `database`; every method raises `ProblemError` when it cannot be reached."""
        self._database = database

    async def venue(self, venue_id: UUID, organizer: UUID) -> Document | None:
        """Return a venue of this organizer."""
        rows = await self._database.fetch(_VENUE, (venue_id, organizer))
        return _venue_document(rows[0]) if rows else None

    async def venues_of(self, organizer: UUID, query: Row) -> Document:
        """Return a page of an organizer's venues, newest first."""
        rows = await self._database.fetch(_VENUES_OF, {"owner": organizer, **after(query, LAST)})
        return page("venues", rows, query, "created_at", "venue_id", _venue_document)

    async def settings_of(self, organizer: UUID) -> Document:
        """Return an organizer's settings, which are the usual ones until they are changed."""
        rows = await self._database.fetch(_SETTINGS, (organizer,))
        return {"hold_ttl_sec": rows[0]["hold_ttl_sec"] if rows else DEFAULT_HOLD_TTL_SEC}


def _venue_document(row: Row) -> Document:
    sections = sorted(row["sections"], key=lambda each: each["display_order"])
    return {
        "id": row["venue_id"],
        "name": row["name"],
        "capacity": row["capacity"],
        "timezone": row["timezone"],
        "address": row["address"],
        "sections": [{"id": each.pop("section_id"), **each} for each in sections],
        "created_at": row["created_at"],
    }
