"""Shapes of venues, plans and seats: what loads fits a message, what does not is told where."""

from typing import Any
from uuid import uuid4

import pytest
from marshmallow import Schema, ValidationError

from bus.envelope import decode, encode, envelope_of
from http_edge import seating_forms as forms
from http_edge.plans import request_of
from http_edge.pointers import faults_of
from schemas.ticket import SectionSpec

SEAT_ID = str(uuid4())
ROWS: dict[str, Any] = {"name": "Stalls", "type": "seated", "row_count": 2, "column_count": 3}
STANDING: dict[str, Any] = {"name": "Floor", "type": "ga", "capacity": 500}
CLONED: dict[str, Any] = {"venue_section_id": str(uuid4())}
PLAN: dict[str, Any] = {
    "venue_id": str(uuid4()),
    "ticket_id": str(uuid4()),
    "name": "Arena",
    "assignment_mode": "manual",
    "pricing_mode": "seat",
    "price_tiers": [{"name": "A", "price": "40.00"}, {"name": "B", "price": "20"}],
    "sections": [
        {
            **ROWS,
            "price_tier": "A",
            "position_json": {"x": 1.5},
            "seats": [
                {"row": 1, "column": 1, "label": "AA 12", "price_tier": "B"},
                {"row": 2, "column": 3, "missing": True},
                {"row": 2, "column": 2, "attributes": {"accessible": True, "note": "aisle"}},
            ],
        },
        STANDING,
        CLONED,
    ],
    "focal_point": {"x": 1, "y": -0.5},
    "prevent_orphans": True,
    "layout_json": {"objects": [{"kind": "stage"}]},
}


def pointers(form: Schema, body: dict[str, Any]) -> list[str]:
    """Return where the faults are."""
    with pytest.raises(ValidationError) as caught:
        form.load(body)
    return [fault.pointer for fault in faults_of(caught.value)]


def plan(**other: object) -> dict[str, Any]:
    return {**PLAN, **other}


def section(**other: object) -> dict[str, Any]:
    return plan(sections=[{**ROWS, **other}])


def test_a_plan_becomes_a_command() -> None:
    command = request_of(forms.NewPlan().load(PLAN))
    read = decode(encode(envelope_of(command, source="/test"))).data
    assert read == command
    stalls, floor, cloned = command.sections
    assert [each.label for each in stalls.seats] == ["AA 12", None, None]
    assert (floor.capacity, floor.row_count) == (500, None)
    assert cloned == SectionSpec(venue_section_id=cloned.venue_section_id)
    assert command.max_seats_per_order == 10


def test_a_plan_of_one_price_needs_no_tiers() -> None:
    body = plan(pricing_mode="single", sections=[ROWS])
    del body["price_tiers"]
    assert request_of(forms.NewPlan().load(body)).price_tiers == []


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (plan(sections=[]), "/sections"),
        (plan(price_tiers=[]), "/price_tiers"),
        (plan(price_tiers=[{"name": "A", "price": 1}]), "/price_tiers/0/price"),
        (plan(price_tiers=[*PLAN["price_tiers"], PLAN["price_tiers"][0]]), "/price_tiers/2/name"),
        (plan(max_seats_per_order=0), "/max_seats_per_order"),
        (plan(focal_point={"x": 1}), "/focal_point/y"),
        (plan(focal_point={"x": True, "y": 1}), "/focal_point/x"),
        (plan(prevent_orphans="yes"), "/prevent_orphans"),
        (plan(layout_json={"x": "y" * 300_000}), "/layout_json"),
        (plan(colour="red"), "/colour"),
        (section(name=None), "/sections/0/name"),
        (section(price_tier="C"), "/sections/0/price_tier"),
        (section(row_count=0), "/sections/0/row_count"),
        (section(row_count=1_001), "/sections/0/row_count"),
        (section(display_order=1), "/sections/0/display_order"),
        (plan(sections=[{"name": "Floor", "type": "ga"}]), "/sections/0/capacity"),
        (plan(sections=[{"row_count": 1, "column_count": 1}]), "/sections/0/name"),
        (section(seats=[{"row": 3, "column": 1}]), "/sections/0/seats/0"),
        (section(seats=[{"row": 1, "column": 1}] * 2), "/sections/0/seats/1"),
        (section(seats=[{"row": 1}]), "/sections/0/seats/0/column"),
        (section(seats=[{"row": 1, "column": 1, "price_tier": "C"}]),
         "/sections/0/seats/0/price_tier"),
        (section(seats=[{"row": 1, "column": 1, "attributes": {"accessible": "yes"}}]),
         "/sections/0/seats/0/attributes/accessible"),
        (plan(sections=[{**ROWS, "row_count": 1_000, "column_count": 51}]), "/sections"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_plan_is_told_where(body: dict[str, Any], where: str) -> None:
    assert where in pointers(forms.NewPlan(), body)


def test_a_plan_may_have_fifty_thousand_seats() -> None:
    big = {**ROWS, "row_count": 250, "column_count": 201, "seats": [
        {"row": row, "column": 201, "missing": True} for row in range(1, 251)
    ]}  # fmt: skip
    assert forms.NewPlan().load(plan(sections=[big]))


def test_an_edit_of_a_plan_tells_the_version_and_what_it_likes() -> None:
    assert forms.PlanEdit().load({"version": 3, "name": "Hall"}) == {"version": 3, "name": "Hall"}
    assert pointers(forms.PlanEdit(), {"name": "Hall"}) == ["/version"]


@pytest.mark.parametrize(
    ("form", "body", "where"),
    [
        (forms.PickedSeats(), {}, ["/seat_ids"]),
        (forms.PickedSeats(), {"seat_ids": []}, ["/seat_ids"]),
        (forms.PickedSeats(), {"seat_ids": [SEAT_ID, SEAT_ID.upper()]}, ["/seat_ids"]),
        (forms.PickedSeats(), {"seat_ids": [SEAT_ID, "x"]}, ["/seat_ids/1"]),
        (forms.PickedSeats(), {"seat_ids": [str(uuid4()) for _ in range(201)]}, ["/seat_ids"]),
        (forms.GivenBackSeats(), {"seat_ids": []}, ["/seat_ids"]),
        (forms.OrganizerSettings(), {"hold_ttl_sec": 4}, ["/hold_ttl_sec"]),
        (forms.OrganizerSettings(), {"hold_ttl_sec": 3_601}, ["/hold_ttl_sec"]),
        (forms.NewVenue(), {"name": "Hall", "capacity": 1, "timezone": "Mars/Base",
                            "address": "1 Road"}, ["/timezone"]),
        (forms.NewVenue(), {"name": " ", "capacity": 0, "timezone": "Europe"},
         ["/address", "/capacity", "/name", "/timezone"]),
        (forms.NewSection(), {"name": "A", "type": "seated", "row_count": 1}, ["/column_count"]),
        (forms.NewSection(), {"name": "A", "type": "standing"}, ["/type"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where(form: Schema, body: dict[str, Any], where: list[str]) -> None:
    assert sorted(pointers(form, body)) == where


def test_what_is_right_loads() -> None:
    assert forms.GivenBackSeats().load({}) == {}
    assert len(forms.BlockedSeats().load({"seat_ids": [str(uuid4()) for _ in range(900)]})) == 1
    assert forms.NewSection().load(
        {"name": "A", "type": "ga", "position_json": {"x": 1}, "display_order": 2}
    )
    assert forms.NewVenue().load(
        {"name": "Hall", "capacity": 100, "timezone": "Europe/Berlin", "address": "1 Road"}
    )
