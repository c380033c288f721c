"""Every SQL statement of the auth service."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from bus.stores.postgres import Connection
from workers.auth.key import SigningKey
from workers.auth.session import Session
from workers.auth.user import User

_KEEP_REVOKED = timedelta(days=1)
_KEYS_LOCK = 0x6B657973
"""Names the advisory lock under which signing keys are made ("keys" in ASCII)."""


_SAID_OF = """payload -> 'data' ? 'email' AND lower(btrim(payload -> 'data' ->> 'email'))
    = (SELECT email FROM erasures WHERE user_id = %(user_id)s)"""
"""A condition on the outbox: it is about the address of a deleted user, in any spelling."""


def user_of(db: Connection, email: str) -> User | None:
    """Return the user with this normalised address."""
    with db.cursor(row_factory=class_row(User)) as cursor:
        cursor.execute("SELECT * FROM users WHERE email = %s", (email,))
        return cursor.fetchone()


def lock_user_of(db: Connection, email: str) -> User | None:
    """Return the user with this normalised address; see `lock_user`."""
    with db.cursor(row_factory=class_row(User)) as cursor:
        cursor.execute("SELECT * FROM users WHERE email = %s FOR NO KEY UPDATE", (email,))
        return cursor.fetchone()


def lock_user(db: Connection, user_id: UUID) -> User | None:
    """Return a user whose password and sessions nobody else touches until the transaction ends."""
    with db.cursor(row_factory=class_row(User)) as cursor:
        cursor.execute("SELECT * FROM users WHERE id = %s FOR NO KEY UPDATE", (user_id,))
        return cursor.fetchone()


def insert_user(db: Connection, user: User) -> bool:
    """Add a user; False, and nothing written, when the address is taken."""
    added = db.execute(
        "INSERT INTO users (id, email, password_hash, created_at, updated_at)"
        " VALUES (%(id)s, %(email)s, %(password_hash)s, %(created_at)s, %(updated_at)s)"
        " ON CONFLICT (email) DO NOTHING",
        asdict(user),
    )
    return added.rowcount == 1


def replace_password(db: Connection, user: User, password_hash: str, now: datetime) -> None:
    """Keep another hash."""
    db.execute(
        "UPDATE users SET password_hash = %s, updated_at = %s WHERE id = %s",
        (password_hash, now, user.id),
    )


def page_after(db: Connection, after: str, limit: int) -> list[User]:
    """Return up to `limit` users whose ids follow `after`."""
    with db.cursor(row_factory=class_row(User)) as cursor:
        cursor.execute(
            "SELECT * FROM users WHERE id > %s ORDER BY id LIMIT %s",
            (UUID(after) if after else UUID(int=0), limit),
        )
        return cursor.fetchall()


def delete_user(db: Connection, user: User, operation_id: UUID | None, now: datetime) -> None:
    """Remove a user and their sessions; what was said of them is still to be forgotten."""
    db.execute("DELETE FROM users WHERE id = %s", (user.id,))
    db.execute(
        "INSERT INTO erasures (user_id, email, operation_id, deleted_at) VALUES (%s, %s, %s, %s)",
        (user.id, user.email, operation_id, now),
    )


def unfinished_erasures(db: Connection, limit: int) -> list[tuple[UUID, UUID | None]]:
    """Return deletions that are not done; another process's are left to it."""
    rows = db.execute(
        "SELECT user_id, operation_id FROM erasures WHERE finished_at IS NULL"
        " ORDER BY deleted_at LIMIT %s FOR UPDATE SKIP LOCKED",
        (limit,),
    )
    return [(row["user_id"], row["operation_id"]) for row in rows]


def finish_erasure(db: Connection, user_id: UUID, now: datetime) -> bool:
    """Forget what was said of a user's address, and then the address; False while it is said."""
    who = {"user_id": user_id, "now": now}
    db.execute(f"DELETE FROM outbox WHERE {_SAID_OF} AND published_at IS NOT NULL", who)  # noqa: S608  # Our own words.
    done = db.execute(
        "UPDATE erasures SET email = NULL, finished_at = %(now)s WHERE user_id = %(user_id)s"  # noqa: S608
        f" AND finished_at IS NULL AND NOT EXISTS (SELECT FROM outbox WHERE {_SAID_OF})",
        who,
    )
    return done.rowcount == 1


def insert_session(db: Connection, session: Session) -> None:
    """Add a session."""
    db.execute(
        "INSERT INTO sessions (id, user_id, family, refresh_token_hash, created_at, expires_at)"
        " VALUES (%(id)s, %(user_id)s, %(family)s, %(refresh_token_hash)s, %(created_at)s,"
        " %(expires_at)s)",
        asdict(session),
    )


def lock_session(db: Connection, refresh_token_hash: bytes) -> Session | None:
    """Return the session of a refresh token, its user locked.

    It is read again once the lock is had: whoever held it may have moved the session.
    """
    db.execute(
        "SELECT FROM users u JOIN sessions s ON s.user_id = u.id"
        " WHERE s.refresh_token_hash = %s FOR NO KEY UPDATE OF u",
        (refresh_token_hash,),
    )
    with db.cursor(row_factory=class_row(Session)) as cursor:
        cursor.execute(
            "SELECT * FROM sessions WHERE refresh_token_hash = %s", (refresh_token_hash,)
        )
        return cursor.fetchone()


def note_used(db: Connection, session: Session, now: datetime) -> None:
    """Note that a refresh token was exchanged."""
    db.execute("UPDATE sessions SET used_at = %s WHERE id = %s", (now, session.id))


def revoke(db: Connection, user_id: UUID, family: UUID, now: datetime) -> None:
    """End one session of a user, all its tokens."""
    db.execute(
        "UPDATE sessions SET revoked_at = %s"
        " WHERE user_id = %s AND family = %s AND revoked_at IS NULL",
        (now, user_id, family),
    )


def revoke_others(db: Connection, user_id: UUID, family: UUID, now: datetime) -> None:
    """End every session of a user but one."""
    db.execute(
        "UPDATE sessions SET revoked_at = %s"
        " WHERE user_id = %s AND family <> %s AND revoked_at IS NULL",
        (now, user_id, family),
    )


def sweep_sessions(db: Connection, now: datetime, limit: int) -> int:
    """Remove up to `limit` tokens that open nothing any more; return how many there were."""
    gone = db.execute(
        "DELETE FROM sessions WHERE id = ANY(ARRAY("
        " SELECT id FROM sessions WHERE expires_at < %s OR revoked_at < %s"
        " LIMIT %s FOR UPDATE SKIP LOCKED))",
        (now, now - _KEEP_REVOKED, limit),
    )
    return gone.rowcount


def lock_keys(db: Connection) -> None:
    """Let nobody else make keys until this transaction ends."""
    db.execute("SELECT pg_advisory_xact_lock(%s)", (_KEYS_LOCK,))


def keys(db: Connection) -> list[SigningKey]:
    """Return every key, the newest first."""
    with db.cursor(row_factory=class_row(SigningKey)) as cursor:
        cursor.execute("SELECT * FROM signing_keys ORDER BY revision DESC")
        return cursor.fetchall()


def replace_keys(db: Connection, keys: Sequence[SigningKey]) -> None:
    """Have these keys and no others."""
    db.execute("DELETE FROM signing_keys WHERE kid <> ALL(%s)", ([key.kid for key in keys],))
    for key in keys:
        row: dict[str, Any] = vars(key) | {
            "private_jwk": Jsonb(key.private_jwk),
            "public_jwk": Jsonb(key.public_jwk),
        }
        db.execute(
            "INSERT INTO signing_keys (kid, private_jwk, public_jwk, created_at, not_before,"
            " retires_at, revision) VALUES (%(kid)s, %(private_jwk)s, %(public_jwk)s,"
            " %(created_at)s, %(not_before)s, %(retires_at)s, %(revision)s)"
            " ON CONFLICT (kid) DO UPDATE"
            " SET retires_at = excluded.retires_at, revision = excluded.revision",
            row,
        )
