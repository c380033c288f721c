"""One key is one order: sent fifty times at once, or sent to a process that dies over it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from ops.local.stack import Stack
from tests.journeys.edge.parts import EdgeProcess, wait_for
from tests.journeys.shop import DEADLINE_SEC, Person, until

pytestmark = pytest.mark.journey
_TOGETHER = 50
_REPUBLISHED_SEC = 40
"""A command without a first step is published again after 5 s, at the clock's next tick."""


def test_fifty_at_once_are_one_order(organizer: Person, buyer: Person) -> None:
    body = {"ticket_id": organizer.offer(), "quantity": 1}
    headers = {"Idempotency-Key": uuid4().hex, "Prefer": "wait=10"}

    def buy(quantity: int) -> httpx.Response:
        told = body | {"quantity": quantity}
        return buyer.http.post("/v1/orders", json=told, headers=headers)

    with ThreadPoolExecutor(_TOGETHER) as pool:
        answers = list(pool.map(buy, [1] * _TOGETHER))
    assert {each.status_code for each in answers} == {200}
    first, *others = [each.json() for each in answers]
    assert first["status"] == "succeeded"
    for each in others:
        assert (each["id"], each["result"]) == (first["id"], first["result"])
    (order,) = buyer.read("/v1/orders")["items"]
    assert order["id"] == first["result"]["order_id"]
    other = buy(2)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert len(buyer.read("/v1/orders")["items"]) == 1


def test_an_edge_that_dies_before_it_publishes_has_promised_nothing_and_lost_nothing(
    system: Stack, organizer: Person, arrive: Callable[[], Person], tmp_path: Path
) -> None:
    """The row that it left comes true by itself, once, and the same key finds it."""
    buyer, ticket_id = arrive(), organizer.offer()
    body, key = {"ticket_id": ticket_id, "quantity": 2}, {"Idempotency-Key": uuid4().hex}
    dying = EdgeProcess(system.environment(), tmp_path / "edge.log", FOYER_FAULT="before_publish")
    try:
        wait_for(lambda: dying.status("/readyz") == httpx.codes.OK)
        with pytest.raises(httpx.TransportError):
            httpx.post(
                f"{dying.url}/v1/orders",
                json=body,
                headers=key | {"Authorization": buyer.http.headers["Authorization"]},
                timeout=DEADLINE_SEC,
            )
    finally:
        dying.stop()
    (order,) = until(
        lambda: buyer.read("/v1/orders")["items"],
        # That edge may take longer to stop than the order lives.
        lambda orders: [each for each in orders if each["status"] != "PENDING"],
        _REPUBLISHED_SEC,
    )
    assert order["timeline"][0]["type"] == "orders.order.created"
    assert [item["quantity"] for item in order["items"]] == [2]
    again = buyer.http.post("/v1/orders", json=body, headers=key | {"Prefer": "wait=10"}).json()
    assert again["result"]["order_id"] == order["id"]
    assert [each["id"] for each in buyer.read("/v1/orders")["items"]] == [order["id"]]
