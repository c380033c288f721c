"""Supervisord: its configuration as text, and its XML-RPC over a unix socket.

Every process is a program of its own (``order-1``, ``order-2``), since
supervisord replaces a whole program when its number of processes changes, and
scaling must leave the processes that stay alone.
"""

import http.client
import os
import socket
import xmlrpc.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ops.local.layout import ROOT, Layout

_RUNNING = {"STARTING", "RUNNING", "BACKOFF", "STOPPING"}
_SOCKET_TIMEOUT_SEC = 60


@dataclass(frozen=True)
class Program:
    """One process that supervisord starts, restarts and stops."""

    name: str
    command: list[str]
    stop_signal: str = "TERM"
    environment: Mapping[str, str] = field(default_factory=dict)


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    return '"' + _escaped(word).replace('"', '\\"') + '"'


def _section(program: Program, layout: Layout) -> str:
    environment = ",".join(
        f"{name}={_quoted(value)}" for name, value in program.environment.items()
    )
    lines = {
        "command": " ".join(_quoted(word) for word in program.command),
        "environment": environment,
        "directory": _escaped(str(ROOT)),
        "autostart": "true",
        "autorestart": "true",
        # With 0 every exit counts as one after a good start: restarted at once,
        # for ever, and never FATAL. `ops.run` paces a process that fails to start.
        "startsecs": "0",
        "startretries": "1000000",
        "stopsignal": program.stop_signal,
        "stopwaitsecs": "30",
        # A clean stop is asked of the parent alone (gunicorn stops its own
        # workers); what has not gone by then is killed with all its children.
        "stopasgroup": "false",
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": _escaped(str(layout.log / f"{program.name}.log")),
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": "3",
    }
    body = "\n".join(f"{name}={value}" for name, value in lines.items() if value)
    return f"[program:{program.name}]\n{body}\n"


def configuration(layout: Layout, programs: Iterable[Program]) -> str:
    """The whole text of supervisord's configuration file."""
    user = "user=root\n" if os.geteuid() == 0 else ""
    head = f"""\
[unix_http_server]
file={_escaped(str(layout.socket))}
chmod=0700

[supervisord]
logfile={_escaped(str(layout.log / "supervisord.log"))}
logfile_maxbytes=20MB
logfile_backups=2
pidfile={_escaped(str(layout.pidfile))}
childlogdir={_escaped(str(layout.log))}
directory={_escaped(str(ROOT))}
nocleanup=true
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    return "\n".join([head, *(_section(program, layout) for program in programs)])


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_SOCKET_TIMEOUT_SEC)
        self._path = path

    def connect(self) -> None:
        """Open the unix socket in place of a TCP one."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> http.client.HTTPConnection:  # noqa: ARG002 - the name is fixed by xmlrpc
        """One connection a call: a kept one would outlive a supervisord that was killed."""
        return _Connection(self._path)


@dataclass(frozen=True)
class ProcessInfo:
    """What supervisord says of one process."""

    name: str
    state: str
    pid: int
    uptime_sec: int
    ended_at: int
    """When the last one of that name ended, by the wall clock; 0 when none has."""

    @property
    def running(self) -> bool:
        """Whether there is, or will shortly be, a process of that name."""
        return self.state in _RUNNING


class Supervisor:
    """A running supervisord."""

    def __init__(self, layout: Layout) -> None:
        """Name the system; nothing is opened yet."""
        self._layout = layout

    def _call(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - XML-RPC answers are untyped
        proxy = xmlrpc.client.ServerProxy("http://localhost", _Transport(self._layout.socket))
        with proxy:
            return getattr(proxy, name)(*arguments)

    @property
    def alive(self) -> bool:
        """Whether a supervisord of this system answers."""
        try:
            self._call("supervisor.getPID")
        except (OSError, xmlrpc.client.Error, http.client.HTTPException):
            return False
        return True

    def processes(self) -> list[ProcessInfo]:
        """Every process it knows, in the order of their names."""
        found = cast("list[dict[str, Any]]", self._call("supervisor.getAllProcessInfo"))
        return [
            ProcessInfo(
                name=str(each["name"]),
                state=str(each["statename"]),
                pid=int(each["pid"]),
                uptime_sec=int(each["now"]) - int(each["start"]) if each["pid"] else 0,
                ended_at=int(each["stop"]),
            )
            for each in found
        ]

    def stop(self, name: str) -> None:
        """Ask a process to stop; do not wait for it."""
        try:
            self._call("supervisor.stopProcess", name, False)  # noqa: FBT003 - XML-RPC has positions only
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise

    def start(self, name: str) -> None:
        """Start a process that was stopped."""
        try:
            self._call("supervisor.startProcess", name, False)  # noqa: FBT003 - XML-RPC has positions only
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise

    def reload(self) -> set[str]:
        """Read the configuration again, start what is new, name what is gone.

        What is gone still runs: stop it, then `forget` it.
        """
        added, _changed, removed = self._call("supervisor.reloadConfig")[0]
        for name in added:
            self._call("supervisor.addProcessGroup", name)
        return set(removed)

    def forget(self, name: str) -> None:
        """Drop a stopped process."""
        self._call("supervisor.removeProcessGroup", name)

    def shutdown(self) -> None:
        """End supervisord itself, and whatever it still runs."""
        self._call("supervisor.shutdown")


def children(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]
