"""What is kept on disk: intents, refunds, events, undelivered webhooks, idempotency keys.

One SQLite file in WAL mode, written by one thread. Every write of one turn of the event loop goes
into one transaction, and what depends on it (answers, webhooks) happens after the commit: a
process that is killed has told nobody anything that it forgets. `synchronous` is NORMAL: a crash
of the whole machine may lose the last moments, which a stand-in can afford and its neighbours'
disks notice. What the journal has is put into its place beside all that, on a connection and a
thread of their own: a disk may take a second for it, and nobody is to wait for Stripe meanwhile.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ops.stripe_stand_in.intents import Intent

_PUT_IN_PLACE_SEC = 5.0
"""Should that never find a pause, writers do it themselves at 256 MB."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS intents (seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL,
    created INT NOT NULL, customer TEXT, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS refunds (seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL,
    created INT NOT NULL, payment_intent TEXT NOT NULL, record BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS refunds_of_intent ON refunds (payment_intent, seq);
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL,
    created INT NOT NULL, type TEXT NOT NULL, cause BLOB NOT NULL, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (seq INTEGER PRIMARY KEY, event INT NOT NULL,
    due REAL NOT NULL, attempts INT NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS deliveries_of_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS idempotency_keys (key TEXT PRIMARY KEY, created INT NOT NULL,
    endpoint TEXT NOT NULL, params TEXT NOT NULL, request_id TEXT NOT NULL,
    status INT NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS idempotency_keys_by_age ON idempotency_keys (created);
"""
TABLES = frozenset({"intents", "refunds", "events"})


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an idempotency key was first used for, and how that was answered."""

    endpoint: str
    params: str
    request_id: str
    status: int
    body: bytes


class Store:
    """The file, and the transaction of this turn of the loop."""

    def __init__(
        self,
        path: Path,
        loop: asyncio.AbstractEventLoop,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        """Open `path`, made if missing; `on_failure` hears of a commit that did not happen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32000;"
            " PRAGMA wal_autocheckpoint=65536; PRAGMA journal_size_limit=67108864;" + SCHEMA
        )
        self._path = path
        self._closing = threading.Event()
        self._checkpoints = threading.Thread(target=self._put_in_place, daemon=True)
        self._checkpoints.start()
        self._loop = loop
        self._on_failure = on_failure
        self._open = False
        self._waiting: list[Callable[[], None]] = []

    def after_commit(self, do: Callable[[], None]) -> None:
        """Do something once all that was written so far is on disk."""
        if self._open:
            self._waiting.append(do)
        else:
            do()

    def commit(self) -> None:
        """End this turn's transaction."""
        if not self._open:
            return
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as failed:
            self._on_failure(failed)
            return
        self._open = False
        waiting, self._waiting = self._waiting, []
        for do in waiting:
            do()

    def close(self) -> None:
        """Commit what is open and let the file go."""
        self.commit()
        self._closing.set()
        self._checkpoints.join()
        self._db.close()

    def _put_in_place(self) -> None:
        with closing(sqlite3.connect(self._path, isolation_level=None)) as db:
            while not self._closing.wait(_PUT_IN_PLACE_SEC):
                with suppress(sqlite3.Error):  # Whoever writes next hears of it.
                    db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _write(self, sql: str, values: tuple[Any, ...]) -> int:
        if not self._open:
            self._db.execute("BEGIN IMMEDIATE")
            self._open = True
            self._loop.call_soon(self.commit)
        return self._db.execute(sql, values).lastrowid or 0

    def add_intent(self, intent: Intent) -> None:
        """Keep a new intent."""
        self._write(
            "INSERT INTO intents (id, created, customer, record) VALUES (?, ?, ?, ?)",
            (intent.id, intent.created, intent.more.get("customer"), orjson.dumps(intent)),
        )

    def save_intent(self, intent: Intent) -> None:
        """Keep a changed intent."""
        self._write("UPDATE intents SET record = ? WHERE id = ?", (orjson.dumps(intent), intent.id))

    def intent(self, ident: str) -> Intent | None:
        """Find one intent."""
        row = self._db.execute("SELECT record FROM intents WHERE id = ?", (ident,)).fetchone()
        return Intent(**orjson.loads(row[0])) if row else None

    def add_refund(self, kept: dict[str, Any]) -> None:
        """Keep a new refund."""
        self._write(
            "INSERT INTO refunds (id, created, payment_intent, record) VALUES (?, ?, ?, ?)",
            (kept["id"], kept["created"], kept["payment_intent"], orjson.dumps(kept)),
        )

    def save_refund(self, kept: dict[str, Any]) -> None:
        """Keep a changed refund."""
        self._write("UPDATE refunds SET record = ? WHERE id = ?", (orjson.dumps(kept), kept["id"]))

    def refund(self, ident: str) -> dict[str, Any] | None:
        """Find one refund."""
        row = self._db.execute("SELECT record FROM refunds WHERE id = ?", (ident,)).fetchone()
        return orjson.loads(row[0]) if row else None

    def add_event(
        self, ident: str, created: int, kind: str, cause: dict[str, Any], record: bytes
    ) -> int:
        """Keep an event, with its object as it was at that moment; give its number."""
        return self._write(
            "INSERT INTO events (id, created, type, cause, record) VALUES (?, ?, ?, ?, ?)",
            (ident, created, kind, orjson.dumps(cause), record),
        )

    def event(self, column: str, value: str | int) -> tuple[Any, ...] | None:
        """Find one event by its `id` or `seq`: seq, id, created, type, cause, record."""
        sql = f"SELECT seq, id, created, type, cause, record FROM events WHERE {column} = ?"  # noqa: S608 - own words
        row: tuple[Any, ...] | None = self._db.execute(sql, (value,)).fetchone()
        return row

    def add_delivery(self, event: int, due: float) -> int:
        """Keep that an event is still to be delivered; give the delivery's number."""
        return self._write("INSERT INTO deliveries (event, due) VALUES (?, ?)", (event, due))

    def put_off(self, delivery: int, due: float, attempts: int) -> None:
        """Keep when a delivery is to be tried again."""
        self._write(
            "UPDATE deliveries SET due = ?, attempts = ? WHERE seq = ?", (due, attempts, delivery)
        )

    def delivered(self, delivery: int) -> None:
        """Forget a delivery that was answered."""
        self._write("DELETE FROM deliveries WHERE seq = ?", (delivery,))

    def undelivered(self) -> list[tuple[float, int, int, int]]:
        """List what is still to be delivered: due, delivery, event, attempts."""
        return self._db.execute(
            "SELECT due, seq, event, attempts FROM deliveries ORDER BY due, seq"
        ).fetchall()

    def pending_webhooks(self, event: int) -> int:
        """Count the deliveries that an event still waits for."""
        row = self._db.execute(
            "SELECT count(*) FROM deliveries WHERE event = ?", (event,)
        ).fetchone()
        return int(row[0])

    def recall(self, key: str) -> Remembered | None:
        """Find what a key was first used for."""
        sql = (
            "SELECT endpoint, params, request_id, status, body FROM idempotency_keys WHERE key = ?"
        )
        row = self._db.execute(sql, (key,)).fetchone()
        return Remembered(*row) if row else None

    def remember(self, key: str, first: Remembered, now: int) -> None:
        """Keep how a key's first use was answered."""
        self._write(
            "INSERT OR REPLACE INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key, now, first.endpoint, first.params, first.request_id, first.status, first.body),
        )

    def forget_keys(self, before: int) -> None:
        """Drop keys older than `before`, a few thousand at a time so that no call waits for it."""
        self._write(
            "DELETE FROM idempotency_keys WHERE key IN"
            " (SELECT key FROM idempotency_keys WHERE created < ? ORDER BY created LIMIT 2000)",
            (before,),
        )

    def place(self, table: str, ident: str) -> int | None:
        """Find where an object stands in the order of creation."""
        row = self._db.execute(f"SELECT seq FROM {_own(table)} WHERE id = ?", (ident,)).fetchone()  # noqa: S608 - own words
        return int(row[0]) if row else None

    def page(
        self, table: str, where: list[str], values: list[Any], *, forwards: bool, most: int
    ) -> list[Any]:
        """List rows that meet every condition, newest first, or oldest first when `forwards`."""
        columns = "seq, id, created, type, cause, record" if table == "events" else "record"
        conditions = " AND ".join(where) or "1"
        order = "ASC" if forwards else "DESC"
        sql = f"SELECT {columns} FROM {_own(table)} WHERE {conditions} ORDER BY seq {order} LIMIT ?"  # noqa: S608 - own words
        return self._db.execute(sql, (*values, most)).fetchall()

    def every_intent(self, since: int = 0) -> Iterator[Intent]:
        """Go through all intents made since a Unix time, oldest first."""
        sql = "SELECT record FROM intents WHERE created >= ? ORDER BY seq"
        for (record,) in self._db.execute(sql, (since,)):
            yield Intent(**orjson.loads(record))

    def counts(self) -> dict[str, int]:
        """Count what is kept."""
        tables = ("intents", "refunds", "events", "deliveries", "idempotency_keys")
        sql = [f"SELECT count(*) FROM {name}" for name in tables]  # noqa: S608 - own words
        return {
            name: self._db.execute(one).fetchone()[0] for name, one in zip(tables, sql, strict=True)
        }


def _own(table: str) -> str:
    if table not in TABLES:
        raise ValueError(table)
    return table
