"""Who did what by hand, and when: a line in the audit log, on disk before anything else happens."""

import getpass
import os
from datetime import UTC, datetime

import orjson

from ops.local.layout import Layout


def who() -> str:
    """Name the person at the keyboard."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def note(action: str, **more: object) -> None:
    """Add a line."""
    line = {"at": datetime.now(UTC), "who": who(), "action": action, **more}
    text = orjson.dumps(line, default=str).decode() + "\n"
    path = Layout.from_environment().log / "audit.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as log:
        log.write(text)
        log.flush()
        os.fsync(log.fileno())
