"""What can happen to the broker: killed, its connections closed, its alarms raised."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import orjson

from ops.local import servers
from ops.local.stack import Stack

Alarm = Literal["memory", "disk"]
_CTL = servers.RABBITMQ.with_name("rabbitmqctl")
_UP_WITHIN_SEC = 60
# Each reads the limit as it stands, and sets one that nothing can keep.
_LIMIT: dict[Alarm, str] = {
    "memory": "vm_memory_monitor:get_vm_memory_high_watermark()",
    "disk": "rabbit_disk_monitor:get_disk_free_limit()",
}
_SET: dict[Alarm, str] = {
    "memory": "vm_memory_monitor:set_vm_memory_high_watermark({})",
    "disk": "rabbit_disk_monitor:set_disk_free_limit({})",
}
# Of numbers that are all printable Erlang makes a text: the zero keeps them numbers.
_CLOSE = """
    [0 | [begin
        timer:sleep({}),
        Open = rabbit_networking:connections(),
        [spawn(rabbit_networking, close_connection, [Each, "for a test"]) || Each <- Open],
        length(Open)
    end || _ <- lists:seq(1, {})]]"""
_NOT_TO_BE_KEPT: dict[Alarm, str] = {"memory": "0.00001", "disk": '"900000GB"'}


class Broker:
    """The broker of one local system, in a mischievous person's hands."""

    def __init__(self, stack: Stack) -> None:
        """Nothing happens yet."""
        self._known = stack.environment()
        self._server = servers.rabbitmq(stack.layout, self._known)
        self._stack = stack
        self._environment = {"PATH": os.environ["PATH"], **self._server.environment}

    def kill(self) -> None:
        """`kill -9`; return when the one that is started after it takes connections."""
        self._stack.kill("rabbitmq", how=signal.SIGKILL)
        deadline = time.monotonic() + _UP_WITHIN_SEC
        while not self._server.ready(self._known):
            if time.monotonic() > deadline:
                msg = f"the broker did not come back within {_UP_WITHIN_SEC} s"
                raise TimeoutError(msg)
            time.sleep(0.05)

    def close_connections(self, times: int = 1, every_sec: float = 0) -> list[int]:
        """Close every connection there is, `times` times; return how many there were each time.

        The broker does it by itself: its console lists a new connection seconds late.
        """
        counts: list[int] = orjson.loads(self._eval(_CLOSE.format(int(every_sec * 1000), times)))
        return counts[1:]

    @contextmanager
    def alarm(self, kind: Alarm) -> Iterator[None]:
        """Raise an alarm for as long as this lasts: nobody may publish, consumers go on."""
        limit = self._eval(_LIMIT[kind])
        try:
            self._eval(_SET[kind].format(_NOT_TO_BE_KEPT[kind]))
            yield
        finally:
            self._eval(_SET[kind].format(limit))

    def _eval(self, expression: str) -> str:
        """Evaluate Erlang inside the broker; return what comes out."""
        done = subprocess.run(  # noqa: S603  # Our own words.
            [str(_CTL), "eval", f"{expression}."],
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout.strip()
