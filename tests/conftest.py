"""The private servers that tests share: started once, on a port base of their own."""

import json
import os
from collections.abc import Generator, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import hypothesis
import psycopg
import pytest

from ops.local.stack import Stack
from tests.lanes import base, pytest_xdist_make_scheduler

__all__ = ["pytest_xdist_make_scheduler"]
TEST_BASE = base("FOYER_TEST_BASE", 18100)
os.environ["FOYER_PORT_BASE"] = str(TEST_BASE)  # Never that of a system that somebody uses.
# An example may take as long as a busy machine makes it.
hypothesis.settings.register_profile(
    "foyer", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("foyer")
_LINES = 60


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Servers, empty and migrated, without processes; stopped at the end.

    ``FOYER_KEEP_STACK=1`` leaves them running, which saves the start-up while
    one test is being written.
    """
    stack = Stack(base=TEST_BASE)
    keep = "FOYER_KEEP_STACK" in os.environ
    stack.up(processes=False, fresh=not (keep and stack.running))
    # Nobody kills these servers, so that no commit need wait for the disk, as it would for much of
    # the time. Whole systems, whose servers are killed, wait as they always do.
    with psycopg.connect(stack.environment()["FOYER_ADMIN_DATABASE_URL"], autocommit=True) as admin:
        admin.execute("ALTER ROLE ALL SET synchronous_commit TO off")
    yield stack
    if not keep:
        stack.abandon()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what went wrong in a system's processes beside the test that failed on it."""
    report = yield
    if report.failed:
        for each in getattr(item, "funcargs", {}).values():
            if isinstance(each, Stack):
                report.sections.append(("what its processes said", _said(each, call.start)))
    return report


def _said(stack: Stack, since: float) -> str:
    """Return the processes' warnings, errors and starts since then, the newest of them."""
    told = []
    for path in stack.layout.log.glob("*-[0-9]*.log"):
        for line in path.read_text(errors="replace").splitlines():
            with suppress(ValueError, KeyError, TypeError):  # A line that a crash has cut off.
                said = json.loads(line)
                at = datetime.fromisoformat(said["timestamp"])
                loud = said["level"] not in {"info", "debug"} or said["event"] == "started"
                if loud and at >= datetime.fromtimestamp(since, UTC):
                    told.append((at, line))
    return "\n".join(line for _, line in sorted(told)[-_LINES:])
