"""Timers: members of one sorted set, scored by when they are due.

A member says what and whose (`order:<order id>`, `hold:<plan id>:<user id>`), so that arming
again replaces. What a firing
needs besides, and which arming it is, is kept in a hash beside the set. An arming older than the
one that is kept is ignored: arms are counted by their owner. The set is an index, not the truth;
owners arm again what is due, so that losing Redis loses no deadline.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
import redis

from bus.stores.redis import Keys
from schemas.expiration import ArmHold, ArmTimer, HoldFired, TimerFired

TIMERS = "EXPIRATION_TIMERS"
ARMS = "EXPIRATION_ARMS"
_GRACE_SEC = 0.05

# Sets the timer unless a later arming, or the same one, is there already.
_ARM = """
local kept = redis.call('HGET', KEYS[2], ARGV[1])
if kept and cjson.decode(kept).arm >= cjson.decode(ARGV[2]).arm then
    return 0
end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
"""

# Takes the timer away unless it was armed again since it was read.
_REMOVE = """
if redis.call('HGET', KEYS[2], ARGV[1]) == ARGV[2] then
    redis.call('ZREM', KEYS[1], ARGV[1])
    redis.call('HDEL', KEYS[2], ARGV[1])
end
return 1
"""


@dataclass(frozen=True)
class Timer:
    """A timer that is due, and what was kept of its arming."""

    key: bytes
    kept: bytes
    fired: TimerFired | HoldFired

    @property
    def message_id(self) -> UUID:
        """One id for each arming: fired twice it is a duplicate, armed again it is not."""
        fired = self.fired
        name = f"timer:{self.key.decode()}:{fired.deadline.isoformat()}:{fired.arm}"
        return uuid5(NAMESPACE_URL, name)


def key_of(order_id: UUID) -> str:
    """Name an order's timer."""
    return f"order:{order_id}"


def key_of_hold(plan_id: UUID, user_id: UUID) -> str:
    """Name the timer of all that a user holds of a plan."""
    return f"hold:{plan_id}:{user_id}"


def arm(db: Keys, command: ArmTimer) -> None:
    """Set an order's timer, unless a later arming is there."""
    what = {"order_id": command.order_id, "reservation_id": command.reservation_id}
    _arm(db, key_of(command.order_id), what, command)


def arm_hold(db: Keys, command: ArmHold) -> None:
    """Set a hold's timer, unless a later arming is there."""
    what = {"plan_id": command.plan_id, "user_id": command.user_id}
    _arm(db, key_of_hold(command.plan_id, command.user_id), what, command)


def _arm(db: Keys, key: str, what: dict[str, UUID], command: ArmTimer | ArmHold) -> None:
    """Ask for a later arming in the same step as this one is set."""
    kept = what | {"deadline": command.deadline.isoformat(), "arm": command.arm}
    at = command.deadline.timestamp()
    db.writes.eval(_ARM, 2, TIMERS, ARMS, key, orjson.dumps(kept), at)


def disarm(db: Keys, order_id: UUID) -> None:
    """Take a timer away; an arming that comes late fires, and its owner ignores it."""
    db.writes.zrem(TIMERS, key_of(order_id))
    db.writes.hdel(ARMS, key_of(order_id))


def due(client: redis.Redis, now: datetime, limit: int) -> list[Timer]:
    """Return timers whose time has come, the longest overdue first."""
    until = now.timestamp() - _GRACE_SEC
    keys = cast(
        "list[bytes]", client.zrange(TIMERS, "-inf", until, byscore=True, offset=0, num=limit)
    )
    if not keys:
        return []
    kept_of = cast("list[bytes | None]", client.hmget(ARMS, *keys))
    found = zip(keys, kept_of, strict=True)
    return [_timer(key, kept) for key, kept in found if kept is not None]


def remove(client: redis.Redis, timer: Timer) -> None:
    """Take away a timer that has fired, unless it was armed again meanwhile."""
    client.eval(_REMOVE, 2, TIMERS, ARMS, timer.key, timer.kept)


def _timer(key: bytes, kept: bytes) -> Timer:
    what = orjson.loads(kept)
    deadline, arming = datetime.fromisoformat(what["deadline"]), what["arm"]
    if "plan_id" in what:
        plan_id, user_id = UUID(what["plan_id"]), UUID(what["user_id"])
        hold = HoldFired(plan_id=plan_id, user_id=user_id, deadline=deadline, arm=arming)
        return Timer(key, kept, hold)
    order = TimerFired(order_id=UUID(what["order_id"]), deadline=deadline, arm=arming)
    return Timer(key, kept, order)
