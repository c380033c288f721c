"""Every SQL statement of the order service."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bus.stores.postgres import Connection
from schemas.order import OrderItem
from schemas.payment import RefundStatus
from workers.order.ending import Ending
from workers.order.order import Order
from workers.order.refund import Refund

_COLUMNS = """
    o.id AS order_id, o.version AS order_version, o.user_id, o.ticket_id, o.organizer_id,
    o.reservation_id, o.status, o.step, o.cancel_reason, o.seated, o.method, o.total_amount,
    o.currency, o.expires_at, o.created_at, o.updated_at, o.operation_id, o.awaited_version, o.arms,
    o.refunded_amount, o.cancel_detail, o.seats_taken, o.payment_version,
    o.released_version,
    EXISTS (SELECT FROM cancelled_tickets c WHERE c.ticket_id = o.ticket_id) AS event_cancelled,
    i.id AS item_id, i.quantity, i.unit_price, i.seat_ids, i.seat_label, i.section_id, i.refunded,
    i.kept
"""
_ITEM = {
    *("item_id", "quantity", "unit_price", "seat_ids", "seat_label", "section_id", "refunded"),
    "kept",
}


def insert(db: Connection, order: Order) -> bool:
    """Keep a new order and its items, unless its event was called off; return whether it is."""
    kept = db.execute(
        """
        WITH placed AS (
            INSERT INTO orders (id, user_id, ticket_id, organizer_id, reservation_id, status, step,
                seated, method, version, awaited_version, arms, armed_at, expires_at, operation_id,
                created_at, updated_at)
            SELECT %(order_id)s, %(user_id)s, %(ticket_id)s, %(organizer_id)s, %(reservation_id)s,
                %(status)s, %(step)s, %(seated)s, %(method)s, %(order_version)s,
                %(awaited_version)s, %(arms)s, %(created_at)s, %(expires_at)s, %(operation_id)s,
                %(created_at)s, %(updated_at)s
            WHERE NOT EXISTS (SELECT FROM cancelled_tickets WHERE ticket_id = %(ticket_id)s)
            RETURNING id
        )
        INSERT INTO order_items (id, order_id, ticket_id, quantity, seat_ids, section_id)
        SELECT item_id, placed.id, %(ticket_id)s::text, quantity, seat_id, section_id
        FROM placed, unnest(%(item_ids)s::uuid[], %(quantities)s::integer[], %(seats)s::text[],
            %(sections)s::uuid[]) AS items (item_id, quantity, seat_id, section_id)
        """,
        vars(order)
        | {
            "item_ids": [item.id for item in order.items],
            "quantities": [item.quantity for item in order.items],
            "seats": [item.seat_id and str(item.seat_id) for item in order.items],
            "sections": [item.section_id for item in order.items],
        },
    )
    return kept.rowcount > 0


def lock(db: Connection, order_id: UUID) -> Order | None:
    """Return an order, so that nobody else changes it before this transaction ends."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM orders o JOIN order_items i ON i.order_id = o.id"  # noqa: S608  # Our own columns.
        " WHERE o.id = %s ORDER BY i.id FOR UPDATE OF o",
        [order_id],
    ).fetchall()
    return _order(rows) if rows else None


def save(db: Connection, order: Order) -> None:
    """Keep a changed order; its items stay as they are."""
    db.execute(
        """
        UPDATE orders SET organizer_id = %(organizer_id)s, status = %(status)s, step = %(step)s,
            cancel_reason = %(cancel_reason)s, seated = %(seated)s, version = %(order_version)s,
            total_amount = %(total_amount)s, currency = %(currency)s, arms = %(arms)s,
            awaited_version = %(awaited_version)s, expires_at = %(expires_at)s,
            refunded_amount = %(refunded_amount)s, cancel_detail = %(cancel_detail)s,
            seats_taken = %(seats_taken)s::uuid[], payment_version = %(payment_version)s,
            released_version = %(released_version)s,
            updated_at = %(updated_at)s,
            armed_at = CASE WHEN arms < %(arms)s THEN %(updated_at)s ELSE armed_at END
        WHERE id = %(order_id)s
        """,
        vars(order),
    )


def price(db: Connection, order: Order) -> None:
    """Keep the prices of an order's items."""
    db.execute(
        """
        UPDATE order_items i SET unit_price = priced.unit_price
        FROM unnest(%s::uuid[], %s::numeric[]) AS priced (id, unit_price) WHERE i.id = priced.id
        """,
        [[item.id for item in order.items], [item.unit_price for item in order.items]],
    )


def replace_items(db: Connection, order: Order) -> None:
    """Keep an order's items as they are now; those that it no longer has are gone."""
    db.execute(
        """
        WITH gone AS (
            DELETE FROM order_items WHERE order_id = %(order_id)s AND id <> ALL(%(ids)s::uuid[])
        )
        INSERT INTO order_items (id, order_id, ticket_id, quantity, unit_price, seat_ids,
            seat_label, section_id, refunded, kept)
        SELECT id, %(order_id)s, %(ticket_id)s::text, quantity, unit_price, seat_id, seat_label,
            section_id, refunded, kept
        FROM unnest(%(ids)s::uuid[], %(quantity)s::integer[], %(unit_price)s::numeric[],
            %(seat_id)s::text[], %(seat_label)s::text[], %(section_id)s::uuid[],
            %(refunded)s::boolean[], %(kept)s::boolean[]) AS items (id, quantity, unit_price,
            seat_id, seat_label, section_id, refunded, kept)
        ON CONFLICT (id) DO UPDATE SET unit_price = excluded.unit_price,
            seat_label = excluded.seat_label, section_id = excluded.section_id,
            refunded = excluded.refunded, kept = excluded.kept
        """,
        {
            "order_id": order.order_id,
            "ticket_id": order.ticket_id,
            "ids": [item.id for item in order.items],
            "seat_id": [item.seat_id and str(item.seat_id) for item in order.items],
        }
        | {
            name: [getattr(item, name) for item in order.items]
            for name in ("quantity", "unit_price", "seat_label", "section_id", "refunded", "kept")
        },
    )


def due(db: Connection, now: datetime, limit: int) -> list[UUID]:
    """Return orders due within a minute or overdue whose timer was not armed just now."""
    rows = db.execute(
        """
        SELECT id FROM orders
        WHERE (status IN ('PENDING', 'AWAITING_PAYMENT') OR step = 'retaking') AND expires_at < %s
        AND armed_at < %s ORDER BY expires_at LIMIT %s
        """,
        [now + timedelta(minutes=1), now - timedelta(seconds=25), limit],
    ).fetchall()
    return [row["id"] for row in rows]


def note_armed(db: Connection, order: Order, now: datetime) -> None:
    """Keep the number of an order's latest timer."""
    db.execute(
        "UPDATE orders SET arms = %s, armed_at = %s WHERE id = %s",
        [order.arms, now, order.order_id],
    )


def page_after(db: Connection, after: str, limit: int) -> list[UUID]:
    """Return up to `limit` order ids that follow `after`."""
    rows = db.execute(
        "SELECT id FROM orders WHERE id > %s ORDER BY id LIMIT %s",
        [UUID(after) if after else UUID(int=0), limit],
    ).fetchall()
    return [row["id"] for row in rows]


def insert_refund(db: Connection, refund: Refund, now: datetime) -> None:
    """Keep a refund that was asked for."""
    db.execute(
        "INSERT INTO order_refunds"
        " (id, order_id, amount, item_ids, keep_stock, winds_down, created_at)"
        " VALUES (%(refund_id)s, %(order_id)s, %(amount)s, %(item_ids)s::uuid[], %(keep_stock)s,"
        " %(winds_down)s, %(now)s)",
        vars(refund) | {"now": now},
    )


def pending_refunds(db: Connection, order_id: UUID) -> list[Refund]:
    """Return the refunds of an order that are under way."""
    rows = db.execute(
        "SELECT id AS refund_id, order_id, amount, item_ids, keep_stock, winds_down"
        " FROM order_refunds WHERE order_id = %s AND status = 'PENDING' ORDER BY id",
        [order_id],
    )
    return [Refund(**row) for row in rows]


def note_refunds(db: Connection, refunds: Mapping[UUID, RefundStatus]) -> bool:
    """Keep what became of refunds; return whether one failed that an organizer had asked for.

    Those that were not asked for here are somebody else's.
    """
    failed = db.execute(
        """
        UPDATE order_refunds r SET status = told.status
        FROM unnest(%s::uuid[], %s::text[]) AS told (id, status)
        WHERE r.id = told.id AND r.status <> told.status
        RETURNING told.status = 'FAILED' AND NOT r.winds_down AS failed
        """,
        [list(refunds), list(refunds.values())],
    )
    return any(row["failed"] for row in failed)


def page_of_ticket(db: Connection, ticket_id: UUID, after: UUID, limit: int) -> list[UUID]:
    """Return up to `limit` orders of a ticket whose ids follow `after`."""
    rows = db.execute(
        "SELECT id FROM orders WHERE ticket_id = %s AND id > %s ORDER BY id LIMIT %s",
        [ticket_id, after, limit],
    ).fetchall()
    return [row["id"] for row in rows]


def call_off(db: Connection, ticket_id: UUID, now: datetime, operation_id: UUID | None) -> None:
    """Keep that an event is off, and who waits for its orders' end; what had failed counts anew."""
    db.execute(
        """
        INSERT INTO cancelled_tickets AS known (ticket_id, cancelled_at, operation_ids)
        VALUES (%(ticket_id)s, %(now)s, array_remove(ARRAY[%(operation_id)s]::uuid[], NULL))
        ON CONFLICT (ticket_id) DO UPDATE
        SET told = -1, operation_ids = known.operation_ids || excluded.operation_ids
        """,
        {"ticket_id": ticket_id, "now": now, "operation_id": operation_id},
    )
    db.execute(
        "UPDATE order_refunds r SET winds_down = false FROM orders o WHERE o.id = r.order_id"
        " AND o.ticket_id = %s AND r.winds_down AND r.status = 'FAILED'",
        [ticket_id],
    )


def ending(db: Connection, ticket_id: UUID) -> Ending | None:
    """Count the orders of a cancelled event, one transaction after the other."""
    known = db.execute(
        "SELECT ticket_id, told, told_failed, revision, operation_ids FROM cancelled_tickets"
        " WHERE ticket_id = %s FOR UPDATE",
        [ticket_id],
    ).fetchone()
    counts = db.execute(
        """
        SELECT count(*) AS total,
            count(*) FILTER (WHERE status = 'CANCELLED'
                OR (status = 'EXPIRED' AND step <> 'retaking')) AS ended,
            count(*) FILTER (WHERE status = 'CONFIRMED' AND EXISTS (
                SELECT FROM order_refunds r WHERE r.order_id = o.id AND r.winds_down
                GROUP BY r.order_id HAVING every(r.status = 'FAILED'))) AS failed
        FROM orders o WHERE ticket_id = %s
        """,
        [ticket_id],
    ).fetchone()
    return Ending(**known, **counts) if known and counts else None


def note_told(db: Connection, ending: Ending) -> None:
    """Keep what was told; nobody waits any longer once it is complete."""
    db.execute(
        "UPDATE cancelled_tickets SET revision = revision + 1, told = %s, told_failed = %s,"
        " operation_ids = CASE WHEN %s THEN '{}' ELSE operation_ids END WHERE ticket_id = %s",
        [ending.done, ending.failed, ending.complete, ending.ticket_id],
    )


def _order(rows: list[dict[str, Any]]) -> Order:
    kept = {name: value for name, value in rows[0].items() if name not in _ITEM}
    return Order(**kept, items=[_item(row) for row in rows])


def _item(row: dict[str, Any]) -> OrderItem:
    return OrderItem(
        id=row["item_id"],
        quantity=row["quantity"],
        unit_price=row["unit_price"],
        seat_id=UUID(row["seat_ids"]) if row["seat_ids"] else None,
        seat_label=row["seat_label"],
        section_id=row["section_id"],
        refunded=row["refunded"],
        kept=row["kept"],
    )
