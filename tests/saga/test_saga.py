"""Whatever happens to some orders, in whatever order it is heard: the lines hold.

``FOYER_SAGA_RUNS`` sets how many worlds are lived through, ``FOYER_SAGA_SEED`` the first one's
seed; a failure names the seed of its world, and ``FOYER_SAGA_RUNS=1`` with it lives it again.
"""

import os
import random
from collections import Counter

import pytest

from tests.saga.lines import check
from tests.saga.stripe import Stripe
from tests.saga.world import World
from workers.payment.gateway_worker import Desk

RUNS = int(os.environ.get("FOYER_SAGA_RUNS", "30"))
_CHANCE = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID"))  # noqa: S311  # The same in both lanes.
FIRST_SEED = int(os.environ.get("FOYER_SAGA_SEED") or _CHANCE.randrange(2**31))
AT_A_TIME = 10
WAYS = {
    "CONFIRMED",
    "EXPIRED expired",
    "CANCELLED cancelled",
    "CANCELLED capture_failed",
    "CANCELLED refunded",
    "CANCELLED event_cancelled",
    "CANCELLED sold_out",
    "CANCELLED limit_exceeded",
    "CANCELLED timed_out",
    "CANCELLED seats_unavailable",
    "retaken",
    "retaken in vain",
}
_ended: Counter[str] = Counter()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + RUNS, AT_A_TIME))
def test_the_lines_hold(first: int, stripe: Stripe, desk: Desk) -> None:
    for seed in range(first, min(first + AT_A_TIME, FIRST_SEED + RUNS)):
        try:
            _ended.update(_live(World(seed, stripe, desk)))
        except BaseException as error:
            error.add_note(f"the world of seed {seed}: FOYER_SAGA_RUNS=1 FOYER_SAGA_SEED={seed}")
            raise


def _live(world: World) -> Counter[str]:
    world.live(orders=world.random.randint(2, 6), steps=world.random.randint(5, 40))
    world.rest()
    check(world)
    world.regret()
    world.expire_all()
    ended = check(world)
    world.forget()
    return ended + world.retakes()


@pytest.mark.skipif(RUNS < 100, reason="too few runs to have seen every end")
def test_every_end_was_seen() -> None:
    assert _ended.keys() >= WAYS, _ended
