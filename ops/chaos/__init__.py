"""``python -m ops chaos``: faults under load, then a check that nothing was lost.

    kill    processes are killed, one after the other
    soak    minutes of faults of every kind, every message accounted for: see `ops.chaos.soak`
    money   answers of Stripe's are lost, its events doubled, late, lost: see `ops.chaos.money`
    cancelled-event  an event is called off, twice half-way: see `ops.chaos.cancelled_event`
    slow-stripe  Stripe answers in seconds, only money waits: see `ops.chaos.slow_stripe`
    seats   no faults, but crowds that want the same seats: see `ops.chaos.seats`

Needs a running system of its own: whatever is sold there is sold for good.
"""

import argparse
import asyncio
import random
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import orjson
from rich.console import Console

from ops.chaos.buyers import Crowd
from ops.chaos.cancelled_event import CalledOff, cancelled_event
from ops.chaos.judge import Verdict, judge
from ops.chaos.killer import Killer
from ops.chaos.money import Money, money
from ops.chaos.seats import Rush, seats
from ops.chaos.slow_stripe import Slow, slow_stripe
from ops.chaos.soak import Soak, soak
from ops.local.layout import Layout
from ops.local.stack import Stack
from ops.stores import Stores, settings

_BUYERS = 10
_BUYERS_FINISH_WITHIN_SEC = 60
_LIVE_WITHIN_SEC = 30


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How hard to kill."""

    seed: int
    seconds: float = 60
    every_sec: float = 3
    orders_per_sec: float = 20
    spared: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What was done and found."""

    plan: Plan
    verdict: Verdict
    crowd: Crowd
    killer: Killer

    def summary(self) -> dict[str, object]:
        """What to print."""
        purchases = self.crowd.purchases
        took = sorted(each.ended - each.began for each in purchases if each.ended)
        codes = [each.failed_with for each in purchases if each.failed_with]
        return {
            "plan": vars(self.plan),
            "kills": dict(self.killer.killed),
            "orders": len(purchases),
            "accepted_operations": self.verdict.operations,
            "ended_after_last_kill_sec": self.verdict.ended_after_sec,
            "authorised": self.verdict.authorised,
            "given_back_because_late": self.verdict.late,
            "failed": {code: codes.count(code) for code in sorted(set(codes))},
            "repeats": dict(self.crowd.repeats),
            "placed_within_ms": {
                f"p{part}": round(1000 * took[min(len(took) - 1, len(took) * part // 100)])
                for part in (50, 95, 99)
                if took
            },
            "wrong": self.verdict.wrong,
        }


def kill(stack: Stack, plan: Plan) -> Result:
    """Sell and kill at the same time, then judge."""
    rng = random.Random(plan.seed)  # noqa: S311  # So that a run can be repeated.
    crowd = Crowd(f"http://127.0.0.1:{stack.layout.port('edge')}", rng)
    killer = Killer(stack, random.Random(plan.seed + 1), plan.spared)  # noqa: S311  # The same.
    last_kill = asyncio.run(sell(crowd, plan, lambda: _kill(killer, plan)))
    with Stores(settings(stack.layout)) as stores:
        if not killer.all_live(_LIVE_WITHIN_SEC):
            verdict = Verdict(wrong=["not every process came back"])
        else:
            verdict = judge(stores, crowd, last_kill)
    return Result(plan, verdict, crowd, killer)


async def sell(crowd: Crowd, plan: Plan, disturb: Callable[[], None]) -> float:
    """Have buyers come at a steady pace while something disturbs; return when that ended."""
    limits = httpx.Limits(max_connections=500, max_keepalive_connections=100)
    async with httpx.AsyncClient(timeout=15, limits=limits) as http:
        few = max(3, int(plan.seconds * plan.orders_per_sec * 0.2))  # This one sells out.
        await crowd.open(http, _BUYERS, [1_000_000, 1_000_000, few])
        disturbing = asyncio.create_task(asyncio.to_thread(disturb))
        shopping = []
        began = time.monotonic()
        while (now := time.monotonic()) < began + plan.seconds or not disturbing.done():
            shopping.append(asyncio.create_task(crowd.shop(http)))
            next_one = began + len(shopping) / plan.orders_per_sec
            await asyncio.sleep(max(0.0, next_one - now))
        await disturbing
        ended = time.monotonic()
        await asyncio.wait(shopping, timeout=_BUYERS_FINISH_WITHIN_SEC)
        for each in shopping:
            each.cancel()
    return ended


def _kill(killer: Killer, plan: Plan) -> None:
    began = time.monotonic()
    kills = int(plan.seconds / plan.every_sec)
    for number in range(1, kills + 1):
        time.sleep(max(0.0, began + number * plan.every_sec - time.monotonic()))
        name = killer.kill()
        sys.stderr.write(f"{time.monotonic() - began:6.1f} s  killed {name}\n")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``chaos``."""
    tests = parser.add_subparsers(dest="test", metavar="test", required=True)
    sub = tests.add_parser("kill", help="kill -9 of random processes under load")
    sub.add_argument("--seed", type=int, help="repeat a run; random when it is not given")
    sub.add_argument("--seconds", type=float, default=60)
    sub.add_argument("--every", type=float, default=3, metavar="SECONDS")
    sub.add_argument("--orders", type=float, default=20, metavar="PER_SECOND")
    sub.add_argument("--spare", action="append", default=[], metavar="TYPE")
    sub = tests.add_parser("soak", help="faults of every kind under load, for minutes")
    sub.add_argument("--seed", type=int, help="repeat a run; random when it is not given")
    sub.add_argument("--minutes", type=float, default=10)
    sub.add_argument("--rate", type=float, default=50, metavar="ORDERS_PER_SECOND")
    sub.add_argument("--every", type=float, default=5, metavar="SECONDS", help="between faults")
    sub = tests.add_parser("money", help="pay while Stripe's answers and events go astray")
    sub.add_argument("--seed", type=int, help="repeat a run; random when it is not given")
    sub.add_argument("--orders", type=int, default=1000)
    sub.add_argument("--rate", type=float, default=20, metavar="ORDERS_PER_SECOND")
    sub = tests.add_parser("slow-stripe", help="sell while Stripe takes seconds to answer")
    sub.add_argument("--seed", type=int, help="repeat a run; random when it is not given")
    sub.add_argument("--seconds", type=float, default=60)
    sub.add_argument("--rate", type=float, default=20, metavar="ORDERS_PER_SECOND")
    sub.add_argument("--answer", type=float, default=5, metavar="SECONDS", help="of Stripe's")
    sub = tests.add_parser("seats", help="everybody wants the same seats")
    sub.add_argument("--seed", type=int, help="repeat a run; random when it is not given")
    sub.add_argument("--runs", type=int, default=1, help="each with the next seed")
    sub.add_argument("--buyers", type=int, default=500)
    sub.add_argument("--flush", action="store_true", help="empty Redis meanwhile")
    sub = tests.add_parser("cancelled-event", help="call an event off, and kill half-way")
    sub.add_argument("--seed", type=int, help="repeat a run; random when it is not given")
    sub.add_argument("--orders", type=int, default=500)
    sub.add_argument("--kills", type=int, default=2)


def run(args: argparse.Namespace) -> int:
    """Run it on the system that runs here; 1 when something was lost."""
    stack = Stack(Layout.from_environment().base)
    if not stack.running:
        sys.stderr.write("nothing is running here: start it with `make up`\n")
        return 1
    seed = secrets.randbelow(2**31) if args.seed is None else args.seed
    sys.stderr.write(f"seed {seed}\n")
    summary = _RUNS[args.test](stack, args, seed)
    sys.stdout.write(orjson.dumps(summary, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 1 if summary["wrong"] else 0


def _run_seats(stack: Stack, args: argparse.Namespace, seed: int) -> dict[str, object]:
    rush = Rush(seed=seed, runs=args.runs, buyers=args.buyers, flush=args.flush)
    return seats(stack, rush).summary()


def _run_kill(stack: Stack, args: argparse.Namespace, seed: int) -> dict[str, object]:
    plan = Plan(
        seed=seed,
        seconds=args.seconds,
        every_sec=args.every,
        orders_per_sec=args.orders,
        spared=tuple(args.spare),
    )
    return kill(stack, plan).summary()


def _run_soak(stack: Stack, args: argparse.Namespace, seed: int) -> dict[str, object]:
    plan = Soak(
        seed=seed,
        seconds=args.minutes * 60,
        orders_per_sec=args.rate,
        every_sec=args.every,
    )
    soaked = soak(stack, plan)
    Console().print(soaked.accounts.table())
    return soaked.summary()


def _run_money(stack: Stack, args: argparse.Namespace, seed: int) -> dict[str, object]:
    plan = Money(seed=seed, orders=args.orders, orders_per_sec=args.rate)
    return money(stack, plan).summary()


def _run_cancelled_event(stack: Stack, args: argparse.Namespace, seed: int) -> dict[str, object]:
    plan = CalledOff(seed=seed, orders=args.orders, kills=args.kills)
    return cancelled_event(stack, plan).summary()


def _run_slow_stripe(stack: Stack, args: argparse.Namespace, seed: int) -> dict[str, object]:
    plan = Slow(
        seed=seed,
        seconds=args.seconds,
        orders_per_sec=args.rate,
        answers_in_sec=args.answer,
    )
    return slow_stripe(stack, plan).summary()


_RUNS: dict[str, Callable[[Stack, argparse.Namespace, int], dict[str, object]]] = {
    "kill": _run_kill,
    "soak": _run_soak,
    "money": _run_money,
    "cancelled-event": _run_cancelled_event,
    "slow-stripe": _run_slow_stripe,
    "seats": _run_seats,
}
