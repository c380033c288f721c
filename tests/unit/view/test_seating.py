"""Venues, plans and seats in the views: rows, maps, and the ends of operations."""

from typing import Any
from uuid import uuid4

import pytest

from schemas.message import Message
from schemas.problems import PROBLEMS
from schemas.ticket import RequestPlan, TicketClosed, TicketOnSale
from schemas.venue import (
    ActivatePlan,
    BlockSeats,
    ChangeSettings,
    CreatePlan,
    CreateVenue,
    DeactivatePlan,
    EditPlan,
    FreeSeats,
    HoldSeats,
    PlanActivated,
    PlanCreated,
    PlanDeactivated,
    PlanEdited,
    PlanRefused,
    PlanRestated,
    RemoveSection,
    SeatsRefused,
    SectionChanged,
    SettingsChanged,
    VenueCreated,
    VenueState,
)
from tests.unit.view.halls import Hall
from tests.unit.view.samples import NOW, Sale, ticket
from workers.view.handlers import aggregate_of
from workers.view.maps import Maps
from workers.view.operations import end_of, may_end
from workers.view.projections import PLANS, RELEASES, RESERVATIONS, SETTINGS, VENUES, projected

HALL, SALE = Hall(), Sale()
PLAN = {"plan_id": str(HALL.plan_id)}
SETTINGS_TOLD = SettingsChanged(organizer_id=uuid4(), hold_ttl_sec=60, revision=1)


def venue(said: type[VenueState], **other: Any) -> VenueState:  # noqa: ANN401
    fields: dict[str, Any] = {
        "venue_id": HALL.plan_id,
        "organizer_id": HALL.organizer_id,
        "name": "Hall",
        "capacity": 300,
        "timezone": "Europe/Berlin",
        "address": "1 Road",
        "sections": [],
        "revision": 1,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return said(**(fields | other))


def test_the_columns_are_what_the_events_carry() -> None:
    for table, said in (
        (VENUES, venue(SectionChanged, section_id=uuid4())),
        (SETTINGS, SETTINGS_TOLD),
        (PLANS, HALL.plan(PlanCreated)),
        (PLANS, HALL.plan(PlanActivated)),
        (RESERVATIONS, HALL.reserved(SALE, HALL.seats)),
        (RELEASES, HALL.released(SALE, HALL.seats, 2)),
    ):
        row = projected(said)
        assert row is not None
        assert row[0] is table
        assert set(table.columns) == set(row[1])


def test_who_has_given_stock_back_is_told_apart() -> None:
    rows = [projected(SALE.released(2)), projected(HALL.released(SALE, HALL.seats, 2))]
    assert [row and row[1]["service"] for row in rows] == ["ticket", "venue"]


def test_the_newest_of_a_batch_is_kept() -> None:
    maps, seat = Maps(), HALL.seats[0]
    for said in (
        HALL.freed([seat], 3),
        HALL.held([seat], 2),
        HALL.reserved(SALE, [], 2, taken=5),
        HALL.reserved(SALE, [], 1, taken=4),
        HALL.plan(PlanEdited, 2),
        HALL.plan(PlanCreated, 1),
        venue(VenueCreated),
    ):
        maps.hear(said)
    assert maps.seats[seat][1].status == "AVAILABLE"
    assert maps.areas[HALL.floor][1].reserved == 5
    assert maps.layouts[HALL.plan_id].version == 2
    assert not maps.laid().new


def test_a_plan_that_was_just_made_is_new_and_one_that_is_told_again_is_not() -> None:
    for said, new in ((PlanCreated, True), (PlanRestated, False)):
        maps = Maps()
        maps.hear(HALL.plan(said))
        assert maps.laid().new == new


def test_a_release_of_what_was_never_taken_is_about_no_plan() -> None:
    maps = Maps()
    said = HALL.released(SALE, [], 1)
    maps.hear(type(said).of(said, plan_id=None))
    assert not maps.seats


def test_nobody_waits_for_a_hot_plan() -> None:
    one, other = (aggregate_of(HALL.held([seat])) for seat in HALL.seats[:2])
    assert one != other
    assert aggregate_of(HALL.reserved(SALE, HALL.seats)) == str(SALE.order_id)


OWN_EVENTS: list[tuple[type[Message], Message, dict[str, Any]]] = [
    (CreateVenue, venue(VenueCreated), {"venue_id": str(HALL.plan_id)}),
    (
        RemoveSection,
        venue(SectionChanged, section_id=HALL.stalls),
        {"venue_id": str(HALL.plan_id), "section_id": str(HALL.stalls)},
    ),
    (ChangeSettings, SETTINGS_TOLD, {"hold_ttl_sec": 60}),
    (RequestPlan, HALL.plan(PlanCreated), PLAN | {"version": 1}),
    (EditPlan, HALL.plan(PlanEdited, 2), PLAN | {"version": 2}),
    (
        HoldSeats,
        HALL.held(HALL.seats[:1]),
        PLAN | {"held": [str(HALL.seats[0])], "hold_expires_at": "2026-11-22T10:10:00Z"},
    ),
    (FreeSeats, HALL.freed(HALL.seats[:1], 2), PLAN | {"seat_ids": [str(HALL.seats[0])]}),
]


@pytest.mark.parametrize(("command", "event", "result"), OWN_EVENTS)
def test_most_end_with_their_own_event(
    command: type[Message], event: Message, result: dict[str, Any]
) -> None:
    end = end_of(command.TYPE, [event], None)
    assert end is not None
    assert (end.status, end.result) == ("succeeded", result)
    assert may_end(event)
    assert end_of(BlockSeats.TYPE, [event], None) is None


@pytest.mark.parametrize(
    ("command", "plan", "ticket_said"),
    [
        (ActivatePlan, PlanActivated, TicketOnSale),
        (DeactivatePlan, PlanDeactivated, TicketClosed),
    ],
)
def test_a_plan_moves_together_with_its_ticket(
    command: type[Message], plan: type[PlanActivated], ticket_said: type[TicketOnSale]
) -> None:
    moved = HALL.plan(plan)
    followed = ticket(ticket_said, HALL.ticket_id, 2, seating_plan_id=HALL.plan_id)
    result = PLAN | {"ticket_id": str(HALL.ticket_id)}
    assert end_of(command.TYPE, [moved], None, [plan.TYPE]) is None
    assert end_of(command.TYPE, [], None, [plan.TYPE, ticket_said.TYPE]) is None
    for now, steps in (
        ([moved, followed], []),
        ([followed], [plan.TYPE]),
        ([moved], [ticket_said.TYPE]),
    ):
        end = end_of(command.TYPE, now, None, [*steps, *(each.TYPE for each in now)])
        assert end is not None
        assert end.result == result


def test_a_plan_is_refused_by_either_who_looks_at_it() -> None:
    for command in (RequestPlan, CreatePlan):
        refused = PlanRefused(
            plan_id=None, command=command.TYPE, code="plan_incomplete", detail="No seats."
        )
        end = end_of(RequestPlan.TYPE, [refused], None)
        assert end is not None
        assert end.error is not None
        assert (end.error["status"], end.error["detail"]) == (409, "No seats.")


def test_a_refusal_names_the_seats_that_are_taken() -> None:
    refused = SeatsRefused(
        plan_id=HALL.plan_id,
        order_id=None,
        order_version=None,
        command=HoldSeats.TYPE,
        code="seats_unavailable",
        detail="",
        seat_ids=HALL.seats[:2],
    )
    end = end_of(HoldSeats.TYPE, [refused], None)
    assert end is not None
    assert end.error is not None
    assert end.error["title"] == PROBLEMS["seats_unavailable"].title
    assert end.error["seat_ids"] == [str(each) for each in HALL.seats[:2]]
