"""The broker dies, hangs up or takes nothing, under load: the edge says so, nothing is lost."""

import asyncio
import random
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from ops.chaos import Plan, sell
from ops.chaos.broker import Alarm, Broker
from ops.chaos.buyers import Crowd
from ops.chaos.judge import judge
from ops.chaos.probe import Answer, Probe
from ops.local import procfile
from ops.local.stack import Stack
from ops.local.supervision import children
from ops.stores import Stores

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(150)]
REFUSED_WITHIN_SEC = 2.0
BACK_WITHIN_SEC = 5.0
SLACK_SEC = 2.0
"""Between the edge's answer and this process's reading of it, on a machine that is busy."""
CLOSED_TIMES, CLOSED_EVERY_SEC = 5, 2.0
ALARM_SEC = 4.0
ON_DEMAND = {"edge", "gateway", "stripe"}
"""These start threads when there is work for more."""
Disturb = Callable[[Broker, Probe], None]


def processes(whole: Stack) -> dict[str, tuple[list[int], int]]:
    """Return the pids of each process of ours, and its number of threads if that is fixed."""
    found = {}
    for each in whole.status():
        if (kind := procfile.type_of(each.name)) in procfile.lines():
            pids = [each.pid, *children(each.pid)]
            threads = len(list(Path(f"/proc/{each.pid}/task").iterdir()))
            found[each.name] = (pids, 0 if kind in ON_DEMAND else threads)
    return found


def settled(whole: Stack) -> dict[str, tuple[list[int], int]]:
    """Return the same once two looks agree: a lost connection's thread may be ending."""
    before = processes(whole)
    for _ in range(50):
        time.sleep(0.1)
        if (now := processes(whole)) == before:
            break
        before = now
    return before


def go_through(whole: Stack, stores: Stores, disturb: Disturb) -> list[Answer]:
    """Sell while something disturbs; check that nothing was lost and nobody restarted."""
    crowd = Crowd(f"http://127.0.0.1:{whole.layout.port('edge')}", random.Random(3))  # noqa: S311  # Not a secret.
    broker, probe = Broker(whole), Probe(crowd)
    before: dict[str, tuple[list[int], int]] = {}

    def act() -> None:
        before.update(settled(whole))
        with probe:
            assert probe.wait_for(202, BACK_WITHIN_SEC), "nothing is sold before"
            disturb(broker, probe)

    ended = asyncio.run(sell(crowd, Plan(seed=3, seconds=5, orders_per_sec=5), act))
    verdict = judge(stores, crowd, ended)
    assert verdict.wrong == []
    assert verdict.authorised > 5
    assert {each.status for each in probe.answers} <= {202, 503}
    assert all(each.accepted or each.refused_well for each in probe.answers)
    slow = [each for each in probe.answers if each.took_sec > REFUSED_WITHIN_SEC + SLACK_SEC]
    assert slow == []
    assert settled(whole) == before, "a process was restarted, or its threads have changed"
    return probe.answers


def back(probe: Probe) -> None:
    """Make sure that the edge accepts again in time."""
    assert probe.wait_for(202, BACK_WITHIN_SEC), f"nothing accepted for {BACK_WITHIN_SEC} s"


def test_a_broker_that_is_killed(whole: Stack, stores: Stores) -> None:
    """What was confirmed is on its disk; meanwhile nothing is promised."""

    def disturb(broker: Broker, probe: Probe) -> None:
        began = time.monotonic()
        broker.kill()
        # In this second it is dead, and has not come back.
        assert not any(each.accepted for each in probe.between(began + 1, began + 2))
        back(probe)

    answers = go_through(whole, stores, disturb)
    assert [each for each in answers if each.refused_well]


def test_connections_that_are_closed_again_and_again(whole: Stack, stores: Stores) -> None:
    """Every two seconds, all of them: each is made again before the next time."""
    closed: list[int] = []
    times: list[float] = []

    def disturb(broker: Broker, probe: Probe) -> None:
        times.append(time.monotonic())
        closed.extend(broker.close_connections(CLOSED_TIMES, CLOSED_EVERY_SEC))
        times.append(time.monotonic())
        back(probe)

    answers = go_through(whole, stores, disturb)
    assert min(closed) > closed[0] / 2, closed
    began, ended = times
    accepted = [began, *(e.asked_at for e in answers if e.accepted and e.asked_at < ended), ended]
    assert max(later - earlier for earlier, later in pairwise(accepted)) < BACK_WITHIN_SEC


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_an_alarm(whole: Stack, stores: Stores, kind: Alarm) -> None:
    """Publishing is blocked while consuming goes on: what is handled meanwhile waits to be told."""
    refused: list[Answer] = []

    def disturb(broker: Broker, probe: Probe) -> None:
        with broker.alarm(kind):
            assert probe.wait_for(503, BACK_WITHIN_SEC), "an alarm went unnoticed"
            began = time.monotonic()
            while time.monotonic() < began + ALARM_SEC:
                assert probe.wait_for(503, BACK_WITHIN_SEC)
            refused.extend(probe.between(began, time.monotonic() - REFUSED_WITHIN_SEC))
        back(probe)

    go_through(whole, stores, disturb)
    assert refused
    assert all(each.refused_well for each in refused), "something was promised during an alarm"
