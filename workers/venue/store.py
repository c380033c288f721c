"""The statements about venues, organizers' settings, and the copy of tickets."""

from typing import Any
from uuid import UUID

from bus.stores.postgres import Connection, jsonb_or_null
from schemas.venue import SettingsChanged, VenueSection
from workers.venue.house import House

_SECTIONS = """
    SELECT id AS section_id, name, type, row_count, column_count, position_json, display_order
    FROM venue_sections WHERE venue_id = %s ORDER BY display_order, id
"""


def save_house(db: Connection, house: House) -> None:
    """Keep a venue, new or changed, without its sections."""
    db.execute(
        """
        INSERT INTO venues (id, organizer_id, name, capacity, timezone, address, revision,
            created_at, updated_at)
        VALUES (%(venue_id)s, %(organizer_id)s, %(name)s, %(capacity)s, %(timezone)s, %(address)s,
            %(revision)s, %(created_at)s, %(updated_at)s)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, capacity = excluded.capacity,
            timezone = excluded.timezone, address = excluded.address,
            revision = excluded.revision, updated_at = excluded.updated_at
        """,
        vars(house),
    )


def save_section(db: Connection, house: House, section: VenueSection) -> None:
    """Keep a section of a venue, new or changed."""
    db.execute(
        """
        INSERT INTO venue_sections (id, venue_id, name, type, row_count, column_count,
            position_json, display_order, created_at, updated_at)
        VALUES (%(section_id)s, %(venue_id)s, %(name)s, %(type)s, %(row_count)s, %(column_count)s,
            %(position)s, %(display_order)s, %(now)s, %(now)s)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, type = excluded.type,
            row_count = excluded.row_count, column_count = excluded.column_count,
            position_json = excluded.position_json, display_order = excluded.display_order,
            updated_at = excluded.updated_at
        """,
        vars(section)
        | {
            "venue_id": house.venue_id,
            "position": jsonb_or_null(section.position_json),
            "now": house.updated_at,
        },
    )


def delete_section(db: Connection, section_id: UUID) -> None:
    """Forget a section of a venue."""
    db.execute("DELETE FROM venue_sections WHERE id = %s", [section_id])


def house(db: Connection, venue_id: UUID) -> House | None:
    """Return a venue with its sections; nobody else changes it before this transaction ends."""
    row = db.execute(
        "SELECT id AS venue_id, organizer_id, name, capacity, timezone, address, revision,"
        " created_at, updated_at FROM venues WHERE id = %s FOR UPDATE",
        [venue_id],
    ).fetchone()
    return _house(db, row) if row else None


def houses_after(db: Connection, after: UUID, limit: int) -> list[UUID]:
    """Return the ids of up to `limit` venues that follow `after`."""
    rows = db.execute(
        "SELECT id FROM venues WHERE id > %s ORDER BY id LIMIT %s", [after, limit]
    ).fetchall()
    return [row["id"] for row in rows]


def _house(db: Connection, row: dict[str, Any]) -> House:
    return House(
        **row, sections=[VenueSection(**each) for each in db.execute(_SECTIONS, [row["venue_id"]])]
    )


def change_settings(db: Connection, organizer_id: UUID, hold_ttl_sec: int) -> int:
    """Keep an organizer's settings; return their revision."""
    row = db.execute(
        """
        INSERT INTO organizer_settings (organizer_id, hold_ttl_sec, created_at, updated_at)
        VALUES (%s, %s, now(), now())
        ON CONFLICT (organizer_id) DO UPDATE SET hold_ttl_sec = excluded.hold_ttl_sec,
            revision = organizer_settings.revision + 1, updated_at = excluded.updated_at
        RETURNING revision
        """,
        [organizer_id, hold_ttl_sec],
    ).fetchone()
    return int(row["revision"]) if row else 0


def settings_after(db: Connection, after: UUID, limit: int) -> list[SettingsChanged]:
    """Return up to `limit` organizers' settings that follow `after`."""
    rows = db.execute(
        "SELECT organizer_id, hold_ttl_sec, revision FROM organizer_settings"
        " WHERE organizer_id > %s ORDER BY organizer_id LIMIT %s",
        [after, limit],
    )
    return [SettingsChanged(**row) for row in rows]
