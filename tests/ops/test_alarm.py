"""An operator's commands while the broker has an alarm: one sentence, and nothing hangs."""

import argparse

import pytest

from ops import dead, rebuild_views, stores
from ops.chaos.broker import Broker
from ops.local.stack import Stack
from ops.stores import Stores
from tests.ops.test_dead import die, given_back, servers

__all__ = ["servers"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]
TOLD = "^foyer: the broker takes nothing: a memory or disk alarm"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds show it as well as ten."""
    assert stores._BLOCKED_SEC <= 10
    monkeypatch.setattr(stores, "_BLOCKED_SEC", 2)


def test_a_letter_that_cannot_be_sent_back_still_lies_there(stack: Stack, servers: Stores) -> None:
    letter = die(servers)
    with Broker(stack).alarm("disk"), pytest.raises(SystemExit, match=TOLD) as end:
        dead.run(argparse.Namespace(act=dead._replay, ids=[], all=True))
    assert "\n" not in str(end.value)
    # The broker reads nothing during an alarm, not even that a connection has ended.
    assert given_back(servers) == [letter]


@pytest.mark.usefixtures("servers")
def test_views_that_cannot_be_rebuilt_now(stack: Stack) -> None:
    with Broker(stack).alarm("memory"), pytest.raises(SystemExit, match=TOLD) as end:
        rebuild_views.run(argparse.Namespace(wait=0))
    assert "\n" not in str(end.value)
