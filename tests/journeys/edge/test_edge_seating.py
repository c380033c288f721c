"""Venues, plans and seats at the edge: what each call asks the services for."""

import uuid
from typing import Any

import httpx
import orjson
import psycopg
import pytest
from psycopg.rows import DictRow

from tests.journeys.edge.parts import check_problem, order
from tests.journeys.edge.rows import add_venue, finish

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("ignore:EdDSA is deprecated")]
Views = psycopg.Connection[DictRow]
Json = dict[str, Any]
SEAT, OTHER = str(uuid.uuid4()), str(uuid.uuid4())
VENUE: dict[str, Any] = {
    "name": "Hall",
    "capacity": 300,
    "timezone": "Europe/Berlin",
    "address": "1 Road",
}
PLAN: dict[str, Any] = {
    "venue_id": str(uuid.uuid4()),
    "ticket_id": str(uuid.uuid4()),
    "name": "Evening",
    "assignment_mode": "manual",
    "pricing_mode": "single",
    "sections": [
        {
            "name": "Stalls",
            "type": "seated",
            "row_count": 2,
            "column_count": 3,
            "seats": [{"row": 1, "column": 2, "label": "AA 12"}],
        }
    ],
}
EDIT = {"version": 2, "price_tiers": [{"name": "A", "price": "10"}]}


def command_of(views: Views, answer: httpx.Response) -> dict[str, Any]:
    """Return what an accepted request asks the services for: type and data."""
    assert answer.status_code == 202, answer.text
    row = views.execute("SELECT command FROM operations WHERE id = %s", (answer.json()["id"],))
    command: dict[str, Any] = row.fetchall()[0]["command"]
    assert command["type"] == answer.json()["type"]
    return command


@pytest.mark.parametrize(
    ("method", "path", "body", "command"),
    [
        ("POST", "/v1/venues", VENUE, "venues.venue.create"),
        ("PATCH", "/v1/venues/{id}", {"name": "Barn"}, "venues.venue.edit"),
        ("POST", "/v1/venues/{id}/sections",
         {"name": "A", "type": "seated", "row_count": 1, "column_count": 2}, "venues.section.add"),
        ("PATCH", "/v1/venues/{id}/sections/{id}", {"row_count": 3}, "venues.section.edit"),
        ("DELETE", "/v1/venues/{id}/sections/{id}", None, "venues.section.remove"),
        ("PUT", "/v1/organizer/settings", {"hold_ttl_sec": 60}, "venues.settings.change"),
        ("POST", "/v1/seating-plans", PLAN, "tickets.plan.request"),
        ("PATCH", "/v1/seating-plans/{id}", EDIT, "venues.plan.edit"),
        ("POST", "/v1/seating-plans/{id}/activation", None, "venues.plan.activate"),
        ("DELETE", "/v1/seating-plans/{id}/activation", {}, "venues.plan.deactivate"),
        ("POST", "/v1/seating-plans/{id}/blocks", {"seat_ids": [SEAT]}, "venues.seats.block"),
        ("DELETE", "/v1/seating-plans/{id}/blocks", {"seat_ids": [SEAT]}, "venues.seats.unblock"),
        ("POST", "/v1/seating-plans/{id}/holds", {"seat_ids": [SEAT, OTHER]}, "venues.seats.hold"),
        ("DELETE", "/v1/seating-plans/{id}/holds", {"seat_ids": [SEAT]}, "venues.seats.free"),
        ("DELETE", "/v1/seating-plans/{id}/holds", None, "venues.seats.free"),
    ],
)  # fmt: skip
def test_a_call_asks_for_its_command(  # noqa: PLR0913, PLR0917  # A row of the table.
    buyer: httpx.Client,
    views: Views,
    method: str,
    path: str,
    body: Json | None,
    command: str,
) -> None:
    """Nobody hears it here: the tests play the services' part."""
    there = path.replace("{id}", str(uuid.uuid4()))
    asked = command_of(views, buyer.request(method, there, json=body))
    assert asked["type"] == command
    if command.startswith("venues.seats"):
        assert asked["data"]["seat_ids"] == (body or {}).get("seat_ids")


def test_a_plan_is_asked_for_as_it_was_told(buyer: httpx.Client, views: Views) -> None:
    asked = command_of(views, buyer.post("/v1/seating-plans", json=PLAN))["data"]
    assert asked["sections"][0]["seats"][0]["label"] == "AA 12"
    assert (asked["max_seats_per_order"], asked["price_tiers"]) == (10, [])


def test_an_edit_carries_the_fields_that_were_told(buyer: httpx.Client, views: Views) -> None:
    path, ticket_id = f"/v1/seating-plans/{uuid.uuid4()}", str(uuid.uuid4())
    asked = command_of(views, buyer.patch(path, json={**EDIT, "ticket_id": ticket_id}))["data"]
    assert asked["shape"] == {"price_tiers": EDIT["price_tiers"]}
    assert (asked["version"], asked["ticket_id"]) == (2, ticket_id)


def test_the_best_seats_may_be_accessible_ones(buyer: httpx.Client, views: Views) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    answer = buyer.post("/v1/orders", json=order(accessible=True), headers=headers)
    assert command_of(views, answer)["data"]["accessible"] is True
    body = {"ticket_id": SEAT, "seat_ids": [SEAT], "accessible": True}
    answer = buyer.post("/v1/orders", json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
    check_problem(answer, 422, "invalid_request")


def test_a_plan_may_be_large_and_other_bodies_not(buyer: httpx.Client, views: Views) -> None:
    seats = [
        {"row": row, "column": column, "label": f"Row {row} seat {column}"}
        for row in range(1, 101)
        for column in range(1, 201)
    ]
    section = {**PLAN["sections"][0], "row_count": 100, "column_count": 200, "seats": seats}
    body = orjson.dumps(PLAN | {"sections": [section]})
    assert len(body) > 900_000
    json = {"Content-Type": "application/json"}
    asked = command_of(views, buyer.post("/v1/seating-plans", content=body, headers=json))
    assert len(asked["data"]["sections"][0]["seats"]) == 20_000
    check_problem(buyer.post("/v1/venues", content=body, headers=json), 413, "too_large")
    longer = body + b" " * 4 * 1024 * 1024
    answer = buyer.post("/v1/seating-plans", content=longer, headers=json)
    check_problem(answer, 413, "too_large")


def test_a_repeated_key_is_the_same_plan(buyer: httpx.Client, views: Views) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first = buyer.post("/v1/seating-plans", json=PLAN, headers=headers)
    plan_id = str(uuid.uuid4())
    finish(views, first.json()["id"], result={"plan_id": plan_id, "version": 1})
    again = buyer.post("/v1/seating-plans", json=PLAN, headers=headers)
    assert (again.status_code, again.json()["result"]["plan_id"]) == (200, plan_id)
    other = buyer.post("/v1/seating-plans", json=PLAN | {"name": "Other"}, headers=headers)
    check_problem(other, 422, "idempotency_mismatch")


def test_what_is_wrong_is_told_where(buyer: httpx.Client) -> None:
    section = {**PLAN["sections"][0], "seats": [{"row": 9, "column": 1, "colour": "red"}]}
    answer = buyer.post("/v1/seating-plans", json=PLAN | {"sections": [section]})
    problem = check_problem(answer, 422, "invalid_request")
    assert [each["pointer"] for each in problem["errors"]] == ["/sections/0/seats/0/colour"]


def test_the_seating_calls_need_a_token(client: httpx.Client) -> None:
    for path in ("/v1/venues", "/v1/seating-plans", f"/v1/seating-plans/{SEAT}/holds"):
        check_problem(client.post(path, json={}), 401, "unauthenticated")
    check_problem(client.get("/v1/venues"), 401, "unauthenticated")


def test_a_venue_is_shown_to_its_organizer(
    buyer: httpx.Client, user: uuid.UUID, views: Views
) -> None:
    sections = [
        {"section_id": str(uuid.uuid4()), "name": name, "type": "seated", "row_count": 1,
         "column_count": 2, "position_json": None, "display_order": at}
        for name, at in (("Balcony", 2), ("Stalls", 1))
    ]  # fmt: skip
    mine = [add_venue(views, organizer_id=user, sections=sections) for _ in range(3)]
    foreign = add_venue(views)
    shown = buyer.get(f"/v1/venues/{mine[0]['venue_id']}").json()
    assert shown["timezone"] == "Europe/Berlin"
    assert [each["name"] for each in shown["sections"]] == ["Stalls", "Balcony"]
    assert shown["sections"][0]["id"] == sections[1]["section_id"]
    check_problem(buyer.get(f"/v1/venues/{foreign['venue_id']}"), 404, "not_found")
    first = buyer.get("/v1/venues", params={"limit": 2}).json()
    rest = buyer.get("/v1/venues", params={"cursor": first["next_cursor"]}).json()
    listed = [each["id"] for each in (*first["items"], *rest["items"])]
    assert sorted(listed) == sorted(str(each["venue_id"]) for each in mine)
