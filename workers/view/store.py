"""Every SQL statement of the view service.

Rows travel as one JSON array a table: a batch is one statement, whatever it holds, and
PostgreSQL does the typing. Decimals are strings in it, so no amount passes through a float.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson
from psycopg import Cursor, sql
from psycopg.rows import class_row

from bus.stores.postgres import Connection
from schemas.auth import DeleteUser
from schemas.order import CancelOrder, RequestRefund
from workers.view.end import End
from workers.view.projections import Table, Values
from workers.view.shown import Shown

REPUBLISH_AFTER = tuple(timedelta(seconds=after) for after in (5, 20, 60, 180))
REPUBLISH_AT_MOST = 500
PERSONAL = r"^(auth|users)\."
"""The commands that are about people."""
SILENT_AFTER = timedelta(hours=1)
KEEP_NOTIFICATIONS = timedelta(hours=12)
PRUNE_AT_MOST = 50_000
_IDS_IN_A_NOTIFY = 200
"""Of 37 bytes each; PostgreSQL takes less than 8,000."""


class Happened(NamedTuple):
    """One event, as a step of an operation, in the timeline of an order, or both."""

    message_id: UUID
    type: str
    at: datetime
    operation_id: UUID | None
    order_id: UUID | None


class Notification(NamedTuple):
    """Something that a user is told of: an order, or an operation that has ended."""

    user_id: UUID
    kind: Literal["order", "operation"]
    about: UUID


class Pending(NamedTuple):
    """An operation that has not ended."""

    id: UUID
    type: str
    subject: str
    user_id: UUID | None


def replace(db: Connection, table: Table, rows: Iterable[Values]) -> None:
    """Insert rows, or replace those that are older; sorted by key, so that nobody deadlocks."""
    ordered = sorted(rows, key=table.key_of)
    db.execute(_replacing(table), (_json(ordered),))


@cache
def _replacing(table: Table) -> bytes:
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    news = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(each)) for each in table.columns]
    statement = sql.SQL(
        "INSERT INTO {table} AS known ({columns}) SELECT {columns}"
        " FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)"
        " ON CONFLICT ({key}) DO UPDATE SET {news} WHERE known.{revision} < excluded.{revision}"
    ).format(
        table=sql.Identifier(table.name),
        columns=columns,
        key=sql.SQL(", ").join(map(sql.Identifier, table.key)),
        news=sql.SQL(", ").join(news),
        revision=sql.Identifier(table.revision),
    )
    return statement.as_bytes(None)


def record(db: Connection, happened: Sequence[Happened]) -> None:
    """Add events to the steps of their operations and to the timelines of their orders."""
    db.execute(
        "WITH happened AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS each ("
        "  message_id uuid, type text, at timestamptz, operation_id uuid, order_id uuid)"
        " ), steps AS ("
        "  INSERT INTO operation_steps (operation_id, message_id, type, at)"
        "  SELECT operation_id, message_id, type, at FROM happened"
        "  WHERE operation_id IS NOT NULL ORDER BY 1, 2 ON CONFLICT DO NOTHING"
        " ) INSERT INTO order_timeline (order_id, message_id, type, at)"
        " SELECT order_id, message_id, type, at FROM happened"
        " WHERE order_id IS NOT NULL ORDER BY 1, 2 ON CONFLICT DO NOTHING",
        (_json([each._asdict() for each in happened]),),
    )


def lock_pending(
    db: Connection,
    operations: Collection[UUID],
    orders: Collection[UUID],
    given_back: Collection[UUID],
) -> Cursor[Pending]:
    """Lock and find what is pending of these operations and of those about these orders.

    About an order is the operation that placed it and, for one that was `given_back`, whichever
    asks for its cancellation or a refund: another message than its own may have done it.

    Whoever projects something that an operation waits for locks the operation after writing it
    and before looking for the rest in a statement of its own: of two transactions that each
    bring one half, the second waits for the first and then sees both halves.
    """
    return db.cursor(row_factory=class_row(Pending)).execute(
        "SELECT id, type, command ->> 'subject' AS subject, user_id FROM operations"
        " WHERE status = 'pending' AND id IN ("
        "  SELECT unnest(%(operations)s::uuid[])"
        "  UNION SELECT operation_id FROM orders WHERE order_id = ANY(%(orders)s::uuid[])"
        "  UNION SELECT id FROM operations WHERE %(given_back)s::text[] <> '{}'"
        "   AND status = 'pending' AND type = ANY(%(about)s)"
        "   AND command ->> 'subject' = ANY(%(given_back)s::text[]))"
        " ORDER BY id FOR NO KEY UPDATE",
        {
            "operations": list(operations),
            "orders": list(orders),
            "given_back": [str(each) for each in given_back],
            "about": [CancelOrder.TYPE, RequestRefund.TYPE],
        },
    )


def shown(db: Connection, operations: Collection[UUID], orders: Collection[str]) -> list[Shown]:
    """Return the orders that these operations placed, and these orders."""
    with db.cursor(row_factory=class_row(Shown)) as cursor:
        cursor.execute(
            "SELECT o.order_id, o.operation_id, o.user_id, o.status, o.cancel_reason, o.seated,"
            " o.items, o.total_amount, o.currency, o.expires_at, p.payment_id,"
            " p.status AS payment_status, p.authorisation,"
            " p.client_secret IS NOT NULL AS has_client_secret,"
            " ARRAY(SELECT r.service FROM order_releases r WHERE r.order_id = o.order_id)"
            "  AS released_by, o.cancel_detail, o.seats_taken,"
            " EXISTS(SELECT FROM seat_reservations r WHERE r.order_id = o.order_id)"
            "  AS seats_shown,"
            " p.captured_amount, p.refunded_amount, coalesce(p.refunds, '[]') AS refunds,"
            " o.released_version, coalesce((SELECT jsonb_object_agg(r.service, r.order_version)"
            "  FROM order_releases r WHERE r.order_id = o.order_id), '{}') AS releases"
            " FROM orders o LEFT JOIN payments p ON p.order_id = o.order_id"
            " WHERE o.operation_id = ANY(%s) OR o.order_id = ANY(%s::uuid[])",
            (list(operations), list(orders)),
        )
        return cursor.fetchall()


def steps(db: Connection, operations: Collection[UUID]) -> dict[UUID, list[str]]:
    """Return, by operation, the types of all that was said under it."""
    rows = db.execute(
        "SELECT operation_id, array_agg(type) AS types FROM operation_steps"
        " WHERE operation_id = ANY(%s) GROUP BY operation_id",
        (list(operations),),
    )
    return {row["operation_id"]: row["types"] for row in rows}


def finish(db: Connection, ends: dict[UUID, End], now: datetime) -> None:
    """End operations that have not ended yet, and tell whoever waits for them.

    A command is kept to be sent again while nothing is heard of it; what is personal in one is
    forgotten with that need, and so is the key of somebody who has left meanwhile.
    """
    rows = [vars(end) | {"id": operation} for operation, end in ends.items()]
    db.execute(
        "WITH told AS (SELECT e.*, o.type <> %s AND EXISTS"
        "  (SELECT FROM erased_users u WHERE u.user_id = o.user_id) AS has_left"
        "  FROM jsonb_to_recordset(%s::jsonb)"
        "  AS e(id uuid, status text, result jsonb, secret jsonb, error jsonb)"
        "  JOIN operations o USING (id)"
        " ), ended AS (UPDATE operations o SET status = e.status, finished_at = %s,"
        "  result = e.result, secret = e.secret, error = e.error,"
        "  command = CASE WHEN o.type ~ %s THEN o.command - '{data,subject}'::text[]"
        "   ELSE o.command END,"
        "  idempotency_key = CASE WHEN NOT e.has_left THEN o.idempotency_key END,"
        "  request_hash = CASE WHEN NOT e.has_left THEN o.request_hash END"
        "  FROM told e WHERE o.id = e.id AND o.status = 'pending' RETURNING o.id)"
        " SELECT pg_notify('operation_finished', id::text) FROM ended",
        (DeleteUser.TYPE, _json(rows), now, PERSONAL),
    )


def take_unanswered(db: Connection, now: datetime) -> list[dict[str, Any]]:
    """Return the commands of operations that had no first step in time, counting the attempt."""
    taken = db.execute(
        "WITH due AS ("
        " SELECT id FROM operations o WHERE status = 'pending'"
        " AND submitted_at < %(now)s - (%(after)s::interval[])[republished + 1]"
        " AND NOT EXISTS (SELECT FROM operation_steps s WHERE s.operation_id = o.id)"
        " ORDER BY submitted_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED)"
        " UPDATE operations o SET republished = republished + 1 FROM due WHERE o.id = due.id"
        " RETURNING o.command",
        {"now": now, "after": list(REPUBLISH_AFTER), "most": REPUBLISH_AT_MOST},
    )
    return [row["command"] for row in taken]


def silent(db: Connection, now: datetime) -> list[Pending]:
    """Return operations that were sent again as often as may be and never had a step."""
    with db.cursor(row_factory=class_row(Pending)) as cursor:
        cursor.execute(
            "SELECT id, type, command ->> 'subject' AS subject, user_id FROM operations o"
            " WHERE status = 'pending' AND republished >= %s AND submitted_at < %s"
            " AND NOT EXISTS (SELECT FROM operation_steps s WHERE s.operation_id = o.id)"
            " ORDER BY submitted_at LIMIT %s",
            [len(REPUBLISH_AFTER), now - SILENT_AFTER, REPUBLISH_AT_MOST],
        )
        return cursor.fetchall()


def notify(db: Connection, told: Collection[Notification]) -> None:
    """Tell users; the last thing that a transaction does, for it makes others of theirs wait.

    A user's numbers come from one row, locked from here to the commit: they are given in the
    order of the commits, so that who reads on from a number skips nothing. Other users' are
    given meanwhile. The rows are locked in one order, so that nobody deadlocks.
    """
    db.execute(
        "WITH told AS MATERIALIZED (SELECT user_id, kind, about,"
        "  row_number() OVER (PARTITION BY user_id) AS place, count(*) OVER (PARTITION BY user_id)"
        "  FROM jsonb_to_recordset(%s::jsonb) AS each (user_id uuid, kind text, about uuid)"
        " ), counted AS ("
        "  INSERT INTO notified AS known (user_id, last)"
        "  SELECT DISTINCT user_id, count FROM told ORDER BY user_id"
        "  ON CONFLICT (user_id) DO UPDATE SET last = known.last + excluded.last"
        "  RETURNING user_id, last"
        " ) INSERT INTO notifications (user_id, number, kind, about)"
        " SELECT user_id, last - count + place, kind, about FROM told JOIN counted USING (user_id)",
        (_json([each._asdict() for each in told]),),
    )


def ring(db: Connection, ids: Collection[UUID]) -> None:
    """Wake whoever follows these operations and users, once this transaction has committed."""
    named = [str(each) for each in ids]
    parts = range(0, len(named), _IDS_IN_A_NOTIFY)
    db.execute(
        "SELECT pg_notify('news', ids) FROM unnest(%s::text[]) AS ids",
        ([" ".join(named[at : at + _IDS_IN_A_NOTIFY]) for at in parts],),
    )


def prune_notifications(db: Connection, now: datetime) -> None:
    """Forget what users were told long ago; their numbers go on."""
    db.execute(
        "DELETE FROM notifications WHERE ctid = ANY(ARRAY("
        "SELECT ctid FROM notifications WHERE at < %s LIMIT %s))",
        [now - KEEP_NOTIFICATIONS, PRUNE_AT_MOST],
    )


def _json(rows: Sequence[Any]) -> str:
    return orjson.dumps(rows, default=str).decode()
