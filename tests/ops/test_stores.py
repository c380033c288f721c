"""An operator's commands where there is nothing to read."""

import argparse
import os

import pytest

from ops import dead, rebuild_views, story, verify
from ops.local import settings as local_settings
from ops.local.layout import Layout

COMMANDS = {
    "verify": lambda: verify.run(argparse.Namespace(json=False, wait=0)),
    "order": lambda: story.run(argparse.Namespace(id="x", action=None, json=False)),
    "dead": lambda: dead.run(argparse.Namespace(act=dead._list, json=False)),
    "rebuild-views": lambda: rebuild_views.run(argparse.Namespace(wait=0)),
}
UNUSED_BASE = 18970


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A system that does not run."""
    for name in os.environ:
        if name.startswith("FOYER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FOYER_PORT_BASE", str(UNUSED_BASE))
    return Layout.from_environment()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_system_that_was_never_started_is_named(nowhere: Layout, command: str) -> None:
    nowhere.secrets.unlink(missing_ok=True)
    with pytest.raises(SystemExit, match=f"no system was ever started on {UNUSED_BASE}"):
        COMMANDS[command]()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_system_that_is_down_is_named_in_one_line(nowhere: Layout, command: str) -> None:
    local_settings.ensure(nowhere)
    told = f"of {UNUSED_BASE} cannot be reached; is it up"
    try:
        with pytest.raises(SystemExit, match=told) as end:
            COMMANDS[command]()
    finally:
        nowhere.secrets.unlink()
        nowhere.directory.rmdir()
    assert "\n" not in str(end.value)
