"""``python -m ops.run <type> -- <command>``: start one process with its own settings only.

Plain Procfile runners give every process the whole environment. This wrapper
picks what the process's service may know, drops the service from the names
(``FOYER_ORDER_DATABASE_URL`` becomes ``FOYER_DATABASE_URL``) and execs. Settings
come from the environment, else from what ``make up`` left under ``.run/``.

The process is tied to its parent: when supervisord is killed, the kernel sends
SIGTERM, so that no orphan goes on consuming beside a second system.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from bus.settings import SettingError, give_up
from ops.local.layout import Layout
from ops.local.settings_file import read

_PR_SET_PDEATHSIG = 1
_PACE_SEC = 2.0

# Settings that mean the same to every process; `make up` passes them on.
TUNABLES = (
    "FOYER_PENDING_TTL_SEC",
    "FOYER_ORDER_TTL_SEC",
    "FOYER_RETRY_DELAYS_SEC",
    "FOYER_BATCH",
    "FOYER_GATEWAY_THREADS",
    "FOYER_KEY_LIFE_SEC",
    "FOYER_KEY_AHEAD_SEC",
    "FOYER_BIND",
    "FOYER_RATE_LIMITS",
    "FOYER_STREAM_LIMITS",
    "FOYER_TRUSTED_PROXIES",
    "FOYER_CORS_ORIGINS",
    "FOYER_ADMISSION_BACKLOG",
    "FOYER_LOG_LEVEL",
)

_KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "FOYER_PORT_BASE",
    "FOYER_METRICS_DIR",
    "FOYER_RUN_DIRECTORY",  # How `make up` knows its own processes.
    *TUNABLES,
)

# The service whose settings a process type uses, where the names differ.
_SERVICE = {
    "gateway": "payment",
    "clock": "expiration",
    "auth-long": "auth",
    "venue-long": "venue",
    "view-long": "view",
}

_OWN = ("AMQP_URL", "DATABASE_URL", "MONGO_URL", "REDIS_URL", "SEAL_KEY")

_STRIPE = "STRIPE_API_KEY", "STRIPE_API_BASE", "STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRET"

# Settings that keep their names, per process type.
_SHARED = {
    "edge": ("FOYER_AUTH_SEAL_PUBLIC_KEY", *_STRIPE[1:]),
    "auth": ("FOYER_EDGE_SEAL_PUBLIC_KEY",),
    "auth-long": ("FOYER_EDGE_SEAL_PUBLIC_KEY",),
    "gateway": ("FOYER_EDGE_SEAL_PUBLIC_KEY", *_STRIPE[:2]),
    "stripe": _STRIPE,
}

TYPES = (
    "edge",
    "auth",
    "auth-long",
    "user",
    "ticket",
    "venue",
    "venue-long",
    "order",
    "payment",
    "gateway",
    "expiration",
    "clock",
    "view",
    "view-long",
    "stripe",
)


def environment(process_type: str, known: Mapping[str, str]) -> dict[str, str]:
    """What a process of this type may see of the whole environment."""
    service = _SERVICE.get(process_type, process_type).upper()
    picked = {name: known[name] for name in _KEPT if name in known}
    for name in _OWN:
        if (full := f"FOYER_{service}_{name}") in known:
            picked[f"FOYER_{name}"] = known[full]
    for name in _SHARED.get(process_type, ()):
        if name in known:
            picked[name] = known[name]
    return picked


def _tie_to_parent() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if "SUPERVISOR_ENABLED" in os.environ and os.getppid() == 1:
        sys.exit("supervisord ended while this process was being started")


def _pace(layout: Layout) -> None:
    """Slow down a process that keeps failing to start; others are not delayed.

    Supervisord restarts at once, for ever; its own back-off grows without bound.
    """
    name = os.environ.get("SUPERVISOR_PROCESS_NAME")
    if not name:
        return
    stamp = Path(layout.directory, "started", name)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        age_sec = time.time() - stamp.stat().st_mtime
        time.sleep(min(max(_PACE_SEC - age_sec, 0), _PACE_SEC))
    stamp.touch()


def main(arguments: list[str]) -> None:
    """Pick and exec; 2 when the arguments make no sense."""
    if len(arguments) < 3 or arguments[0] not in TYPES or arguments[1] != "--":  # noqa: PLR2004 - type, --, command
        sys.stderr.write(
            f"usage: python -m ops.run TYPE -- COMMAND, TYPE one of {' '.join(TYPES)}\n"
        )
        sys.exit(2)
    try:
        layout = Layout.from_environment()
    except SettingError as error:
        give_up(error)
    known = read(layout.secrets) if layout.secrets.exists() else {}
    known |= os.environ
    known.setdefault("FOYER_PORT_BASE", str(layout.base))
    known.setdefault("FOYER_METRICS_DIR", str(layout.directory / "metrics"))
    _tie_to_parent()
    _pace(layout)
    command = arguments[2:]
    # This interpreter's folder comes first, so that `python` and `gunicorn` are its own.
    folder = str(Path(sys.executable).parent)
    known["PATH"] = f"{folder}:{known.get('PATH', os.defpath)}"
    os.environ["PATH"] = known["PATH"]
    os.execvpe(command[0], command, environment(arguments[0], known))  # noqa: S606 - the Procfile's own words


if __name__ == "__main__":
    main(sys.argv[1:])
