"""Redis as a service's store.

A handler reads through `db.client` and queues its writes on `db.writes`; the inbox rows, those
writes and the outbox go out as one MULTI/EXEC. Handlers must therefore not need to read what
they have just queued; what a batch's later messages must know is kept in `tx.memory`.

Rivals. The transaction WATCHes its inbox rows and one lock key for each aggregate that it is
about, before any handler reads, and its EXEC writes them all. Of two transactions about one
aggregate, or with one message, the later EXEC fails: nothing of it is done, and its batch runs
again on what the other has left. A lock key's value says nothing and lives a minute; no lease
can be left behind.

Outbox. A hash for each process, `outbox:<claim>`; a field goes when the broker has the message.
Each process shows every 2 s, with a key that lives 8 s, that it is there; the hash of one that
is not is taken over by any other process's sweep. Redis with `appendfsync everysec` may lose the
last second on a crash: what rests here must be an index that its owners can rebuild.
"""

import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import orjson
import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry

from bus import settings
from bus.envelope import Outgoing, restored
from schemas.message import catalogue

_ALIVE_SEC = 8
_KEEP_INBOX_SEC = 30 * 24 * 3600
_KEEP_LOCK_SEC = 60


@dataclass(frozen=True)
class Keys:
    """What handlers read and write with."""

    client: redis.Redis
    writes: Pipeline


class RedisUnit:
    """One open transaction."""

    def __init__(
        self, db: Keys, store: "Redis", unseen: Collection[UUID], locks: Collection[str]
    ) -> None:
        """Made by `Redis.begin`."""
        self.db = db
        self.unseen = unseen
        self._store = store
        self._locks = locks
        self._admitted = set(unseen)

    def forget(self, message_ids: Sequence[UUID]) -> None:
        """Do not write these to the inbox after all."""
        self._admitted -= set(message_ids)

    def put(self, messages: Sequence[Outgoing]) -> None:
        """Write to the outbox, the inbox and the locks: the last call before the commit."""
        for lock in self._locks:
            self.db.writes.set(lock, 1, ex=_KEEP_LOCK_SEC)
        for message_id in self._admitted:
            self.db.writes.set(self._store.inbox_key(message_id), 1, ex=_KEEP_INBOX_SEC)
        if messages:
            self.db.writes.sadd("outbox", self._store.claim)
            self.db.writes.hset(
                f"outbox:{self._store.claim}",
                mapping={str(message.id): message.body for message in messages},
            )


class Redis:
    """A service's Redis database."""

    def __init__(self) -> None:
        """Prepare; nothing is connected before `open`."""
        self.claim = secrets.randbelow(2**31)

    def open(self, service: str) -> None:
        """Read the address and make the client; it connects by itself, again and again."""
        self.service = service
        self.client: redis.Redis = redis.Redis.from_url(
            settings.read("FOYER_REDIS_URL", convert=settings.url("redis", "rediss")),
            socket_timeout=5,
            socket_connect_timeout=3,
            # For a connection lost while idle; as shipped, a thread waits for seconds in between.
            retry=Retry(NoBackoff(), 1),
        )

    def close(self) -> None:
        """Close the client."""
        self.client.close()

    def inbox_key(self, message_id: UUID) -> str:
        """Name an inbox row: what was handled, and by whom."""
        return f"inbox:{self.service}:{message_id}"

    @contextmanager
    def begin(self, message_ids: Sequence[UUID], keys: Collection[str]) -> Iterator[RedisUnit]:
        """Open the transaction of a batch: watch its locks and its inbox rows."""
        locks = [f"lock:{key}" for key in keys]
        with self.client.pipeline(transaction=True) as writes:
            unseen = self._watch(writes, locks, message_ids)
            writes.multi()
            yield RedisUnit(Keys(self.client, writes), self, unseen, locks)
            writes.execute()

    def _watch(
        self, writes: Pipeline, locks: Sequence[str], message_ids: Sequence[UUID]
    ) -> set[UUID]:
        rows = [self.inbox_key(each) for each in message_ids]
        if watched := [*locks, *rows]:
            writes.watch(*watched)  # type: ignore[no-untyped-call]
        found = writes.mget(rows) if rows else []
        return {each for each, seen in zip(message_ids, found, strict=True) if seen is None}

    def conflicted(self, error: BaseException) -> bool:
        """Whether a rival was about the same aggregate, or handled one of the messages."""
        return isinstance(error, redis.WatchError)

    def unavailable(self, error: BaseException) -> bool:
        """Whether the server cannot be reached, is loading, read-only, or is full."""
        return isinstance(
            error,
            redis.ConnectionError
            | redis.TimeoutError
            | redis.exceptions.ReadOnlyError
            | redis.exceptions.OutOfMemoryError,
        ) or (isinstance(error, redis.ResponseError) and str(error).startswith("MISCONF"))

    def watch(self) -> None:
        """Show that this process lives."""
        self.client.set(f"relay:{self.claim}", 1, ex=_ALIVE_SEC)

    def mark(self, message_ids: Sequence[UUID]) -> None:
        """Drop what the broker has."""
        self.client.hdel(f"outbox:{self.claim}", *[str(each) for each in message_ids])

    def abandoned(self, in_flight: Collection[UUID], limit: int) -> list[Outgoing]:
        """Take over the hashes of dead claims; return our own rows that are not on their way."""
        for claim in map(int, self.client.smembers("outbox")):
            if claim != self.claim and not self.client.exists(f"relay:{claim}"):
                self._take_over(claim)
        ours = cast("dict[bytes, bytes]", self.client.hgetall(f"outbox:{self.claim}"))
        waiting = [(UUID(i.decode()), orjson.loads(body)["type"], body) for i, body in ours.items()]
        busy, known = set(in_flight), catalogue()  # A newer version's words are left to it.
        free = [each for each in waiting if each[0] not in busy and each[1] in known]
        return [restored(*each) for each in free[:limit]]

    def _take_over(self, claim: int) -> None:
        """Move a hash in one step; it is left alone when its process turns out to live."""
        with self.client.pipeline(transaction=True) as step, suppress(redis.WatchError):
            step.watch(f"outbox:{claim}")  # type: ignore[no-untyped-call]
            left: Any = step.hgetall(f"outbox:{claim}")
            step.multi()
            if left:
                step.sadd("outbox", self.claim)
                step.hset(f"outbox:{self.claim}", mapping=left)
            step.delete(f"outbox:{claim}")
            step.srem("outbox", claim)
            step.execute()

    def purge(self, limit: int) -> None:
        """Do nothing: inbox rows have a lifetime, outbox rows go when they are published."""
