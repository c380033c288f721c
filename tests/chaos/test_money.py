"""Stripe loses answers and events, or takes seconds: every order is paid once, and in time."""

import random

import pytest

from ops.chaos.cancelled_event import CalledOff, cancelled_event
from ops.chaos.money import Money, money
from ops.chaos.slow_stripe import Slow, slow_stripe
from ops.local.stack import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.slow]


@pytest.mark.timeout(170)
def test_orders_are_paid_once_whatever_stripe_loses(whole: Stack) -> None:
    """Few orders, worse faults; what is never heard takes a minute to be found, and is left out."""
    seed = random.SystemRandom().randrange(2**31)
    plan = Money(
        seed=seed,
        orders=30,
        orders_per_sec=10,
        reply_lost_rate=0.2,
        doubled_rate=0.5,
        late_rate=0.3,
        late_sec=3,
        dropped_rate=0,
    )
    paid = money(whole, plan)
    assert paid.verdict.wrong == [], paid.summary()
    assert paid.verdict.authorised == len(paid.took_sec) == 30, paid.summary()


@pytest.mark.timeout(170)
def test_only_money_waits_for_a_slow_stripe(whole: Stack) -> None:
    """A few seconds of it; on a busy machine times tell little, so that only captures count."""
    slowed = slow_stripe(whole, Slow(seed=7, seconds=3, orders_per_sec=8, answers_in_sec=2))
    times = ("at p95", "was not answered once")
    wrong = [each for each in slowed.verdict.wrong if not any(time in each for time in times)]
    assert wrong == [], slowed.summary()
    assert len(slowed.captured_sec) >= 24, slowed.summary()
    assert {"read", "hold", "sign in"} == slowed.before_ms.keys() == slowed.slow_ms.keys()


@pytest.mark.timeout(170)
def test_an_event_is_called_off_whoever_is_killed_half_way(whole: Stack) -> None:
    ended = cancelled_event(whole, CalledOff(seed=3, orders=30, kills=1))
    assert ended.wrong == [], ended.summary()
    assert ended.refunded > 0, ended.summary()
