"""PostgreSQL as a service's store.

Rivals. A batch takes a transaction-level advisory lock for each aggregate that it is about, all
in one statement and in one order, before it touches a row: messages of one aggregate wait for
each other across threads and processes, and batches cannot deadlock on the locks.

Outbox. A row carries the claim of the process that wrote it. The process publishes its own rows
right after the commit, without reading them back. A claim is alive while its process holds the
session-level advisory lock of that number; rows of a claim that is not are taken over by any
other process's sweep, under `FOR UPDATE SKIP LOCKED`.
"""

import hashlib
import secrets
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb, set_json_dumps, set_json_loads

from bus import settings
from bus.envelope import Outgoing, restored
from schemas.message import catalogue

Connection = psycopg.Connection[dict[str, Any]]

_CLAIMS = 0x0F07E2  # The first half of the advisory locks that mean "this process lives".
_KEEP_INBOX, _KEEP_OUTBOX = "30 days", "3 days"

_TABLES = """
CREATE TABLE IF NOT EXISTS inbox (
    consumer text NOT NULL,
    message_id uuid NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, message_id)
);
CREATE INDEX IF NOT EXISTS inbox_age ON inbox USING brin (handled_at);
CREATE TABLE IF NOT EXISTS {outbox} (
    id uuid PRIMARY KEY,
    aggregate_id uuid,
    event_type text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz,
    claim integer NOT NULL
);
CREATE INDEX IF NOT EXISTS {outbox}_waiting ON {outbox} (created_at) WHERE published_at IS NULL;
CREATE INDEX IF NOT EXISTS {outbox}_age ON {outbox} USING brin (created_at);
"""


def outbox_of(service: str) -> str:
    """Name a service's outbox table; the order service's is called `order_outbox`."""
    return "order_outbox" if service == "order" else "outbox"


def tables(service: str) -> str:
    """Return the statements that make the bus's own tables in a service's database."""
    return _TABLES.format(outbox=outbox_of(service))


_LOCK = "SELECT count(pg_advisory_xact_lock(key)) AS locks FROM unnest(%s::bigint[]) AS key"
# The locks come first. What waited for them is read by later statements, which see it.
_ADMIT = f"""
    WITH alone AS MATERIALIZED ({_LOCK})
    INSERT INTO inbox (consumer, message_id)
    SELECT %s, id FROM alone, unnest(%s::uuid[]) AS id WHERE locks >= 0
    ON CONFLICT DO NOTHING RETURNING message_id
"""  # noqa: S608  # Our own words.


class PostgresUnit:
    """One open transaction."""

    def __init__(self, db: Connection, store: "Postgres", unseen: Collection[UUID]) -> None:
        """Made by `Postgres.begin`."""
        self.db = db
        self.unseen = unseen
        self._store = store

    def forget(self, message_ids: Sequence[UUID]) -> None:
        """Take messages out of the inbox again."""
        self.db.execute(
            "DELETE FROM inbox WHERE consumer = %s AND message_id = ANY(%s)",
            [self._store.service, list(message_ids)],
        )

    def put(self, messages: Sequence[Outgoing]) -> None:
        """Write to the outbox, in one statement."""
        if messages:
            self.db.execute(
                self._store.insert_outbox,
                [
                    self._store.claim,
                    [message.id for message in messages],
                    [_aggregate(message) for message in messages],
                    [message.type for message in messages],
                    [message.body.decode() for message in messages],
                ],
            )


class Postgres:
    """A service's PostgreSQL database; one connection for each thread that asks."""

    def __init__(self) -> None:
        """Prepare; nothing is connected before `open`."""
        self.claim = secrets.randbelow(2**31)
        self._local = threading.local()
        self._connections: list[Connection] = []

    def open(self, service: str) -> None:
        """Read the address and connect once, so that a wrong one is told at once."""
        set_json_dumps(orjson.dumps)
        set_json_loads(orjson.loads)
        self.service = service
        outbox = outbox_of(service)
        self.insert_outbox = (
            f"INSERT INTO {outbox} (id, aggregate_id, event_type, payload, claim)"  # noqa: S608  # Our own names.
            " SELECT id, aggregate_id, event_type, payload::jsonb, %s::integer FROM"
            # In binary: as text, every quote in every payload would be escaped, one by one.
            " unnest(%s::uuid[], %s::uuid[], %s::text[], %b::text[])"
            " AS said (id, aggregate_id, event_type, payload)"
            # What is forwarded again goes out again.
            " ON CONFLICT (id) DO UPDATE SET published_at = NULL, claim = excluded.claim"
        )
        self._outbox = outbox
        self._url = settings.read("FOYER_DATABASE_URL", convert=settings.url("postgresql"))

    def connect(self) -> Connection:
        """Open a connection that commits each statement by itself."""
        connection: Connection = psycopg.connect(
            self._url,
            autocommit=True,
            row_factory=dict_row,
            application_name=f"foyer {self.service}",
            connect_timeout=5,
            keepalives_idle=10,
            keepalives_interval=3,
            keepalives_count=3,
            tcp_user_timeout=25_000,
            options="-c statement_timeout=20s -c lock_timeout=10s"
            " -c idle_in_transaction_session_timeout=30s -c timezone=UTC",
        )
        self._connections.append(connection)
        return connection

    @property
    def db(self) -> Connection:
        """This thread's connection, made anew when it is broken."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed or connection.broken:
            self._local.connection = connection = self.connect()
        return connection

    def close(self) -> None:
        """Close every thread's connection."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    @contextmanager
    def begin(self, message_ids: Sequence[UUID], keys: Collection[str]) -> Iterator[PostgresUnit]:
        """Open the transaction of a batch: locks, then inbox, in one statement."""
        db = self.db
        try:
            _say(db, b"BEGIN")
            yield PostgresUnit(db, self, self._admit(db, message_ids, keys))
            _say(db, b"COMMIT")
        except BaseException:
            self._roll_back(db)
            raise

    def _admit(
        self, db: Connection, message_ids: Sequence[UUID], keys: Collection[str]
    ) -> set[UUID]:
        locks = sorted({_number(key) for key in keys})
        if not message_ids:  # The locks of a join without rows would never be asked for.
            db.execute(_LOCK, [locks])
            return set()
        admitted = db.execute(_ADMIT, [locks, self.service, sorted(set(message_ids))])
        return {row["message_id"] for row in admitted}

    def _roll_back(self, db: Connection) -> None:
        try:
            _say(db, b"ROLLBACK")
        except psycopg.Error:
            db.close()

    def conflicted(self, error: BaseException) -> bool:
        """Whether it was a deadlock, a serialisation failure or a lock not had in time."""
        return isinstance(
            error,
            psycopg.errors.DeadlockDetected
            | psycopg.errors.SerializationFailure
            | psycopg.errors.LockNotAvailable,
        )

    def unavailable(self, error: BaseException) -> bool:
        """Whether the server is gone, going, read-only, or out of connections or space."""
        if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
            return True
        if isinstance(error, psycopg.errors.QueryCanceled):  # Too slow is a fault of the message.
            return False
        if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            return False
        state = getattr(error, "sqlstate", None)
        return state is None or state[:2] in {"08", "53", "57"} or self.db_is_lost()

    def db_is_lost(self) -> bool:
        """Whether this thread's connection can no longer be used."""
        connection: Connection | None = getattr(self._local, "connection", None)
        return connection is None or connection.closed or connection.broken

    def watch(self) -> None:
        """Hold this claim's session lock on the calling thread's connection."""
        self.db.execute("SET synchronous_commit TO off")  # A lost mark is a repeat, not a loss.
        self.db.execute("SELECT pg_try_advisory_lock(%s, %s)", [_CLAIMS, self.claim])

    def alive(self, db: Connection) -> set[int]:
        """Return the claims whose processes live, our own included."""
        rows = db.execute(
            "SELECT objid::bigint AS claim FROM pg_locks"
            " WHERE locktype = 'advisory' AND classid::bigint = %s AND granted AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())",
            [_CLAIMS],
        )
        return {row["claim"] for row in rows} | {self.claim}

    def mark(self, message_ids: Sequence[UUID]) -> None:
        """Note that the broker has these."""
        self.db.execute(
            f"UPDATE {self._outbox} SET published_at = now() WHERE id = ANY(%s)",  # noqa: S608  # Our own name.
            [list(message_ids)],
        )

    def abandoned(self, in_flight: Collection[UUID], limit: int) -> list[Outgoing]:
        """Take over rows of dead claims, and our own that are not on their way."""
        rows = self.db.execute(
            f"""
            WITH waiting AS (
                SELECT id FROM {self._outbox}
                WHERE published_at IS NULL AND id <> ALL(%(in_flight)s)
                AND event_type = ANY(%(known)s)
                AND (claim = %(claim)s OR claim <> ALL(%(alive)s))
                ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
            )
            UPDATE {self._outbox} said SET claim = %(claim)s FROM waiting
            WHERE said.id = waiting.id RETURNING said.id, said.event_type, said.payload
            """,  # noqa: S608  # Our own names.
            {
                "claim": self.claim,
                "known": list(catalogue()),  # A newer version's words are left to it.
                "alive": list(self.alive(self.db)),
                "in_flight": list(in_flight),
                "limit": limit,
            },
        ).fetchall()
        return [
            restored(row["id"], row["event_type"], orjson.dumps(row["payload"])) for row in rows
        ]

    def purge(self, limit: int) -> None:
        """Remove old rows, at most `limit` of each kind."""
        for table, condition in (
            ("inbox", f"handled_at < now() - interval '{_KEEP_INBOX}'"),
            (
                self._outbox,
                f"created_at < now() - interval '{_KEEP_OUTBOX}' AND published_at IS NOT NULL",
            ),
        ):
            self.db.execute(
                f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("  # noqa: S608  # Our own names.
                f"SELECT ctid FROM {table} WHERE {condition} LIMIT %s))",
                [limit],
            )


def jsonb(value: object) -> Jsonb:
    """Wrap a value, dataclasses and decimals included, for a jsonb column."""
    return Jsonb(value, dumps=lambda held: orjson.dumps(held, default=str, option=orjson.OPT_UTC_Z))


def jsonb_or_null(value: dict[str, Any] | None) -> Jsonb | None:
    """Make a parameter for a jsonb column that may be NULL; an empty document is one."""
    return None if value is None else jsonb(value)


def _say(db: Connection, word: bytes) -> None:
    """Begin or end a transaction, past the cursor's machinery: it is done for every batch.

    Raises:
        psycopg.Error: the server did not do it; COMMIT of a failed transaction is such a case.
    """
    result = db.pgconn.exec_(word)
    if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(result)
    if result.command_status != word:
        msg = f"{word.decode()} was answered with {result.command_status!r}"
        raise psycopg.OperationalError(msg)


def _aggregate(message: Outgoing) -> UUID | None:
    try:
        return UUID(message.subject)
    except ValueError:
        return None


def _number(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)
