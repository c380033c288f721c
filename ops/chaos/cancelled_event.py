"""``python -m ops chaos cancelled-event``: an event is called off, who works on it is killed.

Orders of every kind are placed for one event: paid, paid a moment ago, unpaid. The event is called
off while some are still being placed, and the processes that end orders and give money back are
killed twice half-way. Every order ends, every buyer has all of their money, and the organizer's
operation says so.
"""

import asyncio
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from ops.chaos.buyers import Crowd
from ops.chaos.judge import ENDED_WITHIN_SEC
from ops.local.stack import Stack
from ops.stores import Stores, settings
from ops.verify import verify

WITHIN_SEC = 180.0
_KILLED = ("order", "payment", "gateway", "ticket")
_BUYERS = 10
_AT_ONCE = 20
_UNPAID_SHARE = 0.2
_LATE = 20
"""Buyers who come while the event is being called off."""


@dataclass(frozen=True, kw_only=True)
class CalledOff:
    """How many orders, and how often whoever works on them is killed."""

    seed: int
    orders: int = 500
    kills: int = 2


@dataclass
class Ended:
    """What was done and found."""

    plan: CalledOff
    crowd: Crowd
    statuses: dict[str, int] = field(default_factory=dict)
    refunded: int = 0
    killed_at: list[int] = field(default_factory=list)
    """How many orders had ended at each kill."""
    ended_in_sec: float = 0
    wrong: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        """What to print."""
        return {
            "plan": vars(self.plan),
            "orders": len(self.crowd.purchases),
            "ended": self.statuses,
            "refunded": self.refunded,
            "killed_at": self.killed_at,
            "ended_in_sec": round(self.ended_in_sec, 1),
            "wrong": self.wrong,
        }


def cancelled_event(stack: Stack, plan: CalledOff) -> Ended:
    """Sell, call the event off, kill, judge."""
    crowd = Crowd(f"http://127.0.0.1:{stack.layout.port('edge')}", random.Random(plan.seed))  # noqa: S311  # So that a run can be repeated.
    ended = Ended(plan, crowd)
    with Stores(settings(stack.layout)) as stores:
        asyncio.run(_live(stack, stores, ended))
        _judge(stores, ended)
    return ended


async def _live(stack: Stack, stores: Stores, ended: Ended) -> None:
    crowd, plan = ended.crowd, ended.plan
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=100)
    async with httpx.AsyncClient(timeout=30, limits=limits) as http:
        await crowd.open(http, _BUYERS, [1_000_000])
        turns = asyncio.Semaphore(_AT_ONCE)

        async def shop() -> None:
            async with turns:
                unpaid = crowd.rng.random() < _UNPAID_SHARE
                await crowd.shop(http, "leave" if unpaid else "pay")

        await asyncio.gather(*[shop() for _ in range(plan.orders)])
        late = [asyncio.create_task(crowd.shop(http, "pay")) for _ in range(_LATE)]
        began = time.monotonic()
        path = f"/v1/tickets/{crowd.tickets[0]}/cancellation"
        operation = await crowd.write(http, path, None, crowd.accounts[0])
        await asyncio.to_thread(_kill_half_way, stack, stores, ended)
        await asyncio.to_thread(_wait, stores, ended, began)
        await asyncio.wait(late)
        status = await crowd.end_of(http, operation, crowd.accounts[0])
        if status["status"] != "succeeded":
            ended.wrong.append(f"calling it off has {status['status']}: {status.get('error')}")


def _kill_half_way(stack: Stack, stores: Stores, ended: Ended) -> None:
    """Kill whoever works on it, each time another part of the orders has ended."""
    deadline = time.monotonic() + WITHIN_SEC
    for number in range(1, ended.plan.kills + 1):
        part = ended.plan.orders * number // (ended.plan.kills + 1)
        while (done := _done(stores, ended)) < part and time.monotonic() < deadline:
            time.sleep(0.05)
        for name in _KILLED:
            with suppress(ProcessLookupError):  # It may be starting again.
                stack.kill(name, how=signal.SIGKILL)
        ended.killed_at.append(done)


def _wait(stores: Stores, ended: Ended, began: float) -> None:
    """Wait until every order has ended; say how long it took."""
    while time.monotonic() < began + WITHIN_SEC and _open(stores, ended):
        time.sleep(0.25)
    ended.ended_in_sec = time.monotonic() - began


def _done(stores: Stores, ended: Ended) -> int:
    return sum(n for status, n in _statuses(stores, ended).items() if "event_cancelled" in status)


def _open(stores: Stores, ended: Ended) -> int:
    found = _statuses(stores, ended)
    return sum(
        n for status, n in found.items() if status.split()[0] not in {"CANCELLED", "EXPIRED"}
    )


def _statuses(stores: Stores, ended: Ended) -> dict[str, int]:
    rows = stores.rows(
        "order",
        "SELECT concat_ws(' ', status, cancel_reason) AS status, count(*) AS n FROM orders"
        " WHERE ticket_id = %(ticket)s::uuid GROUP BY 1",
        {"ticket": ended.crowd.tickets[0]},
    )
    return {row["status"]: row["n"] for row in rows}


def _judge(stores: Stores, ended: Ended) -> None:
    """Every order has ended, no money of theirs is kept, and verify is clean."""
    ended.statuses = _statuses(stores, ended)
    if left := _open(stores, ended):
        ended.wrong.append(f"{left} orders have not ended")
    orders = stores.rows(
        "order",
        "SELECT id FROM orders WHERE ticket_id = %(ticket)s::uuid",
        {"ticket": ended.crowd.tickets[0]},
    )
    money = stores.rows(
        "payment",
        "SELECT count(*) FILTER (WHERE status = 'REFUNDED') AS refunded,"
        " coalesce(sum(captured_amount - refunded_amount), 0) AS kept FROM payments"
        " WHERE order_id = ANY(%(ids)s)",
        {"ids": [row["id"] for row in orders]},
    )[0]
    ended.refunded = money["refunded"]
    if money["kept"]:
        ended.wrong.append(f"{money['kept']} of their money is kept")
    if not ended.refunded:
        ended.wrong.append("nobody had paid: nothing was shown")
    for finding in verify(stores, ENDED_WITHIN_SEC):
        ended.wrong += [f"line {each.line}: {each.id} {each.why}" for each in finding.broken]
