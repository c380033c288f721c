"""The statements about single seats, areas and reservations: each about many at once."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from bus.stores.postgres import Connection
from schemas.venue import SeatChange
from workers.venue.reservation import Item, Reservation
from workers.venue.seat import GRACE, Area, Hold, Seat

Row = dict[str, Any]

_SEATS = """
    SELECT s.id AS seat_id, s.plan_id, s.section_id, s.seat_label AS label, own.name AS seat_tier,
        common.name AS section_tier, s.status, s.held_by, s.held_until, s.hold_started_at,
        s.hold_generation, s.hold_party, s.revision
    FROM seats s JOIN sections c ON c.id = s.section_id
    LEFT JOIN price_tiers own ON own.id = s.price_tier_id
    LEFT JOIN price_tiers common ON common.id = c.price_tier_id
"""
_HELD = """
    WHERE s.status = 'HELD' AND (s.plan_id, s.held_by)
        IN (SELECT * FROM unnest(%s::uuid[], %s::uuid[]))
"""
_RESERVATIONS = """
    SELECT r.id AS reservation_id, r.plan_id, r.ticket_id, r.order_id, r.order_version, r.user_id,
        r.section_id AS asked_section_id, r.quantity AS asked, r.status, r.expires_at, r.created_at,
        r.updated_at, i.position, i.seat_id, i.section_id, i.seat_label, i.price, i.quantity,
        i.released, i.live, i.seated
    FROM seat_reservations r LEFT JOIN seat_reservation_items i ON i.reservation_id = r.id
    WHERE r.order_id = ANY(%s) ORDER BY r.order_id, i.position
"""
_SAVE_SEATS = """
    UPDATE seats s SET status = c.status, held_by = c.held_by, held_until = c.held_until,
        hold_started_at = c.started_at, hold_generation = c.generation,
        hold_party = c.party,
        armed_at = CASE WHEN c.status = 'HELD' THEN %s::timestamptz END,
        revision = c.revision, updated_at = %s
    FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::timestamptz[], %s::timestamptz[],
        %s::bigint[], %s::integer[], %s::integer[], %s::integer[])
        AS c (id, status, held_by, held_until, started_at, generation, party, revision, before)
    WHERE s.id = c.id AND s.revision = c.before
"""
_SAVE_AREAS = """
    UPDATE sections s SET reserved = c.reserved, sold = c.sold, revision = c.revision
    FROM unnest(%s::uuid[], %s::integer[], %s::integer[], %s::integer[], %s::integer[])
        AS c (id, reserved, sold, revision, before)
    WHERE s.id = c.id AND s.revision = c.before
"""
_SAVE_RESERVATIONS = """
    INSERT INTO seat_reservations (id, plan_id, ticket_id, order_id, order_version, user_id,
        section_id, quantity, status, expires_at, created_at, updated_at)
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::integer[], %s::uuid[],
        %s::uuid[], %s::integer[], %s::text[], %s::timestamptz[], %s::timestamptz[],
        %s::timestamptz[])
    ON CONFLICT (order_id) DO UPDATE SET order_version = excluded.order_version,
        status = excluded.status, expires_at = excluded.expires_at,
        updated_at = excluded.updated_at
"""
_SAVE_ITEMS = """
    INSERT INTO seat_reservation_items (reservation_id, position, seat_id, section_id, seat_label,
        price, quantity, released, live, seated)
    SELECT * FROM unnest(%s::uuid[], %s::integer[], %s::uuid[], %s::uuid[], %s::text[],
        %s::numeric[], %s::integer[], %s::integer[], %s::boolean[], %s::boolean[])
    ON CONFLICT (reservation_id, position) DO UPDATE SET released = excluded.released,
        live = excluded.live
"""
_REARM = """
    WITH due AS (
        SELECT id FROM seats WHERE status = 'HELD' AND held_until < %(soon)s
        AND armed_at < %(stale)s ORDER BY held_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), armed AS (
        UPDATE seats s SET armed_at = %(now)s FROM due WHERE s.id = due.id
        RETURNING s.plan_id, s.held_by, s.held_until
    ), timers AS (SELECT plan_id, held_by, min(held_until) AS until FROM armed GROUP BY 1, 2)
    SELECT plan_id, held_by AS user_id, until, nextval('holds') AS arm FROM timers
"""


def seats(db: Connection, seat_ids: Collection[UUID]) -> list[Seat]:
    """Return seats by their ids."""
    return [_seat(row) for row in db.execute(_SEATS + "WHERE s.id = ANY(%s)", [list(seat_ids)])]


def held_seats(db: Connection, holders: Collection[tuple[UUID, UUID]]) -> list[Seat]:
    """Return all seats that these users hold, each of a plan: (plan id, user id)."""
    plans, users = [plan_id for plan_id, _ in holders], [user_id for _, user_id in holders]
    return [_seat(row) for row in db.execute(_SEATS + _HELD, [plans, users])]


def areas(db: Connection, plan_ids: Collection[UUID]) -> list[Area]:
    """Return the general-admission sections of plans, in the plans' order."""
    rows = db.execute(
        "SELECT s.id AS section_id, s.plan_id, s.name, t.name AS tier, s.capacity, s.reserved,"
        " s.sold, s.revision FROM sections s LEFT JOIN price_tiers t ON t.id = s.price_tier_id"
        " WHERE s.plan_id = ANY(%s) AND s.type = 'ga' ORDER BY s.plan_id, s.display_order",
        [list(plan_ids)],
    )
    return [Area(**row) for row in rows]


def reservations(db: Connection, order_ids: Collection[UUID]) -> list[Reservation]:
    """Return orders' reservations, with their items."""
    rows = db.execute(_RESERVATIONS, [list(order_ids)]).fetchall()
    return [
        _reservation(list(of_order)) for _, of_order in groupby(rows, key=lambda r: r["order_id"])
    ]


def reserved_for(db: Connection, user_id: UUID, seat_ids: Collection[UUID]) -> bool:
    """Whether an order of this user that is not confirmed has one of these seats."""
    found = db.execute(
        "SELECT FROM seat_reservation_items i JOIN seat_reservations r ON r.id = i.reservation_id"
        " WHERE i.live AND i.seat_id = ANY(%s) AND r.user_id = %s AND r.status = 'RESERVED'"
        " LIMIT 1",
        [list(seat_ids), user_id],
    )
    return found.rowcount > 0


def generations(db: Connection, count: int) -> list[int]:
    """Return numbers for holds, each higher than all before."""
    rows = db.execute("SELECT nextval('holds') AS n FROM generate_series(1, %s)", [count])
    return [row["n"] for row in rows]


def letters(db: Connection, plan_id: UUID, now: datetime) -> str:
    """Return a letter for each seat of a plan, in its order: A where anybody could have it."""
    row = db.execute(
        """
        SELECT string_agg(CASE WHEN status = 'AVAILABLE' OR status = 'HELD' AND held_until <= %s
            THEN 'A' ELSE 'x' END, '' ORDER BY number) AS letters
        FROM seats WHERE plan_id = %s
        """,
        [now - GRACE, plan_id],
    ).fetchone()
    return (row and row["letters"]) or ""


def states(db: Connection, plan_id: UUID) -> list[SeatChange]:
    """Return what has become of all seats of a plan."""
    rows = db.execute(
        "SELECT id AS seat_id, status, revision FROM seats WHERE plan_id = %s ORDER BY number",
        [plan_id],
    )
    return [SeatChange(**row) for row in rows]


def rearm(db: Connection, now: datetime, limit: int) -> list[Row]:
    """Return whose holds are due within a minute or overdue, unless asked for just now."""
    values = {
        "now": now,
        "soon": now + timedelta(minutes=1),
        "stale": now - timedelta(seconds=25),
        "limit": limit,
    }
    return db.execute(_REARM, values).fetchall()


def save_seats(db: Connection, changed: Sequence[tuple[int, Seat]], now: datetime) -> None:
    """Keep changed seats, each with the revision that it was read at.

    Raises:
        LookupError: one was changed by somebody who did not have its plan's row.
    """
    found = db.execute(
        _SAVE_SEATS,
        [
            now,
            now,
            [seat.seat_id for _, seat in changed],
            [seat.status for _, seat in changed],
            [seat.hold and seat.hold.user_id for _, seat in changed],
            [seat.hold and seat.hold.until for _, seat in changed],
            [seat.hold and seat.hold.started_at for _, seat in changed],
            [seat.hold and seat.hold.generation for _, seat in changed],
            [seat.hold and seat.hold.party for _, seat in changed],
            [seat.revision for _, seat in changed],
            [before for before, _ in changed],
        ],
    )
    _check(found.rowcount, len(changed))


def save_areas(db: Connection, changed: Sequence[tuple[int, Area]]) -> None:
    """Keep changed counters, each with the revision that it was read at.

    Raises:
        LookupError: one was changed by somebody who did not have its plan's row.
    """
    found = db.execute(
        _SAVE_AREAS,
        [
            [area.section_id for _, area in changed],
            [area.reserved for _, area in changed],
            [area.sold for _, area in changed],
            [area.revision for _, area in changed],
            [before for before, _ in changed],
        ],
    )
    _check(found.rowcount, len(changed))


def save_reservations(db: Connection, changed: Sequence[Reservation]) -> None:
    """Keep reservations, new or changed; what is given up comes before what is taken."""
    columns = (
        "reservation_id", "plan_id", "ticket_id", "order_id", "order_version", "user_id",
        "section_id", "quantity", "status", "expires_at", "created_at", "updated_at",
    )  # fmt: skip
    db.execute(_SAVE_RESERVATIONS, _arrays(changed, columns))
    items = [(each.reservation_id, item) for each in changed for item in each.items]
    for live in (False, True):
        _save_items(db, [each for each in items if each[1].live == live])


def _save_items(db: Connection, items: Sequence[tuple[UUID, Item]]) -> None:
    columns = (
        "position", "seat_id", "section_id", "seat_label", "price", "quantity", "released", "live",
        "seated",
    )  # fmt: skip
    if items:
        owners = [reservation_id for reservation_id, _ in items]
        db.execute(_SAVE_ITEMS, [owners, *_arrays([item for _, item in items], columns)])


def _arrays(rows: Iterable[object], columns: Iterable[str]) -> list[list[Any]]:
    kept = list(rows)
    return [[getattr(row, column) for row in kept] for column in columns]


def _check(found: int, wanted: int) -> None:
    if found != wanted:
        msg = f"{wanted - found} of {wanted} rows were changed past their plan's lock"
        raise LookupError(msg)


def _seat(row: Row) -> Seat:
    user_id, until = row.pop("held_by"), row.pop("held_until")
    started_at, generation = row.pop("hold_started_at"), row.pop("hold_generation")
    party = row.pop("hold_party")
    hold = user_id and Hold(
        user_id=user_id, until=until, started_at=started_at, generation=generation, party=party
    )
    return Seat(**row, hold=hold)


_OF_ITEM = (
    "position", "seat_id", "section_id", "seat_label", "price", "quantity", "released", "live",
    "seated",
)  # fmt: skip


def _reservation(rows: Sequence[Row]) -> Reservation:
    items = [
        Item(**{name: row[name] for name in _OF_ITEM})
        for row in rows
        if row["position"] is not None
    ]
    kept = {name: value for name, value in rows[0].items() if name not in _OF_ITEM}
    section_id, quantity = kept.pop("asked_section_id"), kept.pop("asked")
    return Reservation(**kept, section_id=section_id, quantity=quantity, items=items)
