"""Faults of every kind, one at a time, chosen by chance."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Literal, get_args

import httpx
import psycopg

from ops.chaos.broker import Alarm, Broker
from ops.chaos.killer import Killer
from ops.local import servers
from ops.local.stack import Stack
from ops.stores import POSTGRES

Kind = Literal[
    "a process killed",
    "the broker killed",
    "all connections closed",
    "all connections closed again and again",
    "a memory alarm",
    "a disk alarm",
    "PostgreSQL's backends ended",
    "PostgreSQL killed",
    "MongoDB killed",
    "Redis killed",
    "Stripe in a bad mood",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
_ALARM_SEC = 2.0
_CLOSED_TIMES, _CLOSED_EVERY_SEC = 3, 2.0
_STRIPE_SEC = 5.0
_BACK_WITHIN_SEC = 60.0
_STRIPE = {
    "error_rate": 0.05,
    "reply_lost_rate": 0.05,
    "delay_ms": [0, 300],
    "webhooks": {"doubled_rate": 0.2, "out_of_order_rate": 0.2},
}


class Faults:
    """What can go wrong with one local system, and the dice that decide what does."""

    def __init__(self, stack: Stack, rng: random.Random, spared: Collection[Kind] = ()) -> None:
        """`rng` decides; the same seed, the same faults. `spared` are kinds that do not happen."""
        self._stack = stack
        self._rng = rng
        self._known = stack.environment()
        self.killer = Killer(stack, rng, spared=())
        self._broker = Broker(stack)
        kinds: dict[Kind, Callable[[], str]] = {
            "a process killed": self._kill,
            "the broker killed": self._kill_broker,
            "all connections closed": partial(self._close_connections, 1),
            "all connections closed again and again": partial(
                self._close_connections, _CLOSED_TIMES
            ),
            "a memory alarm": partial(self._alarm, "memory"),
            "a disk alarm": partial(self._alarm, "disk"),
            "PostgreSQL's backends ended": self._end_backends,
            "PostgreSQL killed": partial(self._kill_server, "postgresql"),
            "MongoDB killed": partial(self._kill_server, "mongodb"),
            "Redis killed": partial(self._kill_server, "redis"),
            "Stripe in a bad mood": self._annoy_stripe,
        }
        self._kinds = {kind: strike for kind, strike in kinds.items() if kind not in spared}
        self.done: Counter[Kind] = Counter()

    def strike(self) -> str:
        """Do one of them, and wait until it is over; return what was done."""
        kind = self._rng.choice(list(self._kinds))
        told = self._kinds[kind]()
        self.done[kind] += 1
        return f"{kind}: {told}"

    def _kill(self) -> str:
        return self.killer.kill() or "none that runs"

    def _kill_broker(self) -> str:
        began = time.monotonic()
        self._broker.kill()
        return f"back after {time.monotonic() - began:.1f} s"

    def _close_connections(self, times: int) -> str:
        every_sec = _CLOSED_EVERY_SEC if times > 1 else 0
        return ", ".join(map(str, self._broker.close_connections(times, every_sec)))

    def _end_backends(self) -> str:
        role = self._rng.choice([*POSTGRES, "edge"])
        with psycopg.connect(self._known["FOYER_ADMIN_DATABASE_URL"], autocommit=True) as admin:
            ended = admin.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = %s",
                [role],
            ).fetchone()
        return f"{ended and ended[0]} of {role}"

    def _alarm(self, which: Alarm) -> str:
        with self._broker.alarm(which):
            time.sleep(_ALARM_SEC)
        return f"{_ALARM_SEC:g} s"

    def _kill_server(self, name: str) -> str:
        began = time.monotonic()
        server = next(
            each
            for each in servers.all_servers(self._stack.layout, self._known)
            if each.name == name
        )
        pid = self._stack.kill(name, how=signal.SIGKILL)
        while self._stack.pid(name) in {0, pid} or not server.ready(self._known):
            if time.monotonic() > began + _BACK_WITHIN_SEC:
                msg = f"{name} did not come back within {_BACK_WITHIN_SEC:g} s"
                raise TimeoutError(msg)
            time.sleep(0.1)
        return f"back after {time.monotonic() - began:.1f} s"

    def _annoy_stripe(self) -> str:
        self._stand_in(_STRIPE)
        time.sleep(_STRIPE_SEC)
        self._stand_in({})
        return f"{_STRIPE_SEC:g} s"

    def _stand_in(self, switches: dict[str, object]) -> None:
        where = f"http://127.0.0.1:{self._stack.layout.port('stripe')}/_stand_in/faults"
        with suppress(httpx.TransportError):  # It is being started: then it has none.
            httpx.put(where, json=switches, timeout=5).raise_for_status()
