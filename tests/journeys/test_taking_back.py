"""A sale taken back over HTTP: refunds by item, by amount, in full; an event that is called off."""

from collections.abc import Callable

import httpx
import pytest

from ops.local.stack import Stack
from ops.stores import Stores, settings
from ops.verify import verify
from tests.journeys.seating import House, code_of, done
from tests.journeys.shop import DEADLINE_SEC, Json, Person, Stripe, paid, until

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def house(organizer: Person) -> House:
    """One house for everybody: each test has seats of its own."""
    return House(organizer)


def _bought(house: House, buyer: Person, stripe: Stripe, *seats: str) -> Json:
    """Buy and pay; return the order."""
    result = house.buy(buyer, seat_ids=seats)
    assert stripe.confirm(result["payment"]) == httpx.codes.OK
    return buyer.sees(result["order_id"], paid)


def _refund(organizer: Person, order: Json, **what: object) -> Json:
    return organizer.write("POST", f"/v1/orders/{order['id']}/refunds", what)


def test_an_item_goes_back_with_its_seat_then_the_rest_with_the_order(
    house: House, buyer: Person, organizer: Person, stripe: Stripe
) -> None:
    near, far = house.seats[0], house.seats[6]
    order = _bought(house, buyer, stripe, near, far)
    item = next(each["id"] for each in order["items"] if each["seat_id"] == near)
    ended = _refund(organizer, order, item_ids=[item])
    assert ended["status"] == "succeeded", ended
    assert {*ended["result"]} == {"order_id", "refund_id"}
    house.show(near, "A")
    seen = buyer.read(f"/v1/orders/{order['id']}")
    assert (seen["status"], seen["payment"]["refunded_amount"]) == ("CONFIRMED", "30.00")
    assert code_of(_refund(organizer, order, item_ids=[item])) == "refunded"
    assert code_of(_refund(organizer, order, amount="12.51")) == "refund_exceeds_payment"
    rest = _refund(organizer, order)
    assert rest["status"] == "succeeded", rest
    seen = buyer.read(f"/v1/orders/{order['id']}")
    assert (seen["status"], seen["cancel_reason"]) == ("CANCELLED", "refunded")
    assert seen["payment"]["status"] == "REFUNDED"
    house.show(far, "A")
    intent = stripe.intent(order["id"])
    assert intent["captured"] == intent["refunded"] == 4250


def test_an_amount_goes_back_and_the_seats_stay(
    house: House, buyer: Person, organizer: Person, stripe: Stripe, system: Stack
) -> None:
    seat = house.seats[1]
    order = _bought(house, buyer, stripe, seat)
    assert _refund(organizer, order, amount="10.00")["status"] == "succeeded"
    seen = buyer.read(f"/v1/orders/{order['id']}")
    assert (seen["status"], seen["payment"]["refunded_amount"]) == ("CONFIRMED", "10.00")
    kept = _refund(organizer, order, keep_stock=True)
    assert kept["status"] == "succeeded", kept
    assert buyer.read(f"/v1/orders/{order['id']}")["status"] == "CANCELLED"
    assert house.letters()[1] == "S", "refunded, and still not for sale"
    with Stores(settings(system.layout)) as stores:
        broken = [each for finding in verify(stores) for each in finding.broken]
    assert broken == [], "what was refunded and kept is nothing wrong"


def test_refunds_are_the_organizers(
    house: House, buyer: Person, organizer: Person, stripe: Stripe
) -> None:
    order = _bought(house, buyer, stripe, house.seats[2])
    assert code_of(_refund(buyer, order)) == "forbidden"
    path = f"/v1/orders/{order['id']}/refunds"
    both = organizer.http.post(
        path, json={"amount": "1.00", "item_ids": [order["id"]]}, headers={"Idempotency-Key": "b"}
    )
    assert both.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert organizer.http.post(path, json={}).json()["code"] == "key_required"
    twice = [organizer.write("POST", path, {"amount": "1.00"}, key="once") for _ in range(2)]
    assert twice[0]["id"] == twice[1]["id"]
    assert stripe.intent(order["id"])["refunded"] == 100


def test_an_event_that_is_called_off_ends_every_order(
    organizer: Person, buyer: Person, arrive: Callable[[], Person], stripe: Stripe
) -> None:
    house, other = House(organizer), arrive()
    bought = _bought(house, buyer, stripe, *house.seats[:2])
    waiting = house.buy(other, seat_ids=house.seats[2:3])
    path = f"/v1/tickets/{house.ticket_id}"
    assert code_of(other.write("POST", f"{path}/cancellation")) == "forbidden"
    assert done(organizer, "POST", f"{path}/cancellation")["status"] == "cancelled"
    seen = organizer.read(path)
    assert seen["status"] == "cancelled"
    progress = until(
        lambda: organizer.read(path)["cancellation"], lambda told: told["ended"] == 2, DEADLINE_SEC
    )
    assert progress == {"total": 2, "ended": 2, "failed": 0}
    for person, order_id in ((buyer, bought["id"]), (other, waiting["order_id"])):
        order = person.sees(order_id, lambda seen: seen["status"] == "CANCELLED")
        assert order["cancel_reason"] == "event_cancelled"
    intent = stripe.intent(bought["id"])
    assert intent["captured"] == intent["refunded"] == 6000
    assert code_of(house.order(other, seat_ids=house.seats[3:4])) == "event_cancelled"
    for seat in house.seats[:3]:
        house.show(seat, "A")
