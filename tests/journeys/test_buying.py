"""Buying a ticket, from the first click to the money."""

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from tests.journeys.shop import DEADLINE_SEC, Person, Stripe, paid, until

pytestmark = pytest.mark.journey


def test_a_ticket_is_bought_and_paid(organizer: Person, buyer: Person, stripe: Stripe) -> None:
    ticket_id = organizer.offer()
    result = buyer.buy(ticket_id, 2)
    assert result["status"] == "AWAITING_PAYMENT"
    assert (result["total_amount"], result["currency"]) == ("25.00", "EUR")
    organizer.available(ticket_id, 8)
    assert stripe.confirm(result["payment"]) == httpx.codes.OK
    order = buyer.sees(result["order_id"], paid)
    assert order["payment"]["captured_amount"] == "25.00"
    assert [item["quantity"] for item in order["items"]] == [2]
    intent = stripe.intent(result["order_id"])
    assert (intent["status"], intent["captured"]) == ("succeeded", 2500)
    assert buyer.http.get(f"/v1/orders/{order['id']}/payment").status_code == 404
    organizer.available(ticket_id, 8)


def test_another_card_may_be_tried(organizer: Person, buyer: Person, stripe: Stripe) -> None:
    result = buyer.buy(organizer.offer())
    assert stripe.confirm(result["payment"], "pm_card_chargeDeclined") == 402
    declined = buyer.sees(
        result["order_id"],
        lambda order: "payments.payment.declined" in [step["type"] for step in order["timeline"]],
    )
    assert declined["status"] == "AWAITING_PAYMENT"
    payment = buyer.read(f"/v1/orders/{result['order_id']}/payment")
    assert stripe.confirm(payment, "pm_card_mastercard") == httpx.codes.OK
    buyer.sees(result["order_id"], paid)


@pytest.mark.parametrize(
    ("method", "card"), [("APPLE_PAY", "pm_card_applePay"), ("GOOGLE_PAY", "pm_card_googlePay")]
)
def test_a_wallet_pays(
    organizer: Person, buyer: Person, stripe: Stripe, method: str, card: str
) -> None:
    result = buyer.buy(organizer.offer(), method=method)
    assert stripe.confirm(result["payment"], card) == httpx.codes.OK
    buyer.sees(result["order_id"], paid)
    assert stripe.intent(result["order_id"])["metadata"]["method"] == method


@pytest.mark.parametrize(
    ("price", "total", "units"),
    [("1500 JPY", "3000", 3000), ("14.25 KWD", "28.500", 28500), ("9 EUR", "18.00", 1800)],
)
def test_an_amount_is_exact_in_its_currency(  # noqa: PLR0913, PLR0917  # People and amounts.
    organizer: Person, buyer: Person, stripe: Stripe, price: str, total: str, units: int
) -> None:
    amount, currency = price.split()
    result = buyer.buy(organizer.offer(price=amount, currency=currency), 2)
    assert (result["total_amount"], result["currency"]) == (total, currency)
    assert stripe.confirm(result["payment"]) == httpx.codes.OK
    assert buyer.sees(result["order_id"], paid)["payment"]["captured_amount"] == total
    assert stripe.intent(result["order_id"])["captured"] == units


def test_a_free_ticket_needs_no_payment(organizer: Person, buyer: Person) -> None:
    ticket_id = organizer.offer(price="0")
    result = buyer.buy(ticket_id, 2)
    assert (result["status"], result["payment"]) == ("CONFIRMED", None)
    organizer.available(ticket_id, 8)
    assert buyer.cancel(result["order_id"])["status"] == "succeeded"
    organizer.available(ticket_id, 10)


def test_a_second_click_buys_nothing_more(organizer: Person, buyer: Person) -> None:
    ticket_id, key = organizer.offer(), uuid4().hex
    form = {"ticket_id": ticket_id, "quantity": 1}
    first = buyer.write("POST", "/v1/orders", form, key)
    again = buyer.write("POST", "/v1/orders", form, key)
    assert again["id"] == first["id"]
    assert again["result"]["order_id"] == first["result"]["order_id"]
    assert len(buyer.read("/v1/orders")["items"]) == 1
    organizer.available(ticket_id, 9)


def test_an_order_is_its_buyers_alone(
    organizer: Person, buyer: Person, arrive: Callable[[], Person]
) -> None:
    order_id = buyer.buy(organizer.offer())["order_id"]
    stranger = arrive()
    for path in (f"/v1/orders/{order_id}", f"/v1/orders/{order_id}/payment"):
        assert stranger.http.get(path).status_code == 404
    refused = stranger.cancel(order_id)
    assert (refused["status"], refused["error"]["status"]) == ("failed", 404)
    assert buyer.read(f"/v1/orders/{order_id}")["status"] == "AWAITING_PAYMENT"


def test_the_last_ones_go_to_whoever_comes_first(
    organizer: Person, buyer: Person, arrive: Callable[[], Person]
) -> None:
    ticket_id = organizer.offer(quota=3)
    buyer.buy(ticket_id, 2)
    refused = arrive().order(ticket_id, 2)
    assert refused["error"]["code"] == "sold_out"
    assert refused["error"]["status"] == 409
    organizer.available(ticket_id, 1)


def test_nobody_has_more_than_their_limit(organizer: Person, buyer: Person) -> None:
    ticket_id = organizer.offer(max_per_user=3)
    first = buyer.buy(ticket_id, 2)
    assert buyer.order(ticket_id, 2)["error"]["code"] == "limit_exceeded"
    assert buyer.cancel(first["order_id"])["status"] == "succeeded"
    buyer.buy(ticket_id, 3)


def test_what_does_not_exist_cannot_be_bought(buyer: Person) -> None:
    refused = buyer.order(str(uuid4()))
    assert (refused["error"]["code"], refused["error"]["status"]) == ("not_found", 404)


def test_a_paid_order_cannot_be_given_back(
    organizer: Person, buyer: Person, stripe: Stripe
) -> None:
    result = buyer.buy(organizer.offer())
    stripe.confirm(result["payment"])
    buyer.sees(result["order_id"], paid)
    assert buyer.cancel(result["order_id"])["error"]["code"] == "order_not_cancellable"
    assert buyer.read(f"/v1/orders/{result['order_id']}")["status"] == "CONFIRMED"


def test_a_capture_that_fails_gives_everything_back(
    organizer: Person, buyer: Person, stripe: Stripe
) -> None:
    ticket_id = organizer.offer()
    result = buyer.buy(ticket_id, 2)
    stripe.confirm(result["payment"], "pm_card_captureFails")
    ended = buyer.sees(result["order_id"], lambda order: order["status"] == "CANCELLED")
    assert ended["cancel_reason"] == "capture_failed"
    organizer.available(ticket_id, 10)
    until(
        lambda: stripe.intent(result["order_id"]),
        lambda intent: intent["status"] == "canceled" and intent["held"] == 0,
        DEADLINE_SEC,
    )
