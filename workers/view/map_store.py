"""Every SQL statement about the maps of seats.

A map has a revision of the view's own. Whoever changes a map raises it, once for each transaction,
under the lock of its row, which is held until the commit: so the revisions of a map become visible
in their order, and whoever has read up to one of them misses none that is lower.
"""

from collections.abc import Sequence
from uuid import UUID

import orjson

from bus.pace import in_parts
from bus.stores.postgres import Connection
from workers.view.maps import Changed, Laid, Rows

_KEEP = "10 minutes"
_PRUNE_AT_MOST = 20_000
_TELL_AT_MOST = 2_000
"""Changes told one by one; more are told as "read the whole map"."""

_PART = 500
"""Seats of a new plan that are placed at once."""

_LAY = """
    WITH laid AS (
        INSERT INTO plan_layouts AS known (plan_id, version, sections)
        SELECT plan_id, version, sections FROM jsonb_to_recordset(%(layouts)s::jsonb)
            AS each (plan_id uuid, version integer, sections jsonb) ORDER BY plan_id
        ON CONFLICT (plan_id) DO UPDATE SET version = excluded.version, sections = excluded.sections
            WHERE known.version < excluded.version
        RETURNING plan_id, version
    ), opened AS (
        INSERT INTO areas (section_id, plan_id, capacity, reserved, sold, revision)
        SELECT section_id, plan_id, capacity, 0, 0, 0 FROM jsonb_to_recordset(%(areas)s::jsonb)
            AS each (section_id uuid, plan_id uuid, capacity integer)
            JOIN laid USING (plan_id) ORDER BY section_id
        ON CONFLICT (section_id) DO UPDATE
            SET plan_id = excluded.plan_id, capacity = excluded.capacity
    )
    SELECT plan_id FROM laid
"""
_PLACE = """
    INSERT INTO seats (seat_id, plan_id, section_id, index, version, status, revision)
    SELECT seat_id, plan_id, section_id, index, laid.version, 'A', 0
    FROM jsonb_to_recordset(%(places)s::jsonb)
        AS each (seat_id uuid, plan_id uuid, section_id uuid, index integer)
        JOIN plan_layouts laid USING (plan_id) ORDER BY seat_id
    ON CONFLICT (seat_id) DO UPDATE SET plan_id = excluded.plan_id,
        section_id = excluded.section_id, index = excluded.index, version = excluded.version
"""
# Of a layout that is known already. Rows that are as they should be are not even locked.
_AS_LAID = """
    SELECT plan_id FROM plan_layouts
        JOIN jsonb_to_recordset(%s::jsonb) AS each (plan_id uuid, version integer)
        USING (plan_id, version)
"""
_MEND_SEATS = """
    INSERT INTO seats (seat_id, plan_id, section_id, index, version, status, revision)
    SELECT seat_id, plan_id, each.section_id, each.index, laid.version, 'A', 0
    FROM jsonb_to_recordset(%(places)s::jsonb)
        AS each (seat_id uuid, plan_id uuid, section_id uuid, index integer)
        JOIN plan_layouts laid USING (plan_id) LEFT JOIN seats known USING (seat_id, plan_id)
    WHERE (known.section_id, known.index, known.version)
        IS DISTINCT FROM (each.section_id, each.index, laid.version) ORDER BY seat_id
    ON CONFLICT (seat_id) DO UPDATE SET plan_id = excluded.plan_id,
        section_id = excluded.section_id, index = excluded.index, version = excluded.version
    RETURNING plan_id
"""
_MEND_AREAS = """
    INSERT INTO areas (section_id, plan_id, capacity, reserved, sold, revision)
    SELECT section_id, plan_id, each.capacity, 0, 0, 0 FROM jsonb_to_recordset(%(areas)s::jsonb)
        AS each (section_id uuid, plan_id uuid, capacity integer)
        LEFT JOIN areas known USING (section_id, plan_id)
    WHERE known.capacity IS DISTINCT FROM each.capacity ORDER BY section_id
    ON CONFLICT (section_id) DO UPDATE
        SET plan_id = excluded.plan_id, capacity = excluded.capacity
    RETURNING plan_id
"""
_CLEAR_SEATS = """
    UPDATE seats SET section_id = NULL, index = NULL FROM plan_layouts laid
    WHERE seats.plan_id = ANY(%s) AND laid.plan_id = seats.plan_id
      AND seats.section_id IS NOT NULL AND seats.version < laid.version
"""
_CLEAR_AREAS = """
    UPDATE areas SET capacity = NULL
    WHERE plan_id = ANY(%s) AND capacity IS NOT NULL AND section_id <> ALL(%s)
"""
# A part that changes rows is not seen by the other parts: what was counted before, and what changed
# since, are added up.
_CHANGE = """
    WITH seated AS (
        INSERT INTO seats AS known (seat_id, plan_id, status, revision)
        SELECT seat_id, plan_id, status, revision FROM jsonb_to_recordset(%(seats)s::jsonb)
            AS each (seat_id uuid, plan_id uuid, status text, revision integer) ORDER BY seat_id
        ON CONFLICT (seat_id) DO UPDATE
            SET status = excluded.status, revision = excluded.revision, previous = known.status
            WHERE known.revision < excluded.revision
        RETURNING plan_id, section_id, index, status, previous
    ), filled AS (
        INSERT INTO areas AS known (section_id, plan_id, reserved, sold, revision)
        SELECT section_id, plan_id, reserved, sold, revision
        FROM jsonb_to_recordset(%(areas)s::jsonb) AS each
            (section_id uuid, plan_id uuid, reserved integer, sold integer, revision integer)
        ORDER BY section_id
        ON CONFLICT (section_id) DO UPDATE SET reserved = excluded.reserved, sold = excluded.sold,
            revision = excluded.revision, previous = known.capacity - known.reserved - known.sold
            WHERE known.revision < excluded.revision
        RETURNING plan_id, section_id, capacity - reserved - sold AS available, previous
    ), changed AS (
        SELECT plan_id, jsonb_build_array(section_id, index, status) AS change,
            (status = 'A')::integer - (previous = 'A')::integer AS more
        FROM seated WHERE section_id IS NOT NULL
        UNION ALL
        SELECT plan_id, jsonb_build_array(section_id, NULL, available), available - previous
        FROM filled WHERE available IS NOT NULL
    ), relaid AS (
        SELECT plan_id,
            (SELECT count(*) FROM seats s
             WHERE s.plan_id = r.plan_id AND section_id IS NOT NULL AND status = 'A')
            + (SELECT coalesce(sum(capacity - reserved - sold), 0) FROM areas a
               WHERE a.plan_id = r.plan_id) AS available
        FROM unnest(%(relaid)s::uuid[]) AS r (plan_id)
    ), told AS (
        SELECT plan_id, coalesce(sum(more), 0)::integer AS more, r.available::integer,
            CASE WHEN r.plan_id IS NULL AND count(change) <= %(most)s THEN jsonb_agg(change) END
                AS changes
        FROM changed FULL JOIN relaid r USING (plan_id) GROUP BY plan_id, r.plan_id, r.available
    ), raised AS (
        INSERT INTO seat_maps AS known (plan_id, revision, available)
        SELECT plan_id, 1, coalesce(available, 0) + more FROM told ORDER BY plan_id
        ON CONFLICT (plan_id) DO UPDATE SET revision = known.revision + 1, available = (
            SELECT coalesce(told.available, known.available) + told.more FROM told
            WHERE told.plan_id = known.plan_id)
        RETURNING plan_id, revision
    ), logged AS (
        INSERT INTO seat_map_changes (plan_id, revision, changes)
        SELECT plan_id, revision, changes FROM raised JOIN told USING (plan_id)
    )
    SELECT pg_notify('seats_changed', plan_id::text) FROM raised
"""
_PRUNE = f"""
    DELETE FROM seat_map_changes WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM seat_map_changes WHERE at < now() - interval '{_KEEP}' LIMIT %s))
"""  # noqa: S608  # Our own words.


def lay(db: Connection, laid: Laid) -> list[UUID]:
    """Write newer layouts and where their seats are; return the plans that look different now.

    Of a layout that is only said again, what was lost of its seats and areas is brought back.
    """
    told = {"layouts": _json(laid.layouts), "areas": _json(laid.areas)}
    relaid = [row["plan_id"] for row in db.execute(_LAY, told)]
    places = [each for each in laid.places if each["plan_id"] in relaid]
    for part in in_parts(places, _PART) if laid.new else [places]:
        db.execute(_PLACE, {"places": _json(part)})
    db.execute(_CLEAR_SEATS, (relaid,))
    db.execute(_CLEAR_AREAS, (relaid, [area["section_id"] for area in laid.areas]))
    again = [each for each in laid.restated if each["plan_id"] not in relaid]
    return [*relaid, *_mend(db, laid, again)] if again else relaid


def _mend(db: Connection, laid: Laid, again: Rows) -> list[UUID]:
    """Bring back what is missing of layouts that are known; `lay` has locked them."""
    known = {row["plan_id"] for row in db.execute(_AS_LAID, (_json(again),))}
    places, areas = (
        [e for e in rows if e["plan_id"] in known] for rows in (laid.places, laid.areas)
    )
    mended = db.execute(_MEND_SEATS, {"places": _json(places)}).fetchall()
    mended += db.execute(_MEND_AREAS, {"areas": _json(areas)}).fetchall()
    return list({row["plan_id"] for row in mended})


def change(db: Connection, changed: Changed, relaid: Sequence[UUID]) -> None:
    """Write what is newer of seats and areas, and tell it to whoever watches.

    Who watches a plan that was `relaid` is told to read the whole map.
    """
    told = {"seats": _json(changed.seats), "areas": _json(changed.areas)}
    db.execute(_CHANGE, {**told, "relaid": list(relaid), "most": _TELL_AT_MOST})


def prune(db: Connection) -> None:
    """Forget changes that every client has heard of or will not ask for."""
    db.execute(_PRUNE, (_PRUNE_AT_MOST,))


def _json(rows: Rows) -> str:
    return orjson.dumps(rows, default=str).decode()
