"""Two lanes of tests at once, each with servers of its own.

Most tests wait for something far more than they compute, so that two lanes take little more than
half the time of one. A folder's tests stay in one lane and in their order: what they share, above
all a whole system, is started once.
"""

import os

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

_WITHOUT_WHOLE = {"architecture", "bus", "contracts", "journeys", "stripe_stand_in", "unit"}
"""Folders whose tests do without the whole system that the others share."""
_SECOND = os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0"
_PORTS_APART = 300


def base(name: str, default: int) -> int:
    """Return the first of the ports that this lane's servers take; `name` may say another."""
    return int(os.environ.get(name, default + _SECOND * _PORTS_APART))


class Lanes(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types.
    """Hands each lane its folders."""

    def _split_scope(self, nodeid: str) -> str:
        folder = nodeid.split("/")[1]
        return "without" if folder in _WITHOUT_WHOLE else "with a whole system"


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Lanes:
    """Have pytest-xdist schedule by lanes."""
    return Lanes(config, log)
