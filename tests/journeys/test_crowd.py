"""Four hundred clicks at once on a hundred tickets."""

import asyncio
import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from ops.local.stack import Stack
from ops.local.supervision import children
from ops.stores import Stores, settings
from ops.verify import verify
from tests.journeys.shop import Json, Person

pytestmark = pytest.mark.journey
QUOTA, CLICKS, BUYERS = 100, 400, 8
WITHIN = timedelta(seconds=10)


@pytest.fixture
def stores(system: Stack) -> Iterator[Stores]:
    """Every store, as an operator reads them."""
    with Stores(settings(system.layout)) as opened:
        yield opened


async def test_a_hundred_tickets_go_to_a_hundred_clicks(
    system: Stack, organizer: Person, arrive: Callable[[], Person], stores: Stores
) -> None:
    ticket_id = organizer.offer(quota=QUOTA, max_per_user=CLICKS)
    buyers = [arrive() for _ in range(BUYERS)]
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{system.layout.port('edge')}",
        timeout=30,
        limits=httpx.Limits(max_connections=CLICKS),
    ) as http:
        ended = await asyncio.gather(
            *(_click(http, buyers[each % BUYERS], ticket_id) for each in range(CLICKS))
        )
    outcomes = Counter(
        each["result"]["status"] if each["status"] == "succeeded" else each["error"]["code"]
        for each in ended
    )
    assert outcomes == {"AWAITING_PAYMENT": QUOTA, "sold_out": CLICKS - QUOTA}
    first = min(datetime.fromisoformat(each["submitted_at"]) for each in ended)
    last = max(datetime.fromisoformat(each["finished_at"]) for each in ended)
    assert last - first < WITHIN
    organizer.available(ticket_id, 0)
    findings = await asyncio.to_thread(verify, stores)
    assert [(each.line, each.id, each.why) for finding in findings for each in finding.broken] == []


def test_a_crowd_that_comes_at_once_is_not_turned_away_by_the_kernel(system: Stack) -> None:
    """While the edge does nothing at all, all of them are connected, and later answered."""
    (worker,) = children(system.pid("edge"))
    address = ("127.0.0.1", system.layout.port("edge"))
    os.kill(worker, signal.SIGSTOP)
    try:
        crowd = [socket.create_connection(address, timeout=0.5) for _ in range(CLICKS)]
    finally:
        os.kill(worker, signal.SIGCONT)
    for each in crowd:
        each.settimeout(WITHIN.total_seconds())
        each.sendall(b"GET /healthz HTTP/1.1\r\nHost: foyer\r\n\r\n")
    for each in crowd:
        assert each.recv(15).startswith(b"HTTP/1.1 200")
        each.close()


async def _click(http: httpx.AsyncClient, buyer: Person, ticket_id: str) -> Json:
    headers = {"Authorization": buyer.http.headers["Authorization"], "Prefer": "wait=10"}
    answer = await http.post(
        "/v1/orders",
        json={"ticket_id": ticket_id, "quantity": 1},
        headers=headers | {"Idempotency-Key": uuid4().hex},
    )
    operation: Json = answer.json()
    while operation["status"] == "pending":
        answer = await http.get(f"/v1/operations/{operation['id']}", headers=headers)
        operation = answer.json()
    return operation
