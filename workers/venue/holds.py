"""Claims in Redis on seats that are being held: they make "no" fast, and decide nothing.

A claim is written before the transaction that holds the seats, for 5 s, and extended when that has
committed. Who meets another's claim is told so at once, and asks PostgreSQL before believing it.
Claims of one plan share a hash tag, so that one script may touch them all in a cluster. When Redis
is away or has lost everything, everybody gets a yes, and PostgreSQL says no.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import redis

from bus import log

CLAIM_SEC = 5
_PAUSE_SEC = 1.0
"""For how long Redis is left alone when it did not answer."""

# All or none: claims these seats unless somebody else has a claim on one of them.
_CLAIM = """
for _, key in ipairs(KEYS) do
    local claimed = redis.call('GET', key)
    if claimed and claimed ~= ARGV[1] then return 0 end
end
for _, key in ipairs(KEYS) do
    if redis.call('PTTL', key) < tonumber(ARGV[2]) then
        redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
    end
end
return 1
"""


@dataclass(frozen=True)
class Claim:
    """A user's wish for seats of a plan."""

    plan_id: UUID
    user_id: UUID
    seat_ids: Sequence[UUID]


@dataclass(frozen=True)
class Extension:
    """A claim on a seat that PostgreSQL has confirmed; without a user it is taken back."""

    plan_id: UUID
    seat_id: UUID
    user_id: UUID | None = None
    until: datetime | None = None


class Claims:
    """The claims behind one client."""

    def __init__(self) -> None:
        """Think well of Redis until it fails."""
        self._away_until = 0.0
        self._log = log.get("holds")

    def claim(self, client: redis.Redis, wishes: Sequence[Claim]) -> list[bool]:
        """Claim seats, each wish all or none; False where somebody else was first."""
        if not wishes or time.monotonic() < self._away_until:
            return [True] * len(wishes)
        pipeline = client.pipeline(transaction=False)
        for wish in wishes:
            keys = [key_of(wish.plan_id, seat_id) for seat_id in wish.seat_ids]
            pipeline.eval(_CLAIM, len(keys), *keys, str(wish.user_id), CLAIM_SEC * 1000)
        try:
            return [bool(answer) for answer in pipeline.execute()]
        except redis.RedisError as error:
            self._give_up(error)
            return [True] * len(wishes)

    def extend(self, client: redis.Redis, changes: Iterable[Extension]) -> None:
        """Keep claims for as long as their seats are held, and take back the others."""
        if time.monotonic() < self._away_until:
            return
        pipeline = client.pipeline(transaction=False)
        for change in changes:
            key = key_of(change.plan_id, change.seat_id)
            if change.user_id and change.until:
                pipeline.set(key, str(change.user_id), pxat=int(change.until.timestamp() * 1000))
            else:
                pipeline.delete(key)
        try:
            pipeline.execute()
        except redis.RedisError as error:
            self._give_up(error)

    def _give_up(self, error: redis.RedisError) -> None:
        self._away_until = time.monotonic() + _PAUSE_SEC
        self._log.warning("holds go on without Redis", error=repr(error))


def key_of(plan_id: UUID, seat_id: UUID) -> str:
    """Name a claim."""
    return f"venue:{{{plan_id}}}:{seat_id}"
