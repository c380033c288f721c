"""Ports that others hold, and processes that outlived a killed supervisord.

Our processes carry ``FOYER_RUN_DIRECTORY`` in their environment, which is how
they are told from anybody else's; PostgreSQL overwrites its environment, but
its working folder is its data folder.
"""

import os
import signal
import socket
import time
from pathlib import Path

from ops.local.errors import StackError
from ops.local.layout import PORTS, Layout

MARK = "FOYER_RUN_DIRECTORY"
_GRACE_SEC = 30


def _belongs(process: Path, layout: Layout) -> bool:
    mark = f"{MARK}={layout.directory}".encode()
    try:
        if mark in (process / "environ").read_bytes().split(b"\0"):
            return True
        name = (process / "comm").read_text(encoding="utf-8").strip()
        return name == "postgres" and (process / "cwd").readlink().is_relative_to(layout.directory)
    except OSError:  # Gone meanwhile, or somebody else's.
        return False


def find(layout: Layout) -> list[int]:
    """The pids of this system's processes, supervised or not."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    ours = {os.getpid(), os.getppid()}
    return [pid for pid in pids if pid not in ours and _belongs(Path(f"/proc/{pid}"), layout)]


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def end(layout: Layout) -> list[int]:
    """Let leftovers finish (their parent's death has already told them to), then kill."""
    first = pids = find(layout)
    # A process that was being started when supervisord died missed the kernel's
    # signal; PostgreSQL's "fast" stop is INT, and the others take TERM.
    _signal(pids, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SEC
    while pids and time.monotonic() < deadline:
        time.sleep(0.1)
        pids = find(layout)
    _signal(pids, signal.SIGKILL)
    deadline = time.monotonic() + _GRACE_SEC
    while find(layout) and time.monotonic() < deadline:
        time.sleep(0.05)
    return first


def _holder(port: int) -> str:
    """Who listens there, as far as /proc lets us see."""
    wanted = f":{port:04X}"
    inodes = set()
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net") / table
        rows = path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []
        inodes |= {row.split()[9] for row in rows if row.split()[1].endswith(wanted)} - {"0"}
    sockets = {f"socket:[{inode}]" for inode in inodes}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) in sockets:
                words = (link.parents[1] / "cmdline").read_bytes().split(b"\0")
                return (
                    f"pid {link.parts[2]}: {b' '.join(words).decode(errors='replace')[:80].strip()}"
                )
        except OSError:
            continue
    return "another user's process"


def check_ports(layout: Layout) -> None:
    """Raise `StackError` for the first port that somebody else holds."""
    for name in PORTS:
        port = layout.port(name)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                message = (
                    f"port {port} ({name}) is in use by {_holder(port)}; "
                    f"stop that, or choose other ports: FOYER_PORT_BASE={layout.base + 1000}"
                )
                raise StackError(message) from error
