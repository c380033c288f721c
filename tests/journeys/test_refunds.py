"""Money that goes back, over HTTP: by amount, by item, all of it, and when the event is off."""

from collections.abc import Callable
from functools import partial
from uuid import uuid4

import httpx
import pytest

from tests.journeys.seating import House, code_of
from tests.journeys.shop import DEADLINE_SEC, Json, Person, Stripe, paid, until

pytestmark = pytest.mark.journey


def _bought(buyer: Person, stripe: Stripe, result: Json) -> str:
    assert stripe.confirm(result["payment"]) == httpx.codes.OK
    order_id: str = result["order_id"]
    buyer.sees(order_id, paid)
    return order_id


def _refund(organizer: Person, order_id: str, **what: object) -> Json:
    return organizer.write("POST", f"/v1/orders/{order_id}/refunds", what)


def _given_back(stripe: Stripe, order_id: str, units: int) -> None:
    until(lambda: stripe.intent(order_id), lambda seen: seen["refunded"] == units, DEADLINE_SEC)


def _void(stripe: Stripe, order_id: str) -> None:
    """Wait until nobody can pay for the order; it is cancelled before Stripe knows."""
    until(lambda: stripe.intent(order_id), lambda seen: seen["status"] == "canceled", DEADLINE_SEC)


def test_money_goes_back_by_amount_and_then_all_of_it(
    organizer: Person, buyer: Person, stripe: Stripe
) -> None:
    ticket_id = organizer.offer()
    order_id = _bought(buyer, stripe, buyer.buy(ticket_id, 2))
    done = _refund(organizer, order_id, amount="5.00")
    assert done["status"] == "succeeded", done
    order = buyer.sees(order_id, lambda seen: seen["payment"]["refunded_amount"] == "5.00")
    assert order["status"] == "CONFIRMED"
    organizer.available(ticket_id, 8)
    assert code_of(_refund(organizer, order_id, amount="20.01")) == "refund_exceeds_payment"
    assert _refund(organizer, order_id)["status"] == "succeeded"
    order = buyer.sees(order_id, lambda seen: seen["status"] == "CANCELLED")
    assert (order["cancel_reason"], order["payment"]["status"]) == ("refunded", "REFUNDED")
    organizer.available(ticket_id, 10)
    _given_back(stripe, order_id, 2500)
    assert code_of(_refund(organizer, order_id)) == "refund_exceeds_payment"


def test_money_goes_back_by_item_and_its_seat_with_it(
    organizer: Person, buyer: Person, stripe: Stripe
) -> None:
    house = House(organizer)
    first, second, kept = house.seats[6:9]
    order_id = _bought(buyer, stripe, house.buy(buyer, seat_ids=[first, second, kept]))
    items = {each["seat_id"]: each["id"] for each in buyer.read(f"/v1/orders/{order_id}")["items"]}
    house.show(first, "S")
    assert _refund(organizer, order_id, item_ids=[items[first]])["status"] == "succeeded"
    house.show(first, "A")
    done = _refund(organizer, order_id, item_ids=[items[kept]], keep_stock=True)
    assert done["status"] == "succeeded", done
    order = buyer.sees(order_id, lambda seen: seen["payment"]["refunded_amount"] == "25.00")
    assert order["status"] == "CONFIRMED"
    assert (house.letters()[7], house.letters()[8]) == ("S", "S")
    assert code_of(_refund(organizer, order_id, item_ids=[items[first]])) == "refunded"
    assert _refund(organizer, order_id)["status"] == "succeeded"
    house.show(second, "A")
    assert house.letters()[8] == "S", "it was refunded, and kept"
    _given_back(stripe, order_id, 3750)


def test_only_the_organizer_gives_money_back(
    organizer: Person, buyer: Person, stripe: Stripe
) -> None:
    order_id = _bought(buyer, stripe, buyer.buy(organizer.offer()))
    assert code_of(_refund(buyer, order_id)) in {"forbidden", "not_found"}
    assert code_of(_refund(organizer, str(uuid4()))) == "not_found"
    assert buyer.read(f"/v1/orders/{order_id}")["status"] == "CONFIRMED"


def test_a_second_click_gives_nothing_more_back(
    organizer: Person, buyer: Person, stripe: Stripe
) -> None:
    order_id = _bought(buyer, stripe, buyer.buy(organizer.offer(), 2))
    key, path = uuid4().hex, f"/v1/orders/{order_id}/refunds"
    first = organizer.write("POST", path, {"amount": "5.00"}, key)
    assert organizer.write("POST", path, {"amount": "5.00"}, key)["id"] == first["id"]
    _given_back(stripe, order_id, 500)
    assert buyer.read(f"/v1/orders/{order_id}")["payment"]["refunded_amount"] == "5.00"


def test_a_refund_that_stripe_refuses_is_seen_and_can_be_asked_for_again(
    organizer: Person, buyer: Person, stripe: Stripe
) -> None:
    order_id = _bought(buyer, stripe, buyer.buy(organizer.offer()))
    stripe.faults(no_balance_rate={"create_refund": 1})
    assert code_of(_refund(organizer, order_id)) == "refund_failed"
    stripe.faults()
    assert buyer.read(f"/v1/orders/{order_id}")["status"] == "CONFIRMED"
    # The order hears of it by itself; until then the money counts as under way.
    again = partial(_refund, organizer, order_id)
    until(again, lambda done: done["status"] == "succeeded", DEADLINE_SEC)
    _given_back(stripe, order_id, 1250)


def test_a_buyer_is_asked_by_the_bank(organizer: Person, buyer: Person, stripe: Stripe) -> None:
    result = buyer.buy(organizer.offer())
    assert stripe.confirm(result["payment"], "pm_card_threeDSecure2Required") == httpx.codes.OK
    intent = stripe.intent(result["order_id"])
    assert (intent["status"], intent["held"]) == ("requires_action", 0)
    answered = stripe.http.post(
        f"/_stand_in/authenticate/{intent['id']}",
        content=f"client_secret={result['payment']['client_secret']}&outcome=succeeded",
    )
    assert answered.status_code == httpx.codes.OK
    buyer.sees(result["order_id"], paid)


def test_a_cancelled_event_gives_every_buyer_their_money_back(
    organizer: Person, arrive: Callable[[], Person], stripe: Stripe
) -> None:
    ticket_id = organizer.offer()
    payer, waiter, late = arrive(), arrive(), arrive()
    paid_for = _bought(payer, stripe, payer.buy(ticket_id, 2))
    unpaid = waiter.buy(ticket_id)
    done = organizer.write("POST", f"/v1/tickets/{ticket_id}/cancellation")
    assert done["status"] == "succeeded", done
    for buyer, order_id in ((payer, paid_for), (waiter, unpaid["order_id"])):
        order = buyer.sees(order_id, lambda seen: seen["status"] == "CANCELLED")
        assert order["cancel_reason"] == "event_cancelled"
    _void(stripe, unpaid["order_id"])
    assert stripe.confirm(unpaid["payment"]) == 400
    assert code_of(late.order(ticket_id)) in {"event_cancelled", "not_on_sale"}
    _given_back(stripe, paid_for, 2500)
