"""Offering tickets and changing them during the sale."""

import pytest

from tests.journeys.shop import Person

pytestmark = pytest.mark.journey


def test_a_draft_is_seen_by_its_organizer_until_it_is_on_sale(
    organizer: Person, buyer: Person
) -> None:
    ticket_id = organizer.offer(status="draft")
    assert organizer.read(f"/v1/tickets/{ticket_id}")["status"] == "draft"
    assert buyer.http.get(f"/v1/tickets/{ticket_id}").status_code == 404
    assert buyer.order(ticket_id)["error"]["code"] == "not_on_sale"
    done = organizer.write("PATCH", f"/v1/tickets/{ticket_id}", {"version": 1, "status": "on_sale"})
    assert done["result"]["version"] == 2
    assert buyer.read(f"/v1/tickets/{ticket_id}")["available"] == 10
    buyer.buy(ticket_id)


def test_a_stale_edit_is_refused_but_a_sale_makes_none_stale(
    organizer: Person, buyer: Person
) -> None:
    ticket_id = organizer.offer()
    path = f"/v1/tickets/{ticket_id}"
    buyer.buy(ticket_id, 2)
    first = organizer.write("PATCH", path, {"version": 1, "title": "Changed"})
    assert first["status"] == "succeeded"
    stale = organizer.write("PATCH", path, {"version": 1, "title": "Too late"})
    assert stale["error"]["code"] == "version_conflict"
    seen = organizer.read(path)
    assert (seen["title"], seen["version"], seen["available"]) == ("Changed", 2, 8)


def test_a_quota_is_never_below_what_is_sold(organizer: Person, buyer: Person) -> None:
    ticket_id = organizer.offer()
    buyer.buy(ticket_id, 3)
    path = f"/v1/tickets/{ticket_id}"
    refused = organizer.write("PATCH", path, {"version": 1, "quota": 2})
    assert refused["error"]["code"] == "quota_below_sold"
    assert organizer.write("PATCH", path, {"version": 1, "quota": 3})["status"] == "succeeded"
    organizer.available(ticket_id, 0)


def test_a_ticket_is_changed_by_its_organizer_alone(organizer: Person, buyer: Person) -> None:
    ticket_id = organizer.offer()
    refused = buyer.write("PATCH", f"/v1/tickets/{ticket_id}", {"version": 1, "price": "0"})
    assert refused["error"]["code"] == "forbidden"


def test_the_price_is_the_one_that_was_held(organizer: Person, buyer: Person) -> None:
    ticket_id = organizer.offer()
    result = buyer.buy(ticket_id)
    organizer.write("PATCH", f"/v1/tickets/{ticket_id}", {"version": 1, "price": "99.00"})
    assert buyer.read(f"/v1/orders/{result['order_id']}")["total_amount"] == "12.50"
    assert buyer.buy(ticket_id)["total_amount"] == "99.00"
