"""Every SQL statement of the user service."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from bus.stores.postgres import Connection
from schemas.user import BillingAddress, Preferences, Profile
from workers.user.user import User

_READ = """
    SELECT p.user_id, p.revision, p.display_name, p.locale, p.timezone,
        s.marketing_opt_in, s.order_updates, s.product_updates,
        a.line1, a.line2, a.city, a.postal_code, a.country
    FROM user_profiles p JOIN user_preferences s USING (user_id)
        LEFT JOIN billing_addresses a USING (user_id)
"""


class Unfinished(NamedTuple):
    """A deletion that something in the outbox is in the way of."""

    user_id: UUID
    operation_id: UUID | None


def lock(db: Connection, user_id: UUID) -> User | None:
    """Return a user whom nobody else changes until this transaction ends."""
    row = db.execute(f"{_READ} WHERE p.user_id = %s FOR UPDATE OF p", [str(user_id)]).fetchone()
    return _user(row) if row else None


def page_after(db: Connection, after: str, limit: int) -> list[User]:
    """Return up to `limit` users whose ids follow `after`."""
    rows = db.execute(f"{_READ} WHERE p.user_id > %s ORDER BY p.user_id LIMIT %s", [after, limit])
    return [_user(row) for row in rows]


def save(db: Connection, user: User, now: datetime) -> None:
    """Write a user, new or changed."""
    row = {"user_id": str(user.user_id), "revision": user.revision, "now": now}
    row |= vars(user.profile) | vars(user.preferences)
    db.execute(
        "INSERT INTO user_profiles (user_id, display_name, locale, timezone, revision,"
        " created_at, updated_at) VALUES (%(user_id)s, %(display_name)s, %(locale)s,"
        " %(timezone)s, %(revision)s, %(now)s, %(now)s) ON CONFLICT (user_id) DO UPDATE"
        " SET display_name = excluded.display_name, locale = excluded.locale,"
        " timezone = excluded.timezone, revision = excluded.revision,"
        " updated_at = excluded.updated_at",
        row,
    )
    db.execute(
        "INSERT INTO user_preferences (user_id, marketing_opt_in, order_updates, product_updates)"
        " VALUES (%(user_id)s, %(marketing_opt_in)s, %(order_updates)s, %(product_updates)s)"
        " ON CONFLICT (user_id) DO UPDATE SET marketing_opt_in = excluded.marketing_opt_in,"
        " order_updates = excluded.order_updates, product_updates = excluded.product_updates",
        row,
    )
    if user.billing_address is not None:
        db.execute(
            "INSERT INTO billing_addresses (user_id, line1, line2, city, postal_code, country)"
            " VALUES (%(user_id)s, %(line1)s, %(line2)s, %(city)s, %(postal_code)s, %(country)s)"
            " ON CONFLICT (user_id) DO UPDATE SET line1 = excluded.line1, line2 = excluded.line2,"
            " city = excluded.city, postal_code = excluded.postal_code,"
            " country = excluded.country",
            row | vars(user.billing_address),
        )


def erase(db: Connection, user_id: UUID, operation_id: UUID | None, now: datetime) -> None:
    """Forget a user, and never keep anything of them again."""
    db.execute(
        "INSERT INTO erasures (user_id, operation_id, deleted_at) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        [str(user_id), operation_id, now],
    )
    db.execute("DELETE FROM user_profiles WHERE user_id = %s", [str(user_id)])


def is_erased(db: Connection, user_id: UUID) -> bool:
    """Whether the user's account was deleted."""
    found = db.execute("SELECT FROM erasures WHERE user_id = %s", [str(user_id)])
    return found.rowcount == 1


def unfinished(db: Connection, limit: int) -> Sequence[Unfinished]:
    """Return deletions that are not done, the oldest first; another process's are left to it."""
    rows = db.execute(
        "SELECT user_id, operation_id FROM erasures WHERE finished_at IS NULL"
        " ORDER BY deleted_at LIMIT %s FOR UPDATE SKIP LOCKED",
        [limit],
    )
    return [Unfinished(UUID(row["user_id"]), row["operation_id"]) for row in rows]


def finish_erasure(db: Connection, user_id: UUID, now: datetime) -> bool:
    """Forget what was said of a user, and note that all is done; False while it is being said."""
    db.execute("DELETE FROM outbox WHERE aggregate_id = %s AND published_at IS NOT NULL", [user_id])
    done = db.execute(
        "UPDATE erasures SET finished_at = %s WHERE user_id = %s AND finished_at IS NULL"
        " AND NOT EXISTS (SELECT FROM outbox WHERE aggregate_id = %s)",
        [now, str(user_id), user_id],
    )
    return done.rowcount == 1


def _user(row: dict[str, Any]) -> User:
    return User(
        user_id=UUID(row["user_id"]),
        revision=row["revision"],
        profile=Profile(**_of(Profile, row)),
        preferences=Preferences(**_of(Preferences, row)),
        billing_address=None
        if row["line1"] is None
        else BillingAddress(**_of(BillingAddress, row)),
    )


def _of(part: type, row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in part.__annotations__}
