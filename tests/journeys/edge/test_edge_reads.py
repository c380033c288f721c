"""What the edge shows of the views: tickets, orders, keys, documents."""

import uuid
from typing import Any

import httpx
import orjson
import psycopg
import pytest
from psycopg.rows import DictRow

from tests.journeys.edge.parts import EdgeProcess, Signer, check_problem
from tests.journeys.edge.rows import add_order, add_payment, add_ticket

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("ignore:EdDSA is deprecated")]
Views = psycopg.Connection[DictRow]


def signed_in(edge: EdgeProcess, signer: Signer, user_id: object) -> httpx.Client:
    token = {"Authorization": f"Bearer {signer.token(user_id)}"}
    return httpx.Client(base_url=edge.url, headers=token, timeout=15)


def pages(client: httpx.Client, path: str, **query: str) -> list[dict[str, Any]]:
    """Follow a list's cursors to its end."""
    found: list[dict[str, Any]] = []
    while True:
        page = client.get(path, params=query).raise_for_status().json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def test_tickets_come_soonest_first_page_by_page(client: httpx.Client, views: Views) -> None:
    word = uuid.uuid4().hex
    days = [3, 1, 2, 2, 5, 4, 2]
    rows = [add_ticket(views, title=word, starts_at=f"2037-05-{day:02}T00:00:00Z") for day in days]
    rows.sort(key=lambda row: (row["starts_at"], row["ticket_id"]))
    ids = [str(row["ticket_id"]) for row in rows]
    for limit in ("1", "3", "7", "100"):
        found = pages(client, "/v1/tickets", q=word, limit=limit)
        assert [each["id"] for each in found] == ids
    some = {"from": "2037-05-02T00:00:00Z", "to": "2037-05-04T02:00:00+02:00"}
    assert [each["id"] for each in pages(client, "/v1/tickets", q=word, **some)] == ids[1:6]


def test_an_event_that_is_over_is_no_longer_listed(client: httpx.Client, views: Views) -> None:
    word = uuid.uuid4().hex
    times = '"starts_at": "2026-01-01T19:00:00+00:00", "ends_at": "2026-01-01T23:00:00+00:00"'
    event = f'{{"title": "Night", {times}, "venue": null}}'
    over = add_ticket(views, title=word, starts_at="2026-01-01T19:00:00Z", event=event)
    to_come = add_ticket(views, title=word)
    assert [each["id"] for each in pages(client, "/v1/tickets", q=word)] == [
        str(to_come["ticket_id"])
    ]
    assert client.get(f"/v1/tickets/{over['ticket_id']}").status_code == 200


def test_a_search_takes_every_word_and_no_wildcards(client: httpx.Client, views: Views) -> None:
    word = uuid.uuid4().hex
    add_ticket(views, title=f"{word} 100% Jazz_Night")
    for query, found in (
        (f"{word} jazz", 1),
        (f"JAZZ_ {word.upper()}", 1),
        (f"{word} night", 1),
        (f"{word} 100%", 1),
        (f"{word} rock", 0),
        (f"{word} %", 1),
        (f"{word} j%t", 0),
        (f"{word} JazzXNight", 0),
        (f"{word} \\", 0),
    ):
        assert len(pages(client, "/v1/tickets", q=query)) == found, query


@pytest.mark.parametrize(
    ("price", "currency", "shown"),
    [
        ("10", "EUR", "10.00"),
        ("1500", "JPY", "1500"),
        ("14.25", "KWD", "14.250"),
        ("0", "USD", "0.00"),
    ],
)
def test_money_has_exactly_its_currencys_decimals(
    client: httpx.Client, views: Views, price: str, currency: str, shown: str
) -> None:
    row = add_ticket(views, price=price, currency=currency)
    assert client.get(f"/v1/tickets/{row['ticket_id']}").json()["price"] == shown


def test_a_ticket_shows_its_counters_to_its_organizer_only(
    edge: EdgeProcess, client: httpx.Client, signer: Signer, views: Views
) -> None:
    row = add_ticket(views)
    path = f"/v1/tickets/{row['ticket_id']}"
    shown = client.get(path).json()
    assert shown == {
        "id": str(row["ticket_id"]),
        "title": "Gig",
        "price": "10.00",
        "currency": "EUR",
        "ticket_type": "GA",
        "status": "on_sale",
        "available": 7,
        "max_per_user": 4,
        "version": 1,
        "event": {
            "title": "Night",
            "starts_at": "2037-01-01T19:00:00Z",
            "ends_at": "2037-01-01T23:00:00Z",
            "venue": None,
        },
        "seating_plan_id": None,
    }
    with signed_in(edge, signer, row["organizer_id"]) as organizer:
        counters = {"quota": 10, "reserved": 1, "sold": 2}
        assert organizer.get(path).json() == shown | counters


def test_a_draft_is_its_organizers_alone(
    edge: EdgeProcess, client: httpx.Client, signer: Signer, views: Views
) -> None:
    row = add_ticket(views, status="draft", title=uuid.uuid4().hex)
    path = f"/v1/tickets/{row['ticket_id']}"
    check_problem(client.get(path), 404, "not_found")
    with signed_in(edge, signer, uuid.uuid4()) as other:
        check_problem(other.get(path), 404, "not_found")
        check_problem(other.get(f"{path}/orders"), 404, "not_found")
    with signed_in(edge, signer, row["organizer_id"]) as organizer:
        assert organizer.get(path).json()["status"] == "draft"
        assert organizer.get(f"{path}/orders").json()["items"] == []
    assert pages(client, "/v1/tickets", q=row["title"]) == []


def test_orders_come_newest_first_to_their_buyer(
    buyer: httpx.Client, user: uuid.UUID, views: Views
) -> None:
    rows = [
        add_order(views, user_id=user, created_at=f"2026-01-{day:02}T00:00:00Z")
        for day in (3, 1, 2, 2)
    ]
    rows.sort(key=lambda row: (row["created_at"], row["order_id"]), reverse=True)
    ids = [str(row["order_id"]) for row in rows]
    for limit in ("1", "2", "100"):
        assert [each["id"] for each in pages(buyer, "/v1/orders", limit=limit)] == ids
    cursor = buyer.get("/v1/orders?limit=1").json()["next_cursor"]
    answer = buyer.get("/v1/tickets", params={"cursor": cursor})
    check_problem(answer, 422, "invalid_request")


def test_an_order_says_in_which_section_its_seats_are(
    buyer: httpx.Client, user: uuid.UUID, views: Views
) -> None:
    names = ("id", "seat_id", "section_id")
    seated: dict[str, Any] = {name: str(uuid.uuid4()) for name in names}
    seated |= {"seat_label": "R1S1", "quantity": 1, "unit_price": "10"}
    plain = {"id": str(uuid.uuid4()), "quantity": 1, "unit_price": "10"}
    row = add_order(views, user_id=user, items=orjson.dumps([seated, plain]).decode())
    shown = buyer.get(f"/v1/orders/{row['order_id']}").json()["items"]
    assert shown[0] == seated | {"unit_price": "10.00"}
    assert (shown[1]["section_id"], shown[1]["seat_id"]) == (None, None)


def test_an_order_shows_its_items_payment_and_timeline(
    buyer: httpx.Client, user: uuid.UUID, views: Views
) -> None:
    row = add_order(views, user_id=user, currency="JPY", total_amount="3000")
    paid = add_payment(views, row, status="SUCCEEDED", captured_amount=3000)
    views.execute(
        "INSERT INTO order_timeline VALUES (%s, %s, 'orders.order.created', %s)",
        (row["order_id"], uuid.uuid4(), "2026-01-01T00:00:01Z"),
    )
    shown = buyer.get(f"/v1/orders/{row['order_id']}").json()
    assert shown["total_amount"] == "3000"
    assert shown["items"][0]["unit_price"] == "10"
    assert shown["expires_at"] == "2037-01-01T00:00:00Z"
    assert shown["payment"] == {
        "id": str(paid["payment_id"]),
        "status": "SUCCEEDED",
        "captured_amount": "3000",
        "refunded_amount": "0",
    }
    assert shown["timeline"] == [{"type": "orders.order.created", "at": "2026-01-01T00:00:01Z"}]
    assert "client_secret" not in str(shown)


def test_the_organizer_sees_the_orders_of_a_ticket(
    edge: EdgeProcess, signer: Signer, views: Views
) -> None:
    ticket = add_ticket(views)
    rows = [add_order(views, ticket_id=ticket["ticket_id"]) for _ in range(3)]
    path = f"/v1/tickets/{ticket['ticket_id']}/orders"
    with signed_in(edge, signer, ticket["organizer_id"]) as organizer:
        found = pages(organizer, path, limit="2")
        assert {each["id"] for each in found} == {str(row["order_id"]) for row in rows}
        assert {each["user_id"] for each in found} == {str(row["user_id"]) for row in rows}
    with signed_in(edge, signer, rows[0]["user_id"]) as other:
        check_problem(other.get(path), 403, "forbidden")


def test_an_order_that_is_not_there_is_404(buyer: httpx.Client) -> None:
    for path in ("", "/payment"):
        check_problem(buyer.get(f"/v1/orders/{uuid.uuid4()}{path}"), 404, "not_found")
    check_problem(buyer.get(f"/v1/tickets/{uuid.uuid4()}"), 404, "not_found")
    check_problem(buyer.get(f"/v1/tickets/{uuid.uuid4()}/orders"), 404, "not_found")


def test_what_everybody_may_read(client: httpx.Client, signer: Signer) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
    keys = client.get("/.well-known/jwks.json").json()["keys"]
    assert signer.kid in {each["kid"] for each in keys}
    assert not any("d" in each for each in keys)
    assert client.get("/openapi.json").json()["openapi"].startswith("3.1")
    page = client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "/v1/orders/{order_id}/payment" in page.text
    assert "<script" not in page.text
    assert "http://" not in page.text


def test_a_request_can_be_followed(client: httpx.Client) -> None:
    given = {"X-Request-Id": "abc-1"}
    assert client.get("/healthz", headers=given).headers["x-request-id"] == "abc-1"
    for bad in ("a b", "x" * 65):
        answer = client.get("/healthz", headers={"X-Request-Id": bad})
        assert answer.headers["x-request-id"] != bad
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = client.get("/healthz", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert answer.headers["x-request-id"] == trace
