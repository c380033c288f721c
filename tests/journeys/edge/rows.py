"""Rows that the view service would write: the tests play its part."""

import uuid
from typing import Any

import orjson
import psycopg
from psycopg import sql
from psycopg.rows import DictRow


def finish(views: psycopg.Connection[DictRow], operation_id: str, **given: object) -> None:
    """End an operation as the view service does: the row and the notification together."""
    told = {"status": "succeeded", "result": None, "error": None, "secret": None} | given
    for name in ("result", "error", "secret"):
        told[name] = None if told[name] is None else orjson.dumps(told[name]).decode()
    with views.transaction():
        done = views.execute(
            """
            UPDATE operations SET status = %(status)s, finished_at = now(),
                result = %(result)s, error = %(error)s, secret = %(secret)s WHERE id = %(id)s
            """,
            told | {"id": operation_id},
        )
        assert done.rowcount == 1
        views.execute("SELECT pg_notify('operation_finished', %s)", (operation_id,))


def add_step(views: psycopg.Connection[DictRow], operation_id: str) -> None:
    """Say that an event of this operation was seen."""
    views.execute(
        "INSERT INTO operation_steps VALUES (%s, %s, 'tickets.reservation.held', now())",
        (operation_id, uuid.uuid4()),
    )


def add_ticket(views: psycopg.Connection[DictRow], **given: object) -> dict[str, Any]:
    """Show a ticket."""
    row: dict[str, Any] = {
        "ticket_id": uuid.uuid4(),
        "organizer_id": uuid.uuid4(),
        "title": "Gig",
        "price": "10",
        "currency": "EUR",
        "quota": 10,
        "reserved": 1,
        "sold": 2,
        "max_per_user": 4,
        "ticket_type": "GA",
        "status": "on_sale",
        "event": '{"title": "Night", "starts_at": "2037-01-01T19:00:00+00:00",'
        ' "ends_at": "2037-01-01T23:00:00+00:00", "venue": null}',
        "starts_at": "2037-01-01T19:00:00Z",
        "version": 1,
        "revision": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    } | given
    _insert(views, "tickets", row)
    return row


def add_order(views: psycopg.Connection[DictRow], **given: object) -> dict[str, Any]:
    """Show an order that can be paid."""
    row: dict[str, Any] = {
        "order_id": uuid.uuid4(),
        "order_version": 2,
        "user_id": uuid.uuid4(),
        "ticket_id": uuid.uuid4(),
        "organizer_id": uuid.uuid4(),
        "reservation_id": uuid.uuid4(),
        "status": "AWAITING_PAYMENT",
        "step": "payable",
        "method": "CARD",
        "items": orjson.dumps(
            [{"id": str(uuid.uuid4()), "quantity": 2, "unit_price": "10"}]
        ).decode(),
        "total_amount": "20",
        "currency": "EUR",
        "expires_at": "2037-01-01T00:00:00Z",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "operation_id": uuid.uuid4(),
    } | given
    _insert(views, "orders", row)
    return row


def add_payment(
    views: psycopg.Connection[DictRow], order_row: dict[str, Any], **given: object
) -> dict[str, Any]:
    """Show the payment of an order."""
    row: dict[str, Any] = {
        "payment_id": uuid.uuid4(),
        "payment_version": 1,
        "order_id": order_row["order_id"],
        "order_version": 2,
        "user_id": order_row["user_id"],
        "method": "CARD",
        "amount": order_row["total_amount"],
        "currency": order_row["currency"],
        "status": "PENDING",
        "authorisation": "none",
        "captured_amount": 0,
        "refunded_amount": 0,
        "updated_at": "2026-01-01T00:00:00Z",
    } | given
    _insert(views, "payments", row)
    return row


def add_venue(views: psycopg.Connection[DictRow], **given: object) -> dict[str, Any]:
    """Show a venue."""
    row: dict[str, Any] = {
        "venue_id": uuid.uuid4(),
        "organizer_id": uuid.uuid4(),
        "name": "Hall",
        "capacity": 300,
        "timezone": "Europe/Berlin",
        "address": "1 Road",
        "sections": [],
        "revision": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    } | given
    row["sections"] = orjson.dumps(row["sections"]).decode()
    _insert(views, "venues", row)
    return row


def _insert(views: psycopg.Connection[DictRow], table: str, row: dict[str, Any]) -> None:
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(sql.Identifier(name) for name in row),
        sql.SQL(", ").join(sql.Placeholder(name) for name in row),
    )
    views.execute(statement, row)


def ring(views: psycopg.Connection[DictRow], about: object) -> None:
    """Wake whoever follows an operation or a user."""
    views.execute("SELECT pg_notify('news', %s)", (str(about),))
