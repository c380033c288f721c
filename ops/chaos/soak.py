"""``python -m ops chaos soak``: sell for minutes while everything fails now and then.

Buyers come at the rate that is asked for, whatever became of those before them, as they do when a
sale opens: most come too late for what they want, some for what is free, and of the others many
change their mind. They are patient: what waits while something fails must be answered afterwards.
When too many are under way, the next ones stay away and are counted. At the end every message is
accounted for.
"""

import asyncio
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from ops.chaos.accounts import Accounts, accounts
from ops.chaos.buyers import Crowd, Plan, clients
from ops.chaos.faults import KINDS, Faults, Kind
from ops.chaos.judge import Verdict, judge
from ops.local.stack import Stack
from ops.stores import Stores, settings

_BUYERS = 20
_MOST_UNDER_WAY = 3000
_PATIENCE_SEC = 240
"""A fault and its backlog take less."""
_PLANS: dict[Plan, int] = {"pay": 45, "decline": 10, "cancel": 20, "leave": 25}
_WANTED = (15, 10, 60, 15)
"""Of a hundred, who want the hot ticket, another one, the one that sells out, the free one."""
_PAUSE_SEC = 0.005
_FINISH_WITHIN_SEC = 300
_REST_WITHIN_SEC = 120
_SOLD_OUT_SHARE = 0.1
"""How much of what is asked of the third ticket there is."""
_MANY = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Soak:
    """How long and how hard."""

    seed: int
    seconds: float
    orders_per_sec: float
    every_sec: float
    """From the end of one fault to the next one."""
    spared: tuple[Kind, ...] = ()
    """Faults that do not happen."""


@dataclass
class Soaked:
    """What was done and found."""

    plan: Soak
    crowd: Crowd
    stayed_away: int = 0
    """Buyers who did not come because too many were under way."""
    arrived_in_sec: float = 0
    faults: dict[str, int] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    verdict: Verdict = field(default_factory=Verdict)
    accounts: Accounts = field(default_factory=Accounts)

    @property
    def wrong(self) -> list[str]:
        """What is wrong, in sentences."""
        return [*self.verdict.wrong, *self.accounts.wrong]

    def summary(self) -> dict[str, object]:
        """What to print."""
        purchases = self.crowd.purchases
        took = sorted(each.ended - each.began for each in purchases if each.ended)
        codes = [each.failed_with for each in purchases if each.failed_with]
        return {
            "plan": vars(self.plan),
            "orders": len(purchases),
            "orders_per_sec": round(len(purchases) / max(self.arrived_in_sec, 1), 1),
            "stayed_away": self.stayed_away,
            "faults": self.faults,
            "kills": self.kills,
            "accepted_operations": self.verdict.operations,
            "ended_after_last_fault_sec": self.verdict.ended_after_sec,
            "authorised": self.verdict.authorised,
            "given_back_because_late": self.verdict.late,
            "failed": {code: codes.count(code) for code in sorted(set(codes))},
            "repeats": dict(self.crowd.repeats),
            "placed_within_ms": {
                f"p{part}": round(1000 * took[min(len(took) - 1, len(took) * part // 100)])
                for part in (50, 95, 99)
                if took
            },
            "said_by": dict(self.accounts.said_by),
            "messages_handled": sum(each.handled for each in self.accounts.queues),
            "messages_lost": sum(each.lost for each in self.accounts.queues),
            "wrong": self.wrong,
        }


def soak(stack: Stack, plan: Soak) -> Soaked:
    """Sell and disturb, then account for everything."""
    rng = random.Random(plan.seed)  # noqa: S311  # So that a run can be repeated.
    dice = random.Random(plan.seed + 1)  # noqa: S311  # The same.
    faults = Faults(stack, dice, plan.spared)
    crowd = Crowd(
        f"http://127.0.0.1:{stack.layout.port('edge')}",
        rng,
        plans=_PLANS,
        wanted=_WANTED,
        patience_sec=_PATIENCE_SEC,
    )
    soaked = Soaked(plan, crowd)
    ended = asyncio.run(_sell(soaked, faults))
    soaked.faults = {kind: faults.done[kind] for kind in KINDS if faults.done[kind]}
    soaked.kills = dict(faults.killer.killed)
    with Stores(settings(stack.layout)) as stores:
        if not faults.killer.all_live(_REST_WITHIN_SEC):
            soaked.verdict.wrong.append("not every process came back")
        else:
            late_sec = time.monotonic() - ended  # The last buyers paid a moment ago.
            soaked.verdict = judge(stores, crowd, ended, within_sec=late_sec + _REST_WITHIN_SEC)
        soaked.accounts = accounts(stores)
    return soaked


async def _sell(soaked: Soaked, faults: Faults) -> float:
    """Have buyers come while something fails; return when the last fault was over."""
    plan, crowd = soaked.plan, soaked.crowd
    async with clients() as opened:
        asked = plan.seconds * plan.orders_per_sec * 2 * _WANTED[2] / 100
        few = max(3, int(asked * _SOLD_OUT_SHARE))
        await crowd.open(opened[0], _BUYERS, [_MANY, _MANY, few], free=_MANY)
        disturbing = asyncio.create_task(asyncio.to_thread(_disturb, faults, plan))
        shopping = await _arrive(soaked, opened)
        await disturbing
        ended = time.monotonic()
        if shopping:
            await asyncio.wait(shopping, timeout=_FINISH_WITHIN_SEC)
        for each in shopping:
            each.cancel()
    return ended


async def _arrive(soaked: Soaked, opened: Sequence[httpx.AsyncClient]) -> set["asyncio.Task[None]"]:
    """Send the buyers; return those who are still at it when all have come."""
    plan = soaked.plan
    shopping: set[asyncio.Task[None]] = set()
    began = time.monotonic()
    come = 0
    while come < int(plan.seconds * plan.orders_per_sec):
        await asyncio.sleep(max(_PAUSE_SEC, began + come / plan.orders_per_sec - time.monotonic()))
        due = int(min(time.monotonic() - began, plan.seconds) * plan.orders_per_sec)
        for number in range(come, due):
            if len(shopping) >= _MOST_UNDER_WAY:
                soaked.stayed_away += 1
                continue
            buyer = asyncio.create_task(soaked.crowd.shop(opened[number % len(opened)]))
            shopping.add(buyer)
            buyer.add_done_callback(shopping.discard)
        come = due
    soaked.arrived_in_sec = time.monotonic() - began
    return shopping


def _disturb(faults: Faults, plan: Soak) -> None:
    began = time.monotonic()
    while True:
        time.sleep(plan.every_sec)
        at = time.monotonic() - began
        if at > plan.seconds:
            return
        sys.stderr.write(f"{at:6.1f} s  {faults.strike()}\n")
        sys.stderr.flush()
