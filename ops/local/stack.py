"""One local system: servers and Procfile processes on one port base.

    stack = Stack(base=18100)
    stack.up(processes=False)      # servers, migrated
    stack.environment()            # addresses and secrets
    stack.up(scale={"order": 2})   # and the Procfile
    stack.pid("order", 1)
    stack.down()

`up` can be called again at any time: it starts what is missing and touches
nothing that runs.
"""

import fcntl
import functools
import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import httpx

from ops.local import leftovers, procfile, servers, settings
from ops.local.errors import StackError
from ops.local.layout import ROOT, Layout
from ops.local.supervision import (
    ProcessInfo,
    Program,
    Supervisor,
    children,
    configuration,
)

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER")
_SERVERS_DEADLINE_SEC = 60
_HOPELESS = 2
"""How often a process ends while it is waited for until nobody waits any longer."""
_STOP_DEADLINE_SEC = 45
_READY_DEADLINE_SEC = 60
_TAIL_LINES = 15
_TAIL_WIDTH = 240


def _wait(condition: Callable[[], bool], deadline_sec: float, pause_sec: float = 0.05) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + deadline_sec
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_sec)
    return True


def _answers(url: str, status: int | None = None) -> bool:
    """Whether anything is answered there, or this."""
    try:
        answered = httpx.get(url, timeout=2).status_code
    except httpx.HTTPError:
        return False
    return status in {None, answered}


class Stack:
    """The system of one port base; `extra` is added to every process's environment."""

    def __init__(self, base: int, extra: Mapping[str, str] | None = None) -> None:
        """Name the system; nothing is started yet."""
        self.layout = Layout(base)
        self._supervisor = Supervisor(self.layout)
        self._extra = dict(extra or {})
        # Kept, since whoever looks at this system later must ask the same Stripe.
        self._own_stripe = {
            name: value
            for name, value in self._extra.items()
            if name.startswith("STRIPE_") and value
        }

    # Asking

    @property
    def running(self) -> bool:
        """Whether its supervisord answers."""
        return self._supervisor.alive

    def environment(self) -> dict[str, str]:
        """Every address and secret, as the processes' wrapper and `migrate` see them."""
        known = settings.ensure(self.layout, self._own_stripe)
        return known | {"FOYER_PORT_BASE": str(self.layout.base)} | self._extra

    def status(self) -> list[ProcessInfo]:
        """Servers and processes; empty when nothing runs."""
        return self._supervisor.processes() if self.running else []

    def pid(self, process_type: str, number: int = 1) -> int:
        """The pid of ``order-1``, or of a server by its own name; 0 when it is down."""
        names = {process_type, f"{process_type}-{number}"}
        return next((each.pid for each in self.status() if each.name in names), 0)

    def scale_now(self) -> dict[str, int]:
        """How many processes of each type are configured."""
        kinds = [procfile.type_of(each.name) for each in self.status()]
        return {kind: kinds.count(kind) for kind in procfile.lines()}

    # Starting

    def up(
        self,
        *,
        processes: bool = True,
        scale: Mapping[str, int] | None = None,
        fresh: bool = False,
    ) -> None:
        """Start what does not run yet. `fresh` first removes whatever was there."""
        with self._exclusive():
            if fresh:
                self._down()
                shutil.rmtree(self.layout.directory / "data", ignore_errors=True)
                shutil.rmtree(self.layout.directory / "stripe", ignore_errors=True)
                self.layout.secrets.unlink(missing_ok=True)
            running = self.running
            if running:
                self._keep_stripe()
            known = self.environment()
            if not running:
                self._launch(known)
            # By name: `down` and `status` must work with service code that cannot be imported.
            migrate = importlib.import_module("ops.migrate")
            self._wait_for_servers(known, slow=False)
            migrate.stores(known)  # Meanwhile RabbitMQ goes on starting.
            self._wait_for_servers(known, slow=True)
            migrate.broker(known)
            if processes:
                kept = {kind: max(number, 1) for kind, number in self.scale_now().items()}
                self._apply(kept | dict(scale or {}))
        if processes:
            self.wait_ready()

    def scale(self, scale: Mapping[str, int]) -> None:
        """Change the number of processes of these types; the others are left alone."""
        if not self.running:
            message = "nothing is running here: start it with `make up`"
            raise StackError(message)
        with self._exclusive():
            self._apply(self.scale_now() | dict(scale))

    def wait_ready(self, deadline_sec: float = _READY_DEADLINE_SEC) -> None:
        """Wait until every process is at work, and the edge says that what it needs is there."""
        began = time.time()
        late: list[ProcessInfo] = []
        hopeless: list[ProcessInfo] = []
        ends: defaultdict[str, set[int]] = defaultdict(set)

        def settled() -> bool:
            late[:] = [each for each in self._processes() if not self._at_work(each)]
            for each in late:
                if each.ended_at > began:
                    ends[each.name].add(each.ended_at)
            hopeless[:] = [each for each in late if len(ends[each.name]) >= _HOPELESS]
            return bool(hopeless) or (not late and self._edge_ready())

        came_true = _wait(settled, deadline_sec, 0.1)
        if hopeless or late:
            name = (hopeless or late)[0].name
            message = f"{name} does not come up; {self._tail(name)}"
            raise StackError(message)
        if not came_true:
            message = f"the edge is not ready after {deadline_sec:g} s; {self._tail('edge-1')}"
            raise StackError(message)

    # Stopping

    def down(self) -> None:
        """Drain the processes, then stop the servers; data stays."""
        with self._exclusive():
            self._down()

    def abandon(self) -> None:
        """Kill the supervisor, and wait for nothing: all that is tied to it ends by itself.

        For a system that nobody needs again; its data may need mending at the next start.
        """
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(self.layout.pidfile.read_text()), signal.SIGKILL)

    def stop(self, process_type: str, number: int = 1) -> None:
        """Stop one process, drained, until `start`; a server by its own name."""
        self._stop([self._named(process_type, number)])

    def start(self, process_type: str, number: int = 1) -> None:
        """Start again what `stop` stopped."""
        self._supervisor.start(self._named(process_type, number))

    def kill(self, process_type: str, number: int = 1, how: int = signal.SIGKILL) -> int:
        """Send a signal to one process and return the pid it had.

        Raises:
            ProcessLookupError: it is not running at the moment.
        """
        pid = self.pid(process_type, number)
        if not pid:  # To the system, 0 is everybody in this process's group.
            raise ProcessLookupError(process_type)
        os.kill(pid, how)
        return pid

    # Inside

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One person at a time may start, scale or stop this system."""
        self.layout.log.mkdir(parents=True, exist_ok=True)
        self.layout.log.chmod(0o700)
        self.layout.directory.chmod(0o711)  # PostgreSQL's user may have to pass.
        with (self.layout.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _named(self, process_type: str, number: int) -> str:
        known = {each.name for each in self.status()}
        return process_type if process_type in known else f"{process_type}-{number}"

    def _keep_stripe(self) -> None:
        """Processes that run would go on with another Stripe than the one that is given now."""
        kept = settings.ensure(self.layout)
        others = sorted(n for n, value in self._own_stripe.items() if kept[n] != value)
        if others:
            message = (
                f"{', '.join(others)}: not what this system was started with; `make down` first"
            )
            raise StackError(message)

    def _processes(self) -> list[ProcessInfo]:
        """Servers apart."""
        return [e for e in self.status() if procfile.type_of(e.name) in procfile.lines()]

    def _at_work(self, process: ProcessInfo) -> bool:
        """Whether it has come so far as to write down its numbers; the stand-in has none."""
        if not process.pid:
            return False
        if procfile.type_of(process.name) == "stripe":
            return _answers(f"http://127.0.0.1:{self.layout.port('stripe')}/")
        numbers = self.layout.directory / "metrics"
        pids = (process.pid, *children(process.pid))
        return any(any(numbers.glob(f"*-{pid}.prom")) for pid in pids)

    def _edge_ready(self) -> bool:
        """Whether the edge says so, where there is one."""
        url = f"http://127.0.0.1:{self.layout.port('edge')}/readyz"
        return not self.scale_now()["edge"] or _answers(url, httpx.codes.OK)

    def _server_programs(self, known: Mapping[str, str]) -> list[Program]:
        return [
            Program(each.name, each.command, each.stop_signal, each.environment)
            for each in servers.all_servers(self.layout, known)
        ]

    def _write(self, programs: list[Program]) -> None:
        self.layout.config.touch(mode=0o600)
        self.layout.config.write_text(configuration(self.layout, programs), encoding="utf-8")

    def _launch(self, known: Mapping[str, str]) -> None:
        leftovers.end(self.layout)
        leftovers.check_ports(self.layout)
        self._write(self._server_programs(known))
        self.layout.socket.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            "supervisor.supervisord",
            "-c",
            str(self.layout.config),
        ]
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment |= self._extra
        environment |= {
            "FOYER_PORT_BASE": str(self.layout.base),
            leftovers.MARK: str(self.layout.directory),
        }
        started = subprocess.run(  # noqa: S603 - our own words
            command,
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if started.returncode or not _wait(lambda: self.running, 10):
            message = f"supervisord did not start: {started.stdout}{started.stderr}"
            raise StackError(message)

    def _wait_for_servers(self, known: Mapping[str, str], *, slow: bool) -> None:
        for server in servers.all_servers(self.layout, known):
            ready = functools.partial(server.ready, known)
            if server.slow == slow and not _wait(ready, _SERVERS_DEADLINE_SEC):
                message = f"{server.name} did not become ready; {self._tail(server.name)}"
                raise StackError(message)

    def _tail(self, process: str) -> str:
        path = self.layout.log / f"{process}.log"
        text = path.read_text(errors="replace") if path.exists() else ""
        end = "\n".join(line[:_TAIL_WIDTH] for line in text.splitlines()[-_TAIL_LINES:])
        return f"the end of {path}:\n{end}"

    def _apply(self, scale: Mapping[str, int]) -> None:
        known = self.environment()
        self._write([*self._server_programs(known), *procfile.programs(scale)])
        gone = sorted(self._supervisor.reload())
        self._stop(gone)
        for name in gone:
            self._supervisor.forget(name)

    def _stop(self, names: list[str]) -> None:
        for name in names:
            self._supervisor.stop(name)

        def stopped() -> bool:
            return not any(e.running for e in self._supervisor.processes() if e.name in names)

        if names and not _wait(stopped, _STOP_DEADLINE_SEC):
            message = f"{', '.join(names)} did not stop within {_STOP_DEADLINE_SEC} s"
            raise StackError(message)

    def _down(self) -> None:
        if self.running:
            kinds = {each.name: procfile.type_of(each.name) for each in self.status()}
            ours = [name for name, kind in kinds.items() if kind in procfile.lines()]
            first = [name for name in ours if kinds[name] in procfile.FIRST_TO_STOP]
            last = [name for name in ours if kinds[name] in procfile.LAST_TO_STOP]
            self._stop(first)
            self._stop([name for name in ours if name not in {*first, *last}])
            self._stop(last)
            self._stop([name for name in kinds if name not in {*ours, "epmd"}])
            self._supervisor.shutdown()
            _wait(lambda: not self.running, _STOP_DEADLINE_SEC)
        leftovers.end(self.layout)
