"""``python -m ops chaos money``: orders are paid while Stripe's answers and events go astray.

Of its answers some are lost after the work was done; of its events some come twice, some late,
some never. Every order that a buyer has paid ends confirmed, is captured exactly once, and in time.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from ops.chaos.buyers import Crowd, clients
from ops.chaos.judge import Verdict, judge
from ops.local.stack import Stack
from ops.stores import Stores, settings

WITHIN_SEC = 180.0
"""From an order's placing until its money is taken."""
_BUYERS = 10
_BUYERS_FINISH_WITHIN_SEC = 120


@dataclass(frozen=True, kw_only=True)
class Money:
    """How many orders, and what goes wrong with them."""

    seed: int
    orders: int = 1000
    orders_per_sec: float = 20
    reply_lost_rate: float = 0.05
    doubled_rate: float = 0.2
    late_rate: float = 0.1
    late_sec: float = 10
    dropped_rate: float = 0.05

    @property
    def faults(self) -> dict[str, object]:
        """The stand-in's switches."""
        return {
            "seed": self.seed,
            "reply_lost_rate": self.reply_lost_rate,
            "webhooks": {
                "doubled_rate": self.doubled_rate,
                "late_rate": self.late_rate,
                "late_ms": self.late_sec * 1000,
                "dropped_rate": self.dropped_rate,
            },
        }


@dataclass
class Paid:
    """What was done and found."""

    plan: Money
    crowd: Crowd
    verdict: Verdict = field(default_factory=Verdict)
    took_sec: list[float] = field(default_factory=list)
    """From each order's placing until its money was taken, sorted."""
    calls: dict[str, int] = field(default_factory=dict)
    """Calls to Stripe by kind and the attempts that they took, and records of each kind."""

    def summary(self) -> dict[str, object]:
        """What to print."""
        codes = [each.failed_with for each in self.crowd.purchases if each.failed_with]
        return {
            "plan": vars(self.plan),
            "orders": len(self.crowd.purchases),
            "authorised": self.verdict.authorised,
            "captured": len(self.took_sec),
            "captured_within_sec": percentiles(self.took_sec),
            "failed": {code: codes.count(code) for code in sorted(set(codes))},
            "calls": self.calls,
            "wrong": self.verdict.wrong,
        }


def percentiles(values: list[float]) -> dict[str, float]:
    """Read p50, p95 and the largest off sorted values."""
    if not values:
        return {}
    at = {f"p{part}": values[min(len(values) - 1, len(values) * part // 100)] for part in (50, 95)}
    return {name: round(value, 2) for name, value in (at | {"max": values[-1]}).items()}


def misbehave(stack: Stack, switches: dict[str, object]) -> None:
    """Set the stand-in's switches, all others off."""
    address = f"http://127.0.0.1:{stack.layout.port('stripe')}/_stand_in/faults"
    httpx.put(address, json=switches, timeout=10).raise_for_status()


def money(stack: Stack, plan: Money) -> Paid:
    """Sell, then judge."""
    crowd = Crowd(f"http://127.0.0.1:{stack.layout.port('edge')}", random.Random(plan.seed))  # noqa: S311  # So that a run can be repeated.
    paid = Paid(plan, crowd)
    began = asyncio.run(_sell(stack, crowd, plan))
    with Stores(settings(stack.layout)) as stores:
        paid.verdict = judge(stores, crowd, time.monotonic(), within_sec=WITHIN_SEC)
        paid.took_sec = _took(stores, crowd)
        paid.calls = _calls(stores)
    late = [each for each in paid.took_sec if each > WITHIN_SEC]
    if late:
        paid.verdict.wrong.append(f"{len(late)} orders took longer than {WITHIN_SEC:g} s")
    if len(paid.took_sec) != paid.verdict.authorised:
        paid.verdict.wrong.append(
            f"{paid.verdict.authorised} were paid, {len(paid.took_sec)} captured"
        )
    paid.calls["seconds"] = round(time.monotonic() - began)
    return paid


async def _sell(stack: Stack, crowd: Crowd, plan: Money) -> float:
    """Have everybody come and pay; return when the first one came."""
    async with clients() as opened:
        await crowd.open(opened[0], _BUYERS, [1_000_000])
        misbehave(stack, plan.faults)
        began = time.monotonic()
        try:
            shopping = await arrive(crowd, opened, plan.orders, plan.orders_per_sec)
            await asyncio.wait(shopping, timeout=_BUYERS_FINISH_WITHIN_SEC)
        finally:
            misbehave(stack, {})
    return began


async def arrive(
    crowd: Crowd, opened: Sequence[httpx.AsyncClient], orders: int, orders_per_sec: float
) -> set["asyncio.Task[None]"]:
    """Send buyers who pay, at a steady pace; return them all."""
    shopping: set[asyncio.Task[None]] = set()
    began = time.monotonic()
    for number in range(orders):
        await asyncio.sleep(max(0.0, began + number / orders_per_sec - time.monotonic()))
        buyer = crowd.shop(opened[number % len(opened)], "pay")
        shopping.add(asyncio.create_task(buyer))
    return shopping


def _took(stores: Stores, crowd: Crowd) -> list[float]:
    ids = [each.order_id for each in crowd.purchases if each.authorised]
    placed = stores.rows(
        "order",
        "SELECT id, created_at FROM orders WHERE id = ANY(%(ids)s::uuid[])",
        {"ids": ids},
    )
    captured = stores.rows(
        "payment",
        "SELECT p.order_id, min(r.recorded_at) AS at FROM payments p JOIN payment_records r"
        " ON r.payment_id = p.id WHERE p.order_id = ANY(%(ids)s::uuid[])"
        " AND r.event_type = 'captured' GROUP BY 1",
        {"ids": ids},
    )
    since = {row["id"]: row["created_at"] for row in placed}
    return sorted((row["at"] - since[row["order_id"]]).total_seconds() for row in captured)


def _calls(stores: Stores) -> dict[str, int]:
    found = stores.rows(
        "payment",
        "SELECT kind, count(*) AS n, sum(attempts)::integer AS attempts FROM gateway_calls"
        " GROUP BY 1 ORDER BY 1",
    )
    return {f"{row['kind']} calls": row["n"] for row in found} | {
        f"{row['kind']} attempts": row["attempts"] for row in found
    }
