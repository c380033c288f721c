"""``python -m ops chaos seats``: a crowd that wants the same seats.

    rush    everybody at once holds and orders a random group of the same forty seats
    pairs   one holds and another orders the same seat at the same moment, a seat for each pair

Then the seats' log is played again: no seat was ever in two orders, and whoever was refused was
told of seats that somebody else had at that moment. A hold is a promise for as long as it lasts.
Holds and orders that nobody paid run out, after which each seat is free, or sold to one confirmed
order. Redis may be emptied meanwhile: it only makes refusals fast and remembers timers that
PostgreSQL knows.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import redis

from ops.chaos.seat_crowd import Buyer, SeatCrowd
from ops.chaos.seat_log import SeatLog
from ops.house import House, build
from ops.load import Shop
from ops.local.stack import Stack
from ops.stores import Stores, settings
from ops.verify import verify

_SEATS_IN_RUSH = 40
_COLUMNS_AT_MOST = 25
_SIGN_IN_EVERY_SEC = 300
_AT_ONCE = 16
_OVER_AFTER_SEC = 60
"""A seat may be taken so long after its time was over, and no longer."""
_FINE = {
    "hold": {"succeeded", "seats_unavailable"},
    "order": {"succeeded", "seats_unavailable", "hold_expired", "sold_out"},
    "cancel": {"succeeded", "order_not_cancellable"},
    "best": {"succeeded"},
}


@dataclass(frozen=True, kw_only=True)
class Rush:
    """How many want the same seats, how often."""

    seed: int
    buyers: int = 500
    runs: int = 1
    hold_ttl_sec: int = 20
    flush: bool = False
    """Whether Redis is emptied while they are at it."""


@dataclass
class Told:
    """What was done and found."""

    rush: Rush
    ends: list[dict[str, int]] = field(default_factory=list)
    changes: int = 0
    refusals: int = 0
    wrong: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """What to print."""
        return {
            "seed": self.rush.seed,
            "buyers": self.rush.buyers,
            "ends": self.ends,
            "seats_changed": self.changes,
            "refusals_checked": self.refusals,
            "wrong": self.wrong,
        }


def seats(stack: Stack, rush: Rush) -> Told:
    """Have the crowds come, one after the other, and judge each."""
    return asyncio.run(_seats(stack, rush))


async def _seats(stack: Stack, rush: Rush) -> Told:
    told, shop = Told(rush), Shop(stack)
    organizer, buyers = Buyer(shop), [Buyer(shop) for _ in range(rush.buyers)]
    signed_in = float("-inf")
    for run in range(rush.runs):
        rng = random.Random(rush.seed + run)  # noqa: S311  # So that a run can be repeated.
        if time.monotonic() > signed_in + _SIGN_IN_EVERY_SEC:
            await _arrive([organizer, *buyers])
            signed_in = time.monotonic()
        crowds = []
        for kind, size in (("rush", _SEATS_IN_RUSH), ("pairs", rush.buyers // 2)):
            house = await _house(shop, organizer, size, rush.hold_ttl_sec)
            crowds.append(SeatCrowd(shop, rng, house))
            coming = asyncio.create_task(getattr(crowds[-1], kind)(buyers))
            if rush.flush:
                await _flush(stack, crowds[-1])
            await coming
        with Stores(settings(stack.layout)) as stores:
            await asyncio.to_thread(_judge, stores, crowds, told)
    return told


async def _flush(stack: Stack, crowd: SeatCrowd) -> None:
    """Empty Redis as soon as the first of a crowd has what it wanted."""
    await crowd.at_it.wait()
    with redis.Redis.from_url(stack.environment()["FOYER_ADMIN_REDIS_URL"]) as admin:
        admin.flushall()


async def _arrive(people: Sequence[Buyer]) -> None:
    left = iter(people)

    async def door() -> None:
        for person in left:
            await person.arrive()

    await asyncio.gather(*(door() for _ in range(_AT_ONCE)))


async def _house(shop: Shop, organizer: Buyer, size: int, hold_ttl_sec: int) -> House:
    await organizer.does("/v1/organizer/settings", {"hold_ttl_sec": hold_ttl_sec}, "PUT")
    columns = min(size, _COLUMNS_AT_MOST)
    rows, missing = -(-size // columns), -size % columns
    async with shop.connection() as edge:
        return await build(edge, organizer.headers, lambda *ids: _plan(ids, rows, columns, missing))


def _plan(ids: Sequence[str], rows: int, columns: int, missing: int) -> dict[str, Any]:
    """Describe one section, the last places of its last row missing."""
    return {
        "venue_id": ids[0],
        "ticket_id": ids[1],
        "name": "Rush",
        "pricing_mode": "single",
        "sections": [
            {
                "name": "Stalls",
                "type": "seated",
                "row_count": rows,
                "column_count": columns,
                "seats": [
                    {"row": rows, "column": columns - place, "missing": True}
                    for place in range(missing)
                ],
            }
        ],
    }


def _judge(stores: Stores, crowds: Sequence[SeatCrowd], told: Told) -> None:
    within_sec = told.rush.hold_ttl_sec + _OVER_AFTER_SEC
    for crowd in crowds:
        plan_id = crowd.house.plan_id
        told.ends.append(crowd.ends())
        told.wrong += [f"a buyer gave up: {trouble}" for trouble in crowd.trouble]
        told.wrong += [
            f"{each.kind} {each.operation_id} ended as {each.end}"
            for each in crowd.attempts
            if each.end not in _FINE[each.kind]
        ]
        told.wrong += _wait(partial(_still_taken, stores, plan_id), within_sec)
        told.wrong += _wait(partial(_sold_otherwise, stores, plan_id), within_sec)
        log = SeatLog.of(stores, plan_id)
        told.changes += log.changes
        told.refusals += log.refusals
        told.wrong += log.wrong
    for finding in verify(stores):
        told.wrong += [f"line {each.line}: {each.id} {each.why}" for each in finding.broken]


def _wait(look: Callable[[], list[str]], within_sec: float) -> list[str]:
    """Look until nothing is left or the time is over; return what is left."""
    deadline = time.monotonic() + within_sec
    while (left := look()) and time.monotonic() < deadline:
        time.sleep(0.25)
    return left


def _still_taken(stores: Stores, plan_id: str) -> list[str]:
    """Seats that are held or reserved; in the end nobody holds any, and all orders have ended."""
    found = stores.rows(
        "venue",
        "SELECT id, status, held_until FROM seats"
        " WHERE plan_id = %(plan_id)s AND status IN ('HELD', 'RESERVED')",
        {"plan_id": plan_id},
    )
    return [f"seat {each['id']} is still {each['status']}: {each['held_until']}" for each in found]


def _sold_otherwise(stores: Stores, plan_id: str) -> list[str]:
    """Compare who has seats, as the venue service says, with the orders that are confirmed."""
    sold = stores.rows(
        "venue",
        "SELECT s.id::text AS seat_id, r.order_id::text AS order_id FROM seats s"
        " LEFT JOIN seat_reservation_items i ON i.seat_id = s.id AND i.live"
        " LEFT JOIN seat_reservations r ON r.id = i.reservation_id AND r.status = 'SOLD'"
        " WHERE s.plan_id = %(plan_id)s AND s.status = 'SOLD'",
        {"plan_id": plan_id},
    )
    confirmed = stores.rows(
        "order",
        "SELECT o.id::text AS order_id, i.seat_ids AS seat_id FROM orders o"
        " JOIN order_items i ON i.order_id = o.id"
        " WHERE o.status = 'CONFIRMED' AND i.seat_ids = ANY(%(ids)s)",
        {"ids": [each["seat_id"] for each in sold]},
    )
    has = {(each["seat_id"], each["order_id"]) for each in sold}
    paid = {(each["seat_id"], each["order_id"]) for each in confirmed}
    return [f"seat {seat} is in order {order} for one side only" for seat, order in has ^ paid]
