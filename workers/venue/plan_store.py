"""The statements about plans without their seats, and about the copy of tickets."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from bus.stores.postgres import Connection, jsonb_or_null
from schemas.ticket import TicketState
from schemas.venue import DEFAULT_HOLD_TTL_SEC
from workers.venue.plan import Plan
from workers.venue.tiers import PriceTier, TicketFacts

Row = dict[str, Any]

_PLANS = f"""
    SELECT p.id AS plan_id, p.venue_id, p.ticket_id, p.organizer_id, p.name, p.status,
        p.assignment_mode, p.pricing_mode, p.max_seats_per_order, p.focal_point, p.prevent_orphans,
        p.layout_json, p.sellable, p.version, p.revision, p.created_at, p.updated_at,
        t.ticket_type, t.price, t.currency, t.status AS ticket_status,
        coalesce(s.hold_ttl_sec, {DEFAULT_HOLD_TTL_SEC}) AS hold_ttl_sec,
        (SELECT jsonb_agg(jsonb_build_array(id, name, price::text) ORDER BY display_order)
         FROM price_tiers WHERE plan_id = p.id) AS tiers
    FROM seating_plans p JOIN tickets t ON t.id = p.ticket_id
    LEFT JOIN organizer_settings s ON s.organizer_id = p.organizer_id
    WHERE p.id = ANY(%s)
"""  # noqa: S608  # Our own number.
_SAVE_PLAN = """
    INSERT INTO seating_plans (id, venue_id, ticket_id, organizer_id, name, status,
        max_seats_per_order, assignment_mode, pricing_mode, layout_json, focal_point,
        prevent_orphans, sellable, version, revision, created_at, updated_at)
    VALUES (%(plan_id)s, %(venue_id)s, %(ticket_id)s, %(organizer_id)s, %(name)s, %(status)s,
        %(max_seats_per_order)s, %(assignment_mode)s, %(pricing_mode)s, %(layout_json)s,
        %(focal_point)s, %(prevent_orphans)s, %(sellable)s, %(version)s, %(revision)s,
        %(created_at)s, %(updated_at)s)
    ON CONFLICT (id) DO UPDATE SET venue_id = excluded.venue_id, name = excluded.name,
        status = excluded.status, max_seats_per_order = excluded.max_seats_per_order,
        assignment_mode = excluded.assignment_mode, pricing_mode = excluded.pricing_mode,
        layout_json = excluded.layout_json, focal_point = excluded.focal_point,
        prevent_orphans = excluded.prevent_orphans, sellable = excluded.sellable,
        version = excluded.version, revision = excluded.revision, updated_at = excluded.updated_at
"""


def learn_ticket(db: Connection, ticket: TicketState) -> bool:
    """Keep what a ticket is now; return whether that changed what its plans cost."""
    found = db.execute(
        """
        WITH before AS (SELECT price, currency FROM tickets WHERE id = %(ticket_id)s)
        INSERT INTO tickets (id, organizer_id, ticket_type, price, currency, status, revision)
        VALUES (%(ticket_id)s, %(organizer_id)s, %(ticket_type)s, %(price)s, %(currency)s,
            %(status)s, %(revision)s)
        ON CONFLICT (id) DO UPDATE SET price = excluded.price, currency = excluded.currency,
            status = excluded.status, revision = excluded.revision
            WHERE tickets.revision < excluded.revision
        RETURNING (price, currency) IS DISTINCT FROM
            ((SELECT price FROM before), (SELECT currency FROM before)) AS repriced
        """,
        vars(ticket),
    ).fetchone()
    return bool(found and found["repriced"])


def know_ticket(db: Connection, ticket_id: UUID, organizer_id: UUID, told: TicketFacts) -> None:
    """Keep what its owner said of a ticket of which nothing else was heard yet."""
    db.execute(
        "INSERT INTO tickets (id, organizer_id, ticket_type, price, currency, status, revision)"
        " VALUES (%s, %s, %s, %s, %s, %s, 0) ON CONFLICT DO NOTHING",
        [ticket_id, organizer_id, told.ticket_type, told.price, told.currency, told.status],
    )


def ticket(db: Connection, ticket_id: UUID) -> TicketFacts | None:
    """Return what is known of a ticket."""
    row = db.execute(
        "SELECT ticket_type, price, currency, status FROM tickets WHERE id = %s", [ticket_id]
    ).fetchone()
    return TicketFacts(**row) if row else None


def check_ticket(db: Connection, ticket_id: UUID, before: TicketFacts) -> None:
    """Check that a ticket is what a new plan was made of; until the commit it stays so.

    Whoever changes the ticket afterwards waits for the commit, and finds the plan.

    Raises:
        psycopg.errors.SerializationFailure: it is another by now, and the plan is made anew.
    """
    row = db.execute(
        "SELECT ticket_type, price, currency, status FROM tickets WHERE id = %s FOR SHARE",
        [ticket_id],
    ).fetchone()
    if row is None or TicketFacts(**row) != before:
        msg = f"ticket {ticket_id} has changed while a plan of it was made"
        raise psycopg.errors.SerializationFailure(msg)


def lock(db: Connection, plan_ids: Iterable[UUID]) -> dict[UUID, Plan]:
    """Return plans; nobody else changes them or their seats before this transaction ends.

    Whoever changes a seat has its plan's row: locked in one order, and before what waited for it
    is read, so that it is read as the last one left it.
    """
    wanted = list(plan_ids)
    db.execute(
        "SELECT FROM seating_plans WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [wanted]
    )
    return {row["plan_id"]: _plan(row) for row in db.execute(_PLANS, [wanted])}


def plans_of(db: Connection, ticket_ids: Iterable[UUID]) -> list[UUID]:
    """Return the ids of tickets' plans."""
    rows = db.execute("SELECT id FROM seating_plans WHERE ticket_id = ANY(%s)", [list(ticket_ids)])
    return [row["id"] for row in rows]


def plans_after(db: Connection, after: UUID, limit: int) -> list[UUID]:
    """Return the ids of up to `limit` plans that follow `after`."""
    rows = db.execute(
        "SELECT id FROM seating_plans WHERE id > %s ORDER BY id LIMIT %s", [after, limit]
    )
    return [row["id"] for row in rows]


def another_active(db: Connection, plan: Plan) -> bool:
    """Whether another plan of the same ticket is active."""
    rows = db.execute(
        "SELECT FROM seating_plans WHERE ticket_id = %s AND status = 'active' AND id <> %s",
        [plan.ticket_id, plan.plan_id],
    )
    return rows.fetchone() is not None


def save(db: Connection, plan: Plan) -> None:
    """Keep a plan, new or changed, without its tiers and its layout."""
    kept = vars(plan) | {
        "layout_json": jsonb_or_null(plan.layout_json),
        "focal_point": jsonb_or_null(plan.focal_point),
    }
    del kept["tiers"], kept["ticket"]
    db.execute(_SAVE_PLAN, kept)


def _plan(row: Row) -> Plan:
    tiers = [
        PriceTier(tier_id=UUID(tier_id), name=name, price=Decimal(price))
        for tier_id, name, price in row.pop("tiers") or []
    ]
    facts = TicketFacts(
        ticket_type=row.pop("ticket_type"),
        price=row.pop("price"),
        currency=row.pop("currency"),
        status=row.pop("ticket_status"),
    )
    return Plan(**row, tiers=tiers, ticket=facts)
