"""Every SQL statement about payments, their refunds, their trail and Stripe's events.

Those about the calls to Stripe are in `workers.payment.calls`.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from bus.stores.postgres import Connection, jsonb
from schemas.payment import Refund
from workers.payment.payment import Payment

_COLUMNS = """
    id AS payment_id, version AS payment_version, order_id, order_version, user_id, method, amount,
    currency, status, authorisation, captured_amount, refunded_amount, stripe_payment_intent_id,
    client_secret, failure, operation_id, created_at, updated_at,
    ARRAY(
        SELECT jsonb_build_object('refund_id', r.id, 'amount', r.amount::text, 'status', r.status,
            'item_ids', r.item_ids, 'keep_stock', r.keep_stock, 'failure', r.failure,
            'operation_id', r.operation_id)
        FROM refunds r WHERE r.payment_id = payments.id ORDER BY r.number
    ) AS refunds
"""
_UNSETTLED = "('none', 'authorized', 'capturing', 'voiding')"


def insert(db: Connection, payment: Payment) -> None:
    """Keep a new payment."""
    db.execute(
        """
        INSERT INTO payments (id, order_id, order_version, user_id, method, amount, currency,
            status, authorisation, version, operation_id, created_at, updated_at)
        VALUES (%(payment_id)s, %(order_id)s, %(order_version)s, %(user_id)s, %(method)s,
            %(amount)s, %(currency)s, %(status)s, %(authorisation)s, %(payment_version)s,
            %(operation_id)s, %(created_at)s, %(updated_at)s)
        """,
        vars(payment),
    )


def of_order(db: Connection, order_id: UUID) -> Payment | None:
    """Return an order's payment, locked."""
    return _one(db, "order_id = %s", order_id)


def lock(db: Connection, payment_id: UUID) -> Payment | None:
    """Return a payment, locked."""
    return _one(db, "id = %s", payment_id)


def read(db: Connection, payment_ids: Sequence[UUID]) -> dict[UUID, Payment]:
    """Return payments as they are, without waiting for anybody."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM payments WHERE id = ANY(%s)",  # noqa: S608  # Our own columns.
        [list(payment_ids)],
    )
    return {row["payment_id"]: _payment(row) for row in rows}


def of_intent(db: Connection, intent_id: str) -> Payment | None:
    """Return the payment that an intent belongs to, locked."""
    return _one(db, "stripe_payment_intent_id = %s", intent_id)


def save(db: Connection, payment: Payment) -> None:
    """Keep a changed payment."""
    db.execute(
        """
        UPDATE payments SET order_version = %(order_version)s, status = %(status)s,
            authorisation = %(authorisation)s, captured_amount = %(captured_amount)s,
            refunded_amount = %(refunded_amount)s, client_secret = %(client_secret)s,
            stripe_payment_intent_id = %(stripe_payment_intent_id)s, failure = %(failure)s,
            version = %(payment_version)s, updated_at = %(updated_at)s
        WHERE id = %(payment_id)s
        """,
        vars(payment),
    )


def record(  # noqa: PLR0913, PLR0917  # One row.
    db: Connection,
    record_id: UUID,
    payment_id: UUID,
    event_type: str,
    now: datetime,
    payload: dict[str, Any],
) -> None:
    """Add a line to the audit trail."""
    db.execute(
        "INSERT INTO payment_records (id, payment_id, event_type, payload, recorded_at)"
        " VALUES (%s, %s, %s, %s, %s)",
        [record_id, payment_id, event_type, jsonb(payload), now],
    )


def keep_webhook(  # noqa: PLR0913, PLR0917  # One row.
    db: Connection,
    webhook_id: UUID,
    stripe_event_id: str,
    event_type: str,
    body: dict[str, Any],
    now: datetime,
) -> bool:
    """Keep what Stripe told; return whether it is news."""
    kept = db.execute(
        "INSERT INTO payment_webhooks (id, stripe_event_id, event_type, body, received_at)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (stripe_event_id) DO NOTHING RETURNING id",
        [webhook_id, stripe_event_id, event_type, jsonb(body), now],
    )
    return kept.fetchone() is not None


def webhook_done(db: Connection, webhook_id: UUID, payment_id: UUID, now: datetime) -> None:
    """Note whose it was, and that it was acted on; of somebody erased, keep ids."""
    db.execute(
        "UPDATE payment_webhooks SET payment_id = %(payment)s, processed_at = %(now)s,"
        " body = CASE WHEN EXISTS (SELECT FROM payments p JOIN erased_users USING (user_id)"
        "  WHERE p.id = %(payment)s) THEN only_ids(body) ELSE body END WHERE id = %(id)s",
        {"payment": payment_id, "now": now, "id": webhook_id},
    )


def erase(db: Connection, user_id: UUID) -> None:
    """Cut what Stripe told of a user's payments, and will tell, down to ids."""
    db.execute("INSERT INTO erased_users VALUES (%s) ON CONFLICT DO NOTHING", [user_id])
    db.execute(
        "UPDATE payment_webhooks w SET body = only_ids(w.body) FROM payments p"
        " WHERE p.id = w.payment_id AND p.user_id = %s",
        [user_id],
    )


def page_after(db: Connection, after: str, limit: int) -> list[Payment]:
    """Return up to `limit` payments whose ids follow `after`."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM payments WHERE id > %s ORDER BY id LIMIT %s",  # noqa: S608  # Our own columns.
        [UUID(after) if after else UUID(int=0), limit],
    )
    return [_payment(row) for row in rows]


def keep_refund(
    db: Connection,
    payment_id: UUID,
    refund: Refund,
    now: datetime,
    *,
    stripe_refund_id: str | None = None,
) -> None:
    """Keep a new or changed refund; an id of Stripe's that is not given is not known."""
    db.execute(
        """
        INSERT INTO refunds (id, payment_id, amount, status, item_ids, keep_stock, failure,
            operation_id, stripe_refund_id, created_at, updated_at)
        VALUES (%(refund_id)s, %(payment_id)s, %(amount)s, %(status)s, %(item_ids)s,
            %(keep_stock)s, %(failure)s, %(operation_id)s, %(stripe_refund_id)s, %(now)s, %(now)s)
        ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, status = excluded.status,
            failure = excluded.failure, operation_id = excluded.operation_id,
            stripe_refund_id = excluded.stripe_refund_id, updated_at = excluded.updated_at
        """,
        vars(refund) | {"payment_id": payment_id, "stripe_refund_id": stripe_refund_id, "now": now},
    )


def stripe_refunds(db: Connection, payment_id: UUID) -> dict[UUID, str | None]:
    """Return Stripe's ids of a payment's refunds, as far as they are known, by ours."""
    rows = db.execute(
        "SELECT id, stripe_refund_id FROM refunds WHERE payment_id = %s", [payment_id]
    )
    return {row["id"]: row["stripe_refund_id"] for row in rows}


def unknown_webhooks(db: Connection, since: datetime, limit: int) -> list[dict[str, Any]]:
    """Return events that named no payment's intent and that one knows now, the oldest first."""
    return db.execute(
        """
        SELECT w.id, w.stripe_event_id, w.event_type, w.body, p.id AS payment_id
        FROM payment_webhooks w JOIN payments p ON p.stripe_payment_intent_id = CASE
            WHEN w.body #>> '{data,object,object}' = 'payment_intent'
            THEN w.body #>> '{data,object,id}' ELSE w.body #>> '{data,object,payment_intent}' END
        WHERE w.processed_at IS NULL AND w.received_at > %s ORDER BY w.received_at LIMIT %s
        """,
        [since, limit],
    ).fetchall()


def to_be_asked(db: Connection, now: datetime, before: datetime, limit: int) -> list[UUID]:
    """Take payments whose money may have moved unheard: not asked about since `before`.

    Those that wait for a call anyway are left out, those that somebody works on are for later.
    """
    rows = db.execute(
        f"""
        UPDATE payments SET asked_at = %(now)s WHERE id IN (
            SELECT id FROM payments p
            WHERE stripe_payment_intent_id IS NOT NULL
            AND coalesce(asked_at, created_at) < %(before)s
            AND (authorisation IN {_UNSETTLED}
                OR id IN (SELECT payment_id FROM refunds WHERE status = 'PENDING'))
            AND NOT EXISTS (SELECT FROM gateway_calls c
                WHERE c.payment_id = p.id AND c.state IN ('due', 'running'))
            ORDER BY coalesce(asked_at, created_at) LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        ) RETURNING id
        """,  # noqa: S608  # Our own words.
        {"now": now, "before": before, "limit": limit},
    )
    return [row["id"] for row in rows]


def _one(db: Connection, condition: str, value: object) -> Payment | None:
    row = db.execute(
        f"SELECT {_COLUMNS} FROM payments WHERE {condition} FOR UPDATE",  # noqa: S608  # Our own words.
        [value],
    ).fetchone()
    return _payment(row) if row else None


def _payment(row: dict[str, Any]) -> Payment:
    refunds = [
        Refund(
            **each
            | {
                "refund_id": UUID(each["refund_id"]),
                "amount": Decimal(each["amount"]),
                "item_ids": [UUID(item) for item in each["item_ids"]],
                "operation_id": UUID(each["operation_id"]) if each["operation_id"] else None,
            }
        )
        for each in row["refunds"]
    ]
    return Payment(**row | {"refunds": refunds})
