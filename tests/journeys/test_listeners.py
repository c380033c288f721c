"""Two thousand clients who only listen, on one edge process."""

import asyncio
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from ops.local.stack import Stack
from tests.journeys.edge.parts import EdgeProcess, wait_for
from tests.journeys.shop import DEADLINE_SEC, Person

pytestmark = [pytest.mark.journey, pytest.mark.slow]
CLIENTS = 2_000
MOST_MEGABYTES = 250
TIMES, SLACK_SEC = 3, 0.2
"""How much longer an order may take than without listeners, on a machine that does other things."""


async def listen(port: int, token: str) -> asyncio.StreamWriter:
    """Open a stream and wait until it has begun."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET /v1/notifications HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"retry: ")
    return writer


def megabytes(pid: int) -> float:
    """Return the resident memory of a process's only child, which is gunicorn's worker."""
    (worker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    (line,) = [
        each
        for each in Path(f"/proc/{worker}/status").read_text().splitlines()
        if each.startswith("VmRSS")
    ]
    return int(line.split()[1]) / 1024


async def test_two_thousand_listeners_take_little_and_hold_nobody_up(
    system: Stack,
    organizer: Person,
    arrive: Callable[[], Person],
    tmp_path: Path,
) -> None:
    ticket_id, listener = organizer.offer(quota=100, max_per_user=100), arrive()
    edge = EdgeProcess(system.environment(), tmp_path / "edge.log")
    writers: list[asyncio.StreamWriter] = []
    try:
        wait_for(lambda: edge.status("/readyz") == httpx.codes.OK)
        before = megabytes(edge.process.pid)
        alone = await asyncio.to_thread(purchases, edge, arrive(), ticket_id)
        token = listener.http.headers["Authorization"]
        for _ in range(CLIENTS // 100):
            writers += await asyncio.gather(*(listen(edge.port, token) for _ in range(100)))
        took = await asyncio.to_thread(purchases, edge, arrive(), ticket_id)
        after = megabytes(edge.process.pid)
    finally:
        for writer in writers:
            writer.close()
        edge.stop()
    print(f"{before:.0f} MB before, {after:.0f} MB after; purchases: {alone}, {took} s")  # noqa: T201
    assert after < MOST_MEGABYTES
    assert statistics.median(took) < TIMES * statistics.median(alone) + SLACK_SEC, (alone, took)


def purchases(edge: EdgeProcess, buyer: Person, ticket_id: str) -> list[float]:
    """Buy a few times; return how long each took until it could be paid."""
    took = []
    headers = {"Authorization": buyer.http.headers["Authorization"], "Prefer": "wait=10"}
    with httpx.Client(base_url=edge.url, headers=headers, timeout=DEADLINE_SEC) as http:
        for _ in range(5):
            began = time.monotonic()
            body = {"ticket_id": ticket_id, "quantity": 1}
            answer = http.post("/v1/orders", json=body, headers={"Idempotency-Key": uuid4().hex})
            assert answer.json()["status"] == "succeeded", answer.text
            took.append(round(time.monotonic() - began, 3))
    return took
