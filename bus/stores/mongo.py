"""MongoDB as a service's store (a replica set: transactions are needed).

Rivals. The first write of a batch's transaction touches one lock document for each aggregate
that it is about. MongoDB aborts the later of two transactions that write one document at once,
so a rival finds out before it has done any work, and tries again after a short, growing pause.
No lease can be left behind: the lock is the transaction.

Outbox. A row carries the claim of the process that wrote it, and the process publishes it right
after the commit. Each process shows every 2 s in `relays` that it lives; rows of a claim not
seen for 8 s are taken over by any other process's sweep, one atomic update for each row. Old
inbox and outbox rows are removed by the server's own TTL indexes.
"""

import secrets
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pymongo import MongoClient, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from bus import settings
from bus.envelope import Outgoing, restored
from schemas.message import catalogue

Document = dict[str, Any]
_DEAD_AFTER = timedelta(seconds=8)
_KEEP_INBOX, _KEEP_OUTBOX = timedelta(days=30), timedelta(days=3)


@dataclass(frozen=True)
class Documents:
    """What handlers read and write with: every call takes the session."""

    database: Database[Document]
    session: ClientSession


def migrate(database: Database[Document]) -> None:
    """Make the bus's own collections and indexes."""
    present = set(database.list_collection_names())
    for name in {"inbox", "outbox", "locks", "relays"} - present:
        database.create_collection(name)
    database.inbox.create_index("handled_at", expireAfterSeconds=int(_KEEP_INBOX.total_seconds()))
    database.outbox.create_index(
        "published_at", expireAfterSeconds=int(_KEEP_OUTBOX.total_seconds())
    )


class MongoUnit:
    """One open transaction."""

    def __init__(self, db: Documents, store: "Mongo", unseen: Collection[UUID]) -> None:
        """Made by `Mongo.begin`."""
        self.db = db
        self.unseen = unseen
        self._store = store

    def forget(self, message_ids: Sequence[UUID]) -> None:
        """Take messages out of the inbox again."""
        self.db.database.inbox.delete_many(
            {"_id": {"$in": [self._store.inbox_id(each) for each in message_ids]}},
            session=self.db.session,
        )

    def put(self, messages: Sequence[Outgoing]) -> None:
        """Write to the outbox, in one call."""
        if again := [str(message.id) for message in messages if message.again]:
            self.db.database.outbox.delete_many({"_id": {"$in": again}}, session=self.db.session)
        if messages:
            now = datetime.now(UTC)
            self.db.database.outbox.insert_many(
                [
                    {
                        "_id": str(message.id),
                        "aggregate_id": message.subject,
                        "event_type": message.type,
                        "payload": message.body.decode(),
                        "created_at": now,
                        "published_at": None,
                        "claim": self._store.claim,
                    }
                    for message in messages
                ],
                session=self.db.session,
            )


class Mongo:
    """A service's MongoDB database."""

    def __init__(self) -> None:
        """Prepare; nothing is connected before `open`."""
        self.claim = secrets.randbelow(2**31)
        self._turn = threading.Lock()

    def open(self, service: str) -> None:
        """Read the address and make the client; it connects by itself, again and again."""
        self.service = service
        address = settings.read("FOYER_MONGO_URL", convert=settings.url("mongodb", "mongodb+srv"))
        self.client: MongoClient[Document] = MongoClient(
            address,
            tz_aware=True,
            serverSelectionTimeoutMS=3000,
            socketTimeoutMS=20000,
            connectTimeoutMS=3000,
            appname=f"foyer {service}",
        )
        self.database = self.client.get_default_database()

    def close(self) -> None:
        """Close the client."""
        self.client.close()

    def inbox_id(self, message_id: UUID) -> str:
        """Name an inbox row: what was handled, and by whom."""
        return f"{self.service}:{message_id}"

    @contextmanager
    def begin(self, message_ids: Sequence[UUID], keys: Collection[str]) -> Iterator[MongoUnit]:
        """Open the transaction of a batch: lock documents, then inbox.

        The batches of one process take turns: rivals at home need not meet at the server.
        """
        with self._turn, self.client.start_session(causal_consistency=False) as session:
            session.start_transaction(
                read_concern=ReadConcern("snapshot"),
                write_concern=WriteConcern("majority", j=True),
            )
            try:
                db = Documents(self.database, session)
                self._lock(db, keys)
                yield MongoUnit(db, self, self._admit(db, message_ids))
                session.commit_transaction()
            except BaseException:
                if session.in_transaction:
                    session.abort_transaction()
                raise

    def _lock(self, db: Documents, keys: Collection[str]) -> None:
        if keys:
            db.database.locks.bulk_write(
                [
                    UpdateOne({"_id": key}, {"$inc": {"taken": 1}}, upsert=True)
                    for key in sorted(keys)
                ],
                session=db.session,
            )

    def _admit(self, db: Documents, message_ids: Sequence[UUID]) -> set[UUID]:
        if not message_ids:
            return set()
        rows = {self.inbox_id(each): each for each in message_ids}
        seen = db.database.inbox.find(
            {"_id": {"$in": list(rows)}}, {"_id": True}, session=db.session
        )
        for row in seen:
            del rows[row["_id"]]
        if rows:
            now = datetime.now(UTC)
            db.database.inbox.insert_many(
                [{"_id": row, "handled_at": now} for row in rows], session=db.session
            )
        return set(rows.values())

    def conflicted(self, error: BaseException) -> bool:
        """Whether another transaction was in the way."""
        if isinstance(error, ConnectionFailure):
            return False
        return isinstance(error, DuplicateKeyError) or (
            isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError")
        )

    def unavailable(self, error: BaseException) -> bool:
        """Whether the server cannot be reached or is not the primary."""
        return isinstance(error, ConnectionFailure)

    def watch(self) -> None:
        """Show that this process lives."""
        self.database.relays.update_one(
            {"_id": self.claim}, {"$set": {"seen_at": datetime.now(UTC)}}, upsert=True
        )

    def mark(self, message_ids: Sequence[UUID]) -> None:
        """Note that the broker has these; a lost mark is a repeat, not a loss."""
        self.database.outbox.with_options(write_concern=WriteConcern(1)).update_many(
            {"_id": {"$in": [str(each) for each in message_ids]}},
            {"$set": {"published_at": datetime.now(UTC)}},
        )

    def abandoned(self, in_flight: Collection[UUID], limit: int) -> list[Outgoing]:
        """Take over rows of dead claims, and our own that are not on their way."""
        alive = self.database.relays.distinct(
            "_id", {"seen_at": {"$gt": datetime.now(UTC) - _DEAD_AFTER}}
        )
        waiting: Document = {
            "published_at": None,
            "_id": {"$nin": [str(each) for each in in_flight]},
            "event_type": {"$in": list(catalogue())},  # A newer version's words are left to it.
            "$or": [{"claim": self.claim}, {"claim": {"$nin": alive}}],
        }
        taken = []
        for row in self.database.outbox.find(waiting).sort("created_at").limit(limit):
            claimed = self.database.outbox.find_one_and_update(
                {"_id": row["_id"], "claim": row["claim"], "published_at": None},
                {"$set": {"claim": self.claim}},
            )
            if claimed:
                taken.append(restored(UUID(row["_id"]), row["event_type"], row["payload"].encode()))
        return taken

    def purge(self, limit: int) -> None:
        """Forget processes that are long gone; the TTL indexes do the rest."""
        del limit
        self.database.relays.delete_many(
            {"seen_at": {"$lt": datetime.now(UTC) - timedelta(days=1)}}
        )
