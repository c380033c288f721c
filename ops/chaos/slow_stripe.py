"""``python -m ops chaos slow-stripe``: Stripe answers in seconds, and only money waits for it.

Holds, sign-ins and reads are measured twice under the same sale: once as ever, once with Stripe
slow. Every order that was authorised meanwhile is captured within seconds.
"""

import asyncio
import multiprocessing
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from ops.chaos.buyers import Crowd, clients
from ops.chaos.judge import Verdict, judge
from ops.chaos.money import arrive, misbehave, percentiles
from ops.house import House, build
from ops.load import Connection, signed_in
from ops.local.stack import Stack
from ops.stores import Stores, settings

CAPTURED_WITHIN_SEC = 20.0
TIMES_BASELINE = 2.0
_SLOW_KINDS = ("create_intent", "retrieve_intent", "capture", "cancel")
_BUYERS = 10
_PAUSE_SEC = {"read": 0.1, "hold": 0.25, "sign in": 4}
"""Between two of each; an address may sign in twenty times a minute."""
_FINISH_WITHIN_SEC = 120
_WELL, _AGAIN = 300, {429, 503}


@dataclass(frozen=True, kw_only=True)
class Slow:
    """How slow, and for how long."""

    seed: int
    seconds: float = 60
    orders_per_sec: float = 20
    answers_in_sec: float = 5


@dataclass
class Slowed:
    """What was done and found."""

    plan: Slow
    crowd: Crowd
    before_ms: dict[str, dict[str, float]] = field(default_factory=dict)
    slow_ms: dict[str, dict[str, float]] = field(default_factory=dict)
    captured_sec: list[float] = field(default_factory=list)
    """From each authorisation until its money was taken, sorted."""
    verdict: Verdict = field(default_factory=Verdict)

    def summary(self) -> dict[str, object]:
        """What to print."""
        return {
            "plan": vars(self.plan),
            "before_ms": self.before_ms,
            "slow_ms": self.slow_ms,
            "authorised": self.verdict.authorised,
            "captured": len(self.captured_sec),
            "captured_sec": percentiles(self.captured_sec),
            "wrong": self.verdict.wrong,
        }


def slow_stripe(stack: Stack, plan: Slow) -> Slowed:
    """Measure, slow Stripe down, measure again, judge."""
    crowd = Crowd(f"http://127.0.0.1:{stack.layout.port('edge')}", random.Random(plan.seed))  # noqa: S311  # So that a run can be repeated.
    slowed = Slowed(plan, crowd)
    slow_since = asyncio.run(_sell(stack, slowed))
    with Stores(settings(stack.layout)) as stores:
        slowed.verdict = judge(stores, crowd, time.monotonic(), within_sec=_FINISH_WITHIN_SEC)
        slowed.captured_sec = _captured(stores, slow_since)
    slowed.verdict.wrong += _too_slow(slowed)
    return slowed


def _too_slow(slowed: Slowed) -> list[str]:
    wrong = []
    for name, before in slowed.before_ms.items():
        slow = slowed.slow_ms[name]
        if not (before and slow):
            wrong.append(f"{name} was not answered once")
        elif slow["p95"] > TIMES_BASELINE * before["p95"]:
            wrong.append(f"{name} took {slow['p95']} ms at p95, {before['p95']} ms before")
    late = [each for each in slowed.captured_sec if each > CAPTURED_WITHIN_SEC]
    if late:
        wrong.append(f"{len(late)} captures took up to {max(late):.1f} s")
    return wrong


async def _sell(stack: Stack, slowed: Slowed) -> float:
    """Sell in both halves; return since when Stripe was slow, as seconds since the epoch."""
    plan, crowd = slowed.plan, slowed.crowd
    orders = int(plan.seconds * plan.orders_per_sec)
    async with clients() as opened:
        await crowd.open(opened[0], _BUYERS, [1_000_000])
        visitor = await _Visitor.arrive(stack, crowd.tickets[0])
        shopping, slowed.before_ms = await _measured(visitor, crowd, opened, orders, plan)
        await asyncio.wait(shopping, timeout=_FINISH_WITHIN_SEC)
        slow_since = time.time()
        misbehave(stack, {"delay_ms": dict.fromkeys(_SLOW_KINDS, plan.answers_in_sec * 1000)})
        try:
            shopping, slowed.slow_ms = await _measured(visitor, crowd, opened, orders, plan)
            await asyncio.wait(shopping, timeout=_FINISH_WITHIN_SEC)
        finally:
            misbehave(stack, {})
    return slow_since


async def _measured(
    visitor: "_Visitor", crowd: Crowd, opened: Sequence[httpx.AsyncClient], orders: int, plan: Slow
) -> tuple[set["asyncio.Task[None]"], dict[str, dict[str, float]]]:
    """Have buyers come, and a visitor do everything else all the while.

    The visitor is a process of its own: beside hundreds of buyers it would measure how long they
    keep it from looking at its answers.
    """
    alone = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=alone) as pool:
        loop = asyncio.get_running_loop()
        visiting = loop.run_in_executor(pool, visitor.visit, plan.seconds)
        shopping = await arrive(crowd, opened, orders, plan.orders_per_sec)
        took = await visiting
    return shopping, {name: percentiles(sorted(values)) for name, values in took.items()}


@dataclass
class _Visitor:
    """Somebody who looks around, signs in and picks seats while others pay."""

    port: int
    headers: dict[str, str]
    ticket_id: str
    house: House
    login: dict[str, str]

    @classmethod
    async def arrive(cls, stack: Stack, ticket_id: str) -> "_Visitor":
        """Open a small house of one's own."""
        port = stack.layout.port("edge")
        async with Connection("127.0.0.1", port) as edge:
            headers = await signed_in(edge)
            house = await build(edge, headers, _plan, most=10)
            login = {"email": f"slow-{time.time_ns()}@example.com", "password": "a long password"}
            await edge.post("/v1/users", login, {"Prefer": "wait=10"})
        return cls(port, headers, ticket_id, house, login)

    def visit(self, seconds: float) -> dict[str, list[float]]:
        """Do each thing again and again for so long; return the milliseconds of each."""
        return asyncio.run(self._visit(seconds))

    async def _visit(self, seconds: float) -> dict[str, list[float]]:
        took: dict[str, list[float]] = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for each in self._visits(took):
                    group.create_task(each)
        return took

    def _visits(self, took: dict[str, list[float]]) -> list[Coroutine[Any, Any, None]]:
        wait = {**self.headers, "Prefer": "wait=10"}
        holds = f"/v1/seating-plans/{self.house.plan_id}/holds"
        seat = {"seat_ids": self.house.seat_ids[:1]}
        return [
            self._repeat(took, "read", lambda e: e.ask("GET", f"/v1/tickets/{self.ticket_id}")),
            self._repeat(took, "hold", lambda e: e.post(holds, seat, wait)),
            self._repeat(
                took,
                "sign in",
                lambda e: e.post("/v1/sessions", self.login, {"Prefer": "wait=10"}),
            ),
        ]

    async def _repeat(
        self,
        took: dict[str, list[float]],
        name: str,
        ask: Callable[[Connection], Awaitable[Any]],
    ) -> None:
        times = took.setdefault(name, [])
        async with Connection("127.0.0.1", self.port) as edge:
            while True:
                began = time.perf_counter()
                answer = await ask(edge)
                if answer.status in _AGAIN:
                    await asyncio.sleep(1)
                    continue
                times.append((time.perf_counter() - began) * 1000)
                if answer.status >= _WELL:
                    msg = f"{name}: {answer}"
                    raise RuntimeError(msg)
                await asyncio.sleep(_PAUSE_SEC[name])


def _plan(venue_id: str, ticket_id: str) -> dict[str, Any]:
    return {
        "venue_id": venue_id,
        "ticket_id": ticket_id,
        "name": "A small house",
        "pricing_mode": "single",
        "sections": [{"name": "Stalls", "type": "seated", "row_count": 4, "column_count": 10}],
    }


def _captured(stores: Stores, since: float) -> list[float]:
    found = stores.rows(
        "payment",
        "SELECT extract(epoch FROM min(c.recorded_at) - min(a.recorded_at))::float AS sec"
        " FROM payment_records a JOIN payment_records c ON c.payment_id = a.payment_id"
        " WHERE a.event_type = 'authorized' AND c.event_type = 'captured'"
        " AND a.recorded_at > to_timestamp(%(since)s) GROUP BY a.payment_id",
        {"since": since},
    )
    return sorted(row["sec"] for row in found)
