"""Orders that end without tickets, and the money that comes too late for them."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.journeys.conftest import ORDER_TTL_SEC
from tests.journeys.shop import DEADLINE_SEC, Json, Person, Stripe, paid, until

pytestmark = pytest.mark.journey
EXPIRED_WITHIN_SEC = ORDER_TTL_SEC + DEADLINE_SEC
SLOW = {"retrieve_intent": 8000}
"""Stripe is asked about each order that ends: what it answers at once is not too late."""


@dataclass
class Waiting:
    """Orders left to expire: one unpaid, two whose payment is told too late, one of the last."""

    buyer: Person
    ticket_id: str
    unpaid: Json
    late: Json
    scarce_id: str
    too_late: Json


@pytest.fixture(scope="module")
def waiting(organizer: Person, stripe: Stripe) -> Iterator[Waiting]:
    """Start the waiting before the other tests, which have things to do meanwhile."""
    ticket_id = organizer.offer()
    unpaid, late = organizer.buy(ticket_id), organizer.buy(ticket_id)
    scarce_id = organizer.offer(quota=1)
    too_late = organizer.buy(scarce_id)
    stripe.faults(webhooks={"late_ms": 1000 * (ORDER_TTL_SEC + 12)})
    for each in (late, too_late):
        assert stripe.confirm(each["payment"]) == httpx.codes.OK
    stripe.faults(delay_ms=SLOW)
    yield Waiting(organizer, ticket_id, unpaid, late, scarce_id, too_late)
    stripe.faults()


def _given_back(stripe: Stripe, order_id: str) -> None:
    """Wait until Stripe holds nothing for an order; it has never taken anything."""
    intent = until(
        lambda: stripe.intent(order_id),
        lambda seen: seen["status"] == "canceled",
        EXPIRED_WITHIN_SEC,
    )
    assert (intent["held"], intent["captured"]) == (0, 0)


def test_an_order_is_given_back_before_it_is_paid(
    waiting: Waiting,  # noqa: ARG001  # It starts here.
    organizer: Person,
    buyer: Person,
    stripe: Stripe,
) -> None:
    ticket_id = organizer.offer()
    result = buyer.buy(ticket_id, 2)
    done = buyer.cancel(result["order_id"])
    assert done["result"] == {"order_id": result["order_id"], "status": "CANCELLED"}
    organizer.available(ticket_id, 10)
    _given_back(stripe, result["order_id"])
    assert stripe.confirm(result["payment"]) == 400
    assert buyer.cancel(result["order_id"])["result"]["status"] == "CANCELLED"  # As it is already.


def test_money_that_comes_too_late_for_the_last_goes_back(
    waiting: Waiting, buyer: Person, stripe: Stripe
) -> None:
    # Early enough: the last is bought before Stripe has been asked about who was too late.
    _expired(waiting, waiting.too_late)
    waiting.buyer.available(waiting.scarce_id, 1)
    bought = buyer.buy(waiting.scarce_id)
    assert stripe.confirm(bought["payment"]) == httpx.codes.OK  # What is paid for stays sold.
    _given_back(stripe, waiting.too_late["order_id"])
    waiting.buyer.available(waiting.scarce_id, 0)


def test_money_that_comes_after_a_cancellation_goes_back(
    organizer: Person, buyer: Person, stripe: Stripe
) -> None:
    ticket_id = organizer.offer()
    result = buyer.buy(ticket_id)
    stripe.faults(webhooks={"late_ms": 6000}, delay_ms=SLOW)
    assert stripe.confirm(result["payment"]) == httpx.codes.OK
    stripe.faults(delay_ms=SLOW)
    assert buyer.cancel(result["order_id"])["status"] == "succeeded"
    _given_back(stripe, result["order_id"])
    order = buyer.sees(result["order_id"], lambda seen: seen["payment"]["status"] == "FAILED")
    assert (order["status"], order["cancel_reason"]) == ("CANCELLED", "cancelled")
    organizer.available(ticket_id, 10)


def test_an_order_that_nobody_pays_expires(waiting: Waiting, stripe: Stripe) -> None:
    order = waiting.buyer.sees(
        waiting.unpaid["order_id"], lambda seen: seen["status"] == "EXPIRED", EXPIRED_WITHIN_SEC
    )
    assert order["cancel_reason"] == "expired"
    _given_back(stripe, waiting.unpaid["order_id"])


def test_money_that_comes_late_buys_what_is_still_there(waiting: Waiting) -> None:
    waiting.buyer.sees(waiting.late["order_id"], paid, EXPIRED_WITHIN_SEC)
    types = [step["type"] for step in waiting.buyer.read(_path(waiting.late))["timeline"]]
    assert types.index("orders.order.cancelled") < types.index("orders.order.completed")
    waiting.buyer.available(waiting.ticket_id, 9)


def _expired(waiting: Waiting, order: Json) -> None:
    waiting.buyer.sees(
        order["order_id"], lambda seen: seen["status"] == "EXPIRED", EXPIRED_WITHIN_SEC
    )


def _path(order: Json) -> str:
    return f"/v1/orders/{order['order_id']}"
