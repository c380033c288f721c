"""What is measured of a purchase, and how it is followed through every log."""

from collections.abc import Iterable
from contextlib import suppress
from uuid import uuid4

import httpx
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ops.local.stack import Stack
from ops.stores import SERVICES
from tests.journeys.shop import DEADLINE_SEC, Json, Person, Stripe, paid, until

pytestmark = pytest.mark.journey


def measured(http: httpx.Client) -> dict[tuple[str, str, str], float]:
    """Return all numbers, summed over processes: by name, service, and type or route."""
    found: dict[tuple[str, str, str], float] = {}
    for family in text_string_to_metric_families(http.get("/metrics").text):
        for sample in family.samples:
            of = sample.labels.get("type") or sample.labels.get("route") or ""
            key = sample.name, sample.labels["service"], of
            found[key] = found.get(key, 0) + sample.value
    return found


def test_a_purchase_is_measured_by_whoever_has_a_part_in_it(
    organizer: Person, buyer: Person, stripe: Stripe
) -> None:
    order = buyer.buy(organizer.offer())
    stripe.confirm(order["payment"])
    buyer.sees(order["order_id"], paid)
    expected = [
        ("foyer_http_request_seconds_count", "edge", "/v1/orders/{order_id}"),
        ("foyer_confirm_seconds_count", "edge", ""),
        ("foyer_messages_total", "order", "orders.order.place"),
        ("foyer_handler_seconds_count", "ticket", "tickets.reservation.hold"),
        ("foyer_critical_seconds_count", "view", "orders.order.completed"),
        ("foyer_confirm_seconds_count", "payment", ""),
        *((name, each, "") for each in SERVICES for name in WORKERS),
        ("foyer_threads", "gateway", ""),
        ("process_resident_memory_bytes", "clock", ""),
    ]
    moving = [each for each in expected if each[0] not in STILL]
    numbers = until(
        lambda: measured(buyer.http),
        lambda seen: set(expected) <= seen.keys() and all(seen[each] for each in moving),
        DEADLINE_SEC,
    )
    assert all(numbers["foyer_threads", each, ""] >= 4 for each in SERVICES)


WORKERS = ("foyer_threads", "foyer_outbox_waiting", "foyer_outbox_lag_seconds")
STILL = WORKERS[1:]
"""Which are zero while nothing is wrong."""


def lines(system: Stack, trace_id: str) -> Iterable[Json]:
    for log in system.layout.log.glob("*-1.log"):
        for line in log.read_text(errors="replace").splitlines():
            if trace_id in line:
                with suppress(orjson.JSONDecodeError):  # It is just being written.
                    yield orjson.loads(line)


def handled(told: Iterable[Json]) -> set[str]:
    return {each["type"] for each in told if each["event"] == "handled"}


def test_a_trace_is_followed_from_the_edge_to_every_handler(
    system: Stack, organizer: Person, buyer: Person
) -> None:
    trace_id, request_id = uuid4().hex, f"request-{uuid4().hex}"
    answer = buyer.http.post(
        "/v1/orders",
        json={"ticket_id": organizer.offer(), "quantity": 1},
        headers={
            "Idempotency-Key": uuid4().hex,
            "Prefer": "wait=10",
            "traceparent": f"00-{trace_id}-00f067aa0ba902b7-01",
            "X-Request-Id": request_id,
        },
    )
    assert answer.headers["x-request-id"] == request_id
    processes = {"edge", "order", "ticket", "payment", "expiration", "view"}
    messages = {"orders.order.place", "tickets.reservation.hold", "orders.order.created"}
    seen = until(
        lambda: list(lines(system, trace_id)),
        lambda told: processes <= {each["process"] for each in told} and messages <= handled(told),
        DEADLINE_SEC,
    )
    (asked,) = [each for each in seen if each["process"] == "edge"]
    assert asked["request_id"] == request_id
    assert {each["operation_id"] for each in seen} <= {answer.json()["id"], None}
