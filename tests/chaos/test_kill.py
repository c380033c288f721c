"""Processes are killed under load, and nothing is lost."""

import random

import pytest

from ops.chaos import Plan, kill
from ops.local.stack import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.slow]


@pytest.mark.timeout(170)  # A busy machine starts processes slowly.
def test_killing_any_process_under_load_loses_nothing(whole: Stack) -> None:
    seed = random.SystemRandom().randrange(2**31)
    result = kill(whole, Plan(seed=seed, seconds=12, every_sec=2, orders_per_sec=5))
    assert result.verdict.wrong == [], result.summary()
    assert sum(result.killer.killed.values()) >= 4, result.summary()
    assert result.verdict.authorised > 10, result.summary()
    assert result.verdict.late == 0, "an order expired long before its time"
