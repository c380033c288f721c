"""A process is whole or it ends: no thread is missing unnoticed, no orphan goes on consuming."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bus.envelope import Envelope, encode
from ops.local.layout import ROOT
from tests.bus.system import System, until

Order = Callable[..., Envelope]
_COMMANDS = "postgres.commands"


@pytest.mark.parametrize("kind", ["worker", "consumer"])
def test_a_thread_that_dies_ends_its_process_and_the_next_one_goes_on(
    system: System, order: Order, kind: str
) -> None:
    """As shipped, the others go on without it, and its message stays where it is."""
    asked = order()
    system.send(_COMMANDS, encode(asked))
    process = system.spawn("postgres", kind)
    assert process.wait(timeout=40) == 1
    until(lambda: system.consumers(_COMMANDS) == 0)
    with system.node("postgres"):
        assert system.said()["causationid"] == str(asked.id)
        until(lambda: system.ready(_COMMANDS) == 0)
    assert system.effects("postgres", asked.data.subject) == [str(asked.id)]


def test_an_orphan_of_a_killed_supervisor_ends(system: System) -> None:
    """As shipped, workers whose master is killed go on beside the next master's."""
    with system.spawn("postgres", "again") as supervisor:
        assert supervisor.stderr
        orphan = int(supervisor.stderr.readline())
        until(lambda: system.consumers(_COMMANDS) == 1, within_sec=60)
        supervisor.kill()
        until(lambda: system.consumers(_COMMANDS) == 0)
        until(lambda: not _runs(orphan))


def test_a_process_started_by_the_wrapper_ends_with_its_supervisor() -> None:
    """The wrapper's tie holds over its exec, for every process type."""
    sleep = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    wrapped = [sys.executable, "-m", "ops.run", "edge", "--", sys.executable, "-c", sleep]
    started = f"import subprocess; subprocess.run({wrapped!r})"
    with subprocess.Popen(
        [sys.executable, "-c", started], cwd=ROOT, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert _runs(child)
        parent.send_signal(signal.SIGKILL)
        until(lambda: not _runs(child))


def _runs(pid: int) -> bool:
    """Whether it does anything yet; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
