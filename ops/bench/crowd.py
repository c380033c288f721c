"""What the figures have in common: many at once, waiting, and the CPU time that was used."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from ops.load import Connection, Shop
from ops.local.stack import Stack

_TICKS = os.sysconf("SC_CLK_TCK")


async def each(
    shop: Shop, count: int, act: Callable[[Connection], Awaitable[object]], *, buyers: int
) -> None:
    """Do something so many times, so many buyers at once, each on a connection of its own."""
    left = iter(range(count))

    async def buyer() -> None:
        async with shop.connection() as edge:
            for _ in left:
                await act(edge)

    async with asyncio.TaskGroup() as group:
        for _ in range(buyers):
            group.create_task(buyer())


async def until(condition: Callable[[], bool], deadline_sec: float) -> None:
    """Wait for something.

    Raises:
        TimeoutError: it did not come true in time.
    """
    deadline = time.monotonic() + deadline_sec
    while not condition():
        if time.monotonic() > deadline:
            msg = "the system did not finish its work in time"
            raise TimeoutError(msg)
        await asyncio.sleep(0.02)


def cpu_ms(stack: Stack) -> dict[str, float]:
    """Return the CPU milliseconds that each supervised process and its children have used."""
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(stat.parent.name)
        children.setdefault(int(fields[1]), []).append(pid)
        used[pid] = (int(fields[11]) + int(fields[12])) * 1000 / _TICKS
    return {each.name: _tree(each.pid, children, used) for each in stack.status() if each.pid}


def _tree(pid: int, children: dict[int, list[int]], used: dict[int, float]) -> float:
    return used.get(pid, 0.0) + sum(_tree(each, children, used) for each in children.get(pid, []))
