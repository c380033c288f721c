"""The broker's alarms, raised by moving its limits: nothing is filled, and all is put back."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from ops.local import servers
from ops.local.stack import Stack
from tests.bus.system import System, until

# As `ops.local.servers` configures them, and out of reach.
ALARMS: dict[str, tuple[list[str], list[str]]] = {
    "memory": (
        ["set_vm_memory_high_watermark", "absolute", "1MB"],
        ["set_vm_memory_high_watermark", "absolute", "1GB"],
    ),
    "disk": (["set_disk_free_limit", "9000GB"], ["set_disk_free_limit", "200MB"]),
}


@contextmanager
def alarm(system: System, stack: Stack, which: str) -> Iterator[None]:
    """Have the broker block whoever publishes."""
    beyond, usual = ALARMS[which]
    try:
        _control(stack, beyond)
        until(lambda: not _calm(system))
        yield
    finally:
        _control(stack, usual)
        until(lambda: _calm(system))


def _calm(system: System) -> bool:
    try:
        system.api.call("GET", "health", "checks", "alarms")
    except OSError:
        return False
    return True


def _control(stack: Stack, words: list[str]) -> None:
    """Run `rabbitmqctl` as the node itself runs: the one in the package's library folder."""
    node = servers.rabbitmq(stack.layout, stack.environment())
    subprocess.run(
        [str(servers.RABBITMQ.with_name("rabbitmqctl")), *words],
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **node.environment},
        check=True,
        capture_output=True,
        timeout=60,
    )
