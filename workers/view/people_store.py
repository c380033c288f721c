"""Every SQL statement of the view service about forgetting people and secrets."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import sql

from bus.stores.postgres import Connection
from schemas.auth import DeleteUser
from workers.view.projections import ACCOUNTS, PEOPLE

_SECRET_FOR = timedelta(minutes=1)
_AT_MOST = 500


def forget(db: Connection, deleted: Collection[UUID], touched: Collection[UUID]) -> None:
    """Forget the `deleted` users, and what of the `touched` came after they were.

    A key is a client's own words, and nobody can ask with it any more; but for the one with which
    the deletion was asked for.
    """
    if deleted:
        db.execute(
            "INSERT INTO erased_users SELECT unnest(%s::uuid[]) ON CONFLICT DO NOTHING",
            (list(deleted),),
        )
        db.execute(
            "UPDATE operations SET idempotency_key = NULL, request_hash = NULL"
            " WHERE user_id = ANY(%s) AND idempotency_key IS NOT NULL AND status <> 'pending'"
            " AND type <> %s",
            (list(deleted), DeleteUser.TYPE),
        )
    for table in (ACCOUNTS, PEOPLE):
        db.execute(
            sql.SQL(
                "DELETE FROM {} WHERE user_id = ANY(%s)"
                " AND user_id IN (SELECT user_id FROM erased_users)"
            ).format(sql.Identifier(table.name)),
            (list(touched),),
        )


def forget_secrets(db: Connection, now: datetime) -> None:
    """Forget some of the secrets that nobody came for, and personal commands that are out."""
    db.execute(
        "UPDATE operations SET secret = NULL WHERE id = ANY(ARRAY("
        " SELECT id FROM operations WHERE secret IS NOT NULL AND finished_at < %s"
        " LIMIT %s FOR NO KEY UPDATE SKIP LOCKED))",
        (now - _SECRET_FOR, _AT_MOST),
    )
    db.execute(
        "DELETE FROM outbox WHERE id = ANY(ARRAY(SELECT id FROM outbox"
        " WHERE event_type ~ '^(auth|users)\\.' AND published_at IS NOT NULL LIMIT %s))",
        (_AT_MOST,),
    )
