"""Processes are added and drained under load, and nothing is lost."""

import asyncio
import random
import time

import pytest

from bus.topology import VHOST
from ops.chaos import Plan, sell
from ops.chaos.buyers import Crowd
from ops.chaos.judge import judge
from ops.local.stack import Stack
from ops.stores import Stores

pytestmark = [pytest.mark.chaos, pytest.mark.slow]
DEADLINE_SEC = 30


def wait_for_consumers(stores: Stores, number: int) -> None:
    """Until the broker's console shows so many; it is some seconds behind."""
    deadline = time.monotonic() + DEADLINE_SEC
    while stores.console.call("GET", "queues", VHOST, "order.commands")["consumers"] != number:
        assert time.monotonic() < deadline, f"order.commands does not have {number} consumers"
        time.sleep(0.2)


@pytest.mark.timeout(170)
def test_a_process_more_and_less_under_load_loses_nothing(whole: Stack, stores: Stores) -> None:
    before = whole.pid("order", 1)

    def scale() -> None:
        whole.scale({"order": 2})
        wait_for_consumers(stores, 2)
        assert whole.pid("order", 1) == before, "scaling restarted a process that stays"
        whole.scale({"order": 1})  # Returns when the second process has drained and ended.
        wait_for_consumers(stores, 1)

    crowd = Crowd(f"http://127.0.0.1:{whole.layout.port('edge')}", random.Random(7))  # noqa: S311  # Not a secret.
    plan = Plan(seed=7, seconds=6, orders_per_sec=5)
    ended = asyncio.run(sell(crowd, plan, scale))
    verdict = judge(stores, crowd, ended)
    assert verdict.wrong == []
    assert verdict.authorised > 10
    log = (whole.layout.log / "order-2.log").read_text()
    assert '"event":"stopped"' in log, "the second process did not end in order"
    assert '"code":0' in log.splitlines()[-1]
