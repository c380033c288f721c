"""Faults that no other test here has: a sale goes on behind them, and nothing is lost."""

import asyncio
import random

import pytest

from ops.chaos import Plan, sell
from ops.chaos.buyers import Crowd
from ops.chaos.faults import KINDS, Faults
from ops.chaos.judge import judge
from ops.local.stack import Stack
from ops.stores import Stores

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(200)]


def test_postgresql_that_is_killed(whole: Stack, stores: Stores) -> None:
    """All services that have a database, and the edge, lose theirs at once."""
    crowd = Crowd(f"http://127.0.0.1:{whole.layout.port('edge')}", random.Random(3))  # noqa: S311  # Not a secret.
    only = [each for each in KINDS if each != "PostgreSQL killed"]
    faults = Faults(whole, random.Random(3), spared=only)  # noqa: S311  # The same.
    before = {each.name: each.pid for each in whole.status()}
    told: list[str] = []
    plan = Plan(seed=3, seconds=5, orders_per_sec=5)
    ended = asyncio.run(sell(crowd, plan, lambda: told.append(faults.strike())))
    verdict = judge(stores, crowd, ended)
    assert verdict.wrong == []
    assert verdict.authorised > 5
    assert faults.done == {"PostgreSQL killed": 1}, told
    after = {each.name: each.pid for each in whole.status()}
    restarted = {name for name, pid in after.items() if pid != before[name]}
    assert restarted == {"postgresql"}
