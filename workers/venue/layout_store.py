"""The statements about whole layouts: sections and seats, in their plan's order."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import orjson

from bus.pace import in_parts
from bus.stores.postgres import Connection, jsonb, jsonb_or_null
from workers.venue import plan_store
from workers.venue.hall import Hall, Section
from workers.venue.hall import Seat as Place
from workers.venue.layout import Offer, PlanSeat, PlanSection
from workers.venue.plan import Plan
from workers.venue.position import point, position

_PART = 250
"""Seats of a new plan that are written at once."""

_SECTIONS = """
    SELECT s.id AS section_id, s.name, s.type, s.row_count, s.column_count, t.name AS tier,
        s.position_json, s.capacity, s.reserved, s.sold
    FROM sections s LEFT JOIN price_tiers t ON t.id = s.price_tier_id
    WHERE s.plan_id = %s ORDER BY s.display_order
"""
_SEATS = """
    SELECT s.section_id, s.id AS seat_id, s.row_number AS row, s.column_number AS column,
        s.row_label, s.seat_label AS label, t.name AS tier, s.attributes, s.status
    FROM seats s LEFT JOIN price_tiers t ON t.id = s.price_tier_id
    WHERE s.plan_id = %s ORDER BY s.number
"""
_OFFERS = """
    SELECT s.name, t.name AS tier, CASE s.type WHEN 'ga' THEN ARRAY[NULL] ELSE ARRAY(
        SELECT t.name FROM (
            SELECT DISTINCT price_tier_id AS id FROM seats
            WHERE section_id = s.id AND status <> 'BLOCKED'
        ) used LEFT JOIN price_tiers t USING (id)) END AS seat_tiers
    FROM sections s LEFT JOIN price_tiers t ON t.id = s.price_tier_id
    WHERE s.plan_id = %s ORDER BY s.display_order
"""
_SAVE_TIERS = """
    INSERT INTO price_tiers (id, plan_id, name, price, display_order, created_at)
    SELECT id, %s, name, price, place, %s
    FROM unnest(%s::uuid[], %s::text[], %s::numeric[]) WITH ORDINALITY AS t (id, name, price, place)
    ON CONFLICT (id) DO UPDATE SET price = excluded.price, display_order = excluded.display_order
"""
_SAVE_SECTION = """
    INSERT INTO sections (id, plan_id, name, type, row_count, column_count, price_tier_id,
        position_json, display_order, capacity, created_at, updated_at)
    VALUES (%(section_id)s, %(plan_id)s, %(name)s, %(type)s, %(row_count)s, %(column_count)s,
        %(tier_id)s, %(position)s, %(display_order)s, %(capacity)s, %(now)s, %(now)s)
    ON CONFLICT (id) DO UPDATE SET row_count = excluded.row_count,
        column_count = excluded.column_count, price_tier_id = excluded.price_tier_id,
        position_json = excluded.position_json, display_order = excluded.display_order,
        capacity = excluded.capacity, updated_at = excluded.updated_at,
        revision = sections.revision + (sections.capacity IS DISTINCT FROM excluded.capacity)::int
"""
_COPY_SEATS = """
    COPY seats (id, section_id, plan_id, price_tier_id, seat_label, row_label, row_number,
        column_number, number, attributes, created_at, updated_at) FROM STDIN
"""
_CHANGE_SEATS = """
    UPDATE seats s SET seat_label = w.label, price_tier_id = w.tier_id, number = w.number,
        attributes = w.attributes::jsonb, version = s.version + 1, updated_at = %s
    FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::integer[], %s::text[])
        AS w (id, label, tier_id, number, attributes)
    WHERE s.id = w.id AND (s.seat_label, s.price_tier_id, s.number, s.attributes)
        IS DISTINCT FROM (w.label, w.tier_id, w.number, w.attributes::jsonb)
"""


def sections(db: Connection, plan_id: UUID) -> list[PlanSection]:
    """Return a plan's sections with all their seats, in the plan's order."""
    rows = db.execute(_SEATS, [plan_id]).fetchall()
    seats: dict[UUID, list[PlanSeat]] = {
        section_id: [PlanSeat(**seat) for seat in in_section]
        for section_id, in_section in groupby(rows, key=lambda row: row.pop("section_id"))
    }
    return [
        PlanSection(**row, seats=seats.get(row["section_id"], []))
        for row in db.execute(_SECTIONS, [plan_id])
    ]


def offers(db: Connection, plan_id: UUID) -> list[Offer]:
    """Return at which price tiers each section can be sold, without its thousands of seats."""
    return [Offer(**row) for row in db.execute(_OFFERS, [plan_id])]


def hall(db: Connection, plan: Plan) -> Hall:
    """Return how a plan's seats lie."""
    rows = db.execute(
        "SELECT section_id, id, row_number, column_number, attributes FROM seats"
        " WHERE plan_id = %s ORDER BY number",
        [plan.plan_id],
    ).fetchall()
    places = {
        section_id: [_place(row) for row in of_section]
        for section_id, of_section in groupby(rows, key=lambda row: row["section_id"])
    }
    found = db.execute(
        "SELECT id, position_json FROM sections WHERE plan_id = %s AND type = 'seated'"
        " ORDER BY display_order",
        [plan.plan_id],
    )
    sections = [
        Section(
            section_id=row["id"],
            position=position(row["position_json"]),
            seats=places.get(row["id"], []),
        )
        for row in found
    ]
    return Hall(sections, point(plan.focal_point))


def insert(db: Connection, plan: Plan, laid: Sequence[PlanSection]) -> None:
    """Keep a new plan, whole."""
    plan_store.save(db, plan)
    _save_tiers(db, plan)
    _save_sections(db, plan, laid)
    for part in in_parts(_numbered(laid), _PART):
        _copy(db, plan, part)


def replace_layout(
    db: Connection, plan: Plan, before: Sequence[PlanSection], after: Sequence[PlanSection]
) -> None:
    """Keep an edited plan, whole; what stays of the seats keeps its row."""
    plan_store.save(db, plan)
    _save_tiers(db, plan)
    _save_sections(db, plan, after)
    known = {seat.seat_id for section in before for seat in section.seats}
    numbered = list(_numbered(after))
    left = {seat.seat_id for _, _, seat in numbered}
    db.execute("DELETE FROM seats WHERE id = ANY(%s)", [list(known - left)])
    _change(db, plan, [each for each in numbered if each[2].seat_id in known])
    _copy(db, plan, (each for each in numbered if each[2].seat_id not in known))
    db.execute(
        "DELETE FROM sections WHERE plan_id = %s AND id <> ALL(%s)",
        [plan.plan_id, [section.section_id for section in after]],
    )
    db.execute(
        "DELETE FROM price_tiers WHERE plan_id = %s AND id <> ALL(%s)",
        [plan.plan_id, [tier.tier_id for tier in plan.tiers]],
    )


def _save_tiers(db: Connection, plan: Plan) -> None:
    db.execute(
        _SAVE_TIERS,
        [
            plan.plan_id,
            plan.created_at,
            [tier.tier_id for tier in plan.tiers],
            [tier.name for tier in plan.tiers],
            [tier.price for tier in plan.tiers],
        ],
    )


def _save_sections(db: Connection, plan: Plan, laid: Sequence[PlanSection]) -> None:
    tiers = _tier_ids(plan)
    with db.cursor() as cursor:
        cursor.executemany(
            _SAVE_SECTION,
            [
                {
                    "section_id": section.section_id,
                    "plan_id": plan.plan_id,
                    "name": section.name,
                    "type": section.type,
                    "row_count": section.row_count,
                    "column_count": section.column_count,
                    "tier_id": tiers[section.tier],
                    "position": jsonb_or_null(section.position_json),
                    "display_order": place,
                    "capacity": section.capacity,
                    "now": plan.updated_at,
                }
                for place, section in enumerate(laid)
            ],
        )


Numbered = tuple[int, UUID, PlanSeat]


def _numbered(laid: Iterable[PlanSection]) -> Iterator[Numbered]:
    """Go through the seats with their numbers, their places in the plan's order."""
    seats = ((section.section_id, seat) for section in laid for seat in section.seats)
    for number, (section_id, seat) in enumerate(seats):
        yield number, section_id, seat


def _copy(db: Connection, plan: Plan, seats: Iterable[Numbered]) -> None:
    tiers, now = _tier_ids(plan), plan.updated_at
    with db.cursor() as cursor, cursor.copy(_COPY_SEATS) as copy:
        for number, section_id, seat in seats:
            copy.write_row(
                (
                    seat.seat_id,
                    section_id,
                    plan.plan_id,
                    tiers[seat.tier],
                    seat.label,
                    seat.row_label,
                    seat.row,
                    seat.column,
                    number,
                    jsonb(seat.attributes) if seat.attributes else None,
                    now,
                    now,
                )
            )


def _change(db: Connection, plan: Plan, seats: Sequence[Numbered]) -> None:
    tiers, now = _tier_ids(plan), plan.updated_at
    db.execute(
        _CHANGE_SEATS,
        [
            now,
            [seat.seat_id for _, _, seat in seats],
            [seat.label for _, _, seat in seats],
            [tiers[seat.tier] for _, _, seat in seats],
            [number for number, _, _ in seats],
            [_text(seat.attributes) for _, _, seat in seats],
        ],
    )


def _text(attributes: dict[str, Any] | None) -> str | None:
    return orjson.dumps(attributes).decode() if attributes else None


def _tier_ids(plan: Plan) -> dict[str | None, UUID | None]:
    return {None: None} | {tier.name: tier.tier_id for tier in plan.tiers}


def _place(row: dict[str, Any]) -> Place:
    told = row["attributes"] or {}
    return Place(
        seat_id=row["id"],
        row=row["row_number"],
        column=row["column_number"],
        accessible=told.get("accessible", False),
        companion=told.get("companion", False),
        restricted_view=told.get("restricted_view", False),
    )
