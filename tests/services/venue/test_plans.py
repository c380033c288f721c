"""Plans: made, edited around what people have, put on sale and taken off it."""

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from bus import pace
from schemas.message import schema_of
from schemas.ticket import (
    SectionSpec,
    TicketCancelled,
    TicketEdited,
    TierSpec,
)
from schemas.venue import (
    ActivatePlan,
    AddSection,
    BlockSeats,
    DeactivatePlan,
    EditPlan,
    PlanActivated,
    PlanCreated,
    PlanDeactivated,
    PlanEdited,
    PlanRefused,
    PlanRestated,
    RepublishVenues,
    SeatsBlocked,
    SeatsRefused,
    SeatsRestated,
    SeatsUnblocked,
    SectionChanged,
    SettingsChanged,
    UnblockSeats,
    VenueRestated,
)
from tests.driven import Said, message_of, postgres
from tests.services.venue.selling import Asking, Sold, Venues, place, stalls, standing, ticket, tier
from workers.venue import layout_store


def edit(sold: Sold, version: int = 1, **shape: Any) -> Said:  # noqa: ANN401  # As on the wire.
    command = EditPlan(plan_id=sold.plan_id, version=version, shape=shape)
    return sold.venues.told(command, user_id=sold.organizer)


def wired(*sections: SectionSpec) -> list[dict[str, Any]]:
    dumped = [schema_of(SectionSpec).dump(each) for each in sections]
    return [{name: value for name, value in one.items() if value is not None} for one in dumped]


def test_documents_of_the_editors_may_be_empty(venues: Venues) -> None:
    sold = Sold(venues, sections=[stalls(position_json={})], layout_json={})
    layout = postgres("venue").db.execute(
        "SELECT layout_json FROM seating_plans WHERE id = %s", [sold.plan_id]
    )
    assert layout.fetchone() == {"layout_json": {}}


def test_a_plan_is_made_of_sections_of_its_own_and_cloned_ones(venues: Venues) -> None:
    sold = Sold(venues, active=False)
    add = AddSection(
        venue_id=sold.venue_id, name="Balcony", type="seated", row_count=1, column_count=3
    )
    template = venues.told(add, user_id=sold.organizer).one(SectionChanged).section_id
    made = sold.create(
        pricing_mode="seat",
        price_tiers=[tier("A", "30.00"), tier("B", "25.5")],
        sections=[
            stalls(
                1,
                4,
                price_tier="A",
                seats=[
                    place(1, 1, label="AA 12", attributes={"accessible": True, "note": "aisle"}),
                    place(1, 2, missing=True),
                    place(1, 3, price_tier="B"),
                ],
            ),
            SectionSpec(venue_section_id=template),
            standing(7, price_tier="B"),
        ],
    ).one(PlanCreated)
    first, second, third = made.sections
    (row,) = first.rows
    assert [(s.label, s.column, s.price, s.attributes) for s in row.seats] == [
        ("AA 12", 1, Decimal("30.00"), {"accessible": True, "note": "aisle"}),
        ("R1S3", 3, Decimal("25.50"), None),
        ("R1S4", 4, Decimal("30.00"), None),
    ]
    assert (second.name, len(second.rows[0].seats)) == ("Balcony", 3)
    assert {seat.price for seat in second.rows[0].seats} == {Decimal("20.00")}
    assert (third.capacity, third.price, third.rows) == (7, Decimal("25.50"), [])
    assert (made.sellable, made.status, made.version) == (13, "draft", 1)


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"venue_id": uuid4()}, "not_found"),
        ({"organizer_id": uuid4()}, "forbidden"),
        ({"sections": []}, "plan_incomplete"),
        ({"sections": [stalls(1, 1, seats=[place(1, 1, missing=True)])]}, "plan_incomplete"),
        ({"sections": [SectionSpec(venue_section_id=uuid4())]}, "not_found"),
        ({"sections": [SectionSpec(row_count=1, column_count=1)]}, "invalid_request"),
        ({"sections": [stalls(), stalls()]}, "invalid_request"),
        ({"sections": [stalls(price_tier="X")]}, "invalid_request"),
        ({"sections": [stalls(seats=[place(1, 1, price_tier="X")])]}, "invalid_request"),
        ({"sections": [stalls(seats=[place(3, 1)])]}, "invalid_request"),
        ({"sections": [stalls(seats=[place(0, 1)])]}, "invalid_request"),
        ({"sections": [stalls(seats=[place(1, 1), place(1, 1)])]}, "invalid_request"),
        ({"sections": [stalls(seats=[place(1, 1, label="R1S2")])]}, "invalid_request"),
        ({"sections": [stalls(seats=[place(1, 1, attributes={"accessible": 1})])]},
         "invalid_request"),
        ({"sections": [stalls(seats=[place(1, 1, attributes={"x": "y" * 2000})])]},
         "invalid_request"),
        ({"sections": [stalls(300, 100), stalls(300, 100, name="B")]}, "invalid_request"),
        ({"sections": [stalls(position_json={"x": "left", "y": 0})]}, "invalid_request"),
        ({"sections": [standing(0)]}, "invalid_request"),
        ({"sections": [standing(seats=[place(1, 1)])]}, "invalid_request"),
        ({"price_tiers": [tier("A", "1.00"), tier("A", "2.00")]}, "invalid_request"),
        ({"price_tiers": [tier("A", "1.005")]}, "invalid_request"),
        ({"price_tiers": [tier("A", "-1")]}, "invalid_request"),
        ({"max_seats_per_order": 0}, "invalid_request"),
        ({"max_seats_per_order": 101}, "invalid_request"),
        ({"layout_json": {"x": "y" * 300_000}}, "invalid_request"),
        ({"focal_point": {"x": 1}}, "invalid_request"),
        ({"assignment_mode": "auto"}, "invalid_request"),
        ({"ticket_type": "GA"}, "invalid_request"),
    ],
)  # fmt: skip
def test_a_plan_that_makes_no_sense_is_refused_and_leaves_nothing(
    venues: Venues, other: dict[str, Any], code: str
) -> None:
    sold = Sold(venues, active=False)
    ticket_id = uuid4()
    refused = sold.create(ticket_id=ticket_id, **other).one(PlanRefused)
    assert (refused.code, bool(refused.detail), refused.command) == (
        code,
        True,
        "venues.plan.create",
    )
    for table in ("seating_plans WHERE ticket_id = %s", "tickets WHERE id = %s"):
        assert not postgres("venue").db.execute(f"SELECT FROM {table}", [ticket_id]).fetchone()


def test_a_plan_that_is_too_long_to_be_told_is_refused(venues: Venues) -> None:
    note = {"note": "x" * 900}
    special = [place(r, c, attributes=note) for r in range(1, 91) for c in range(1, 51)]
    sold = Sold(venues, active=False)
    # Of what it says of most seats nothing is on the wire before they are made.
    refused = sold.create(sections=[stalls(250, 200, seats=special)]).one(PlanRefused)
    assert (refused.code, "too large" in refused.detail) == ("invalid_request", True)


def test_a_plan_goes_on_sale_off_it_and_on_again(venues: Venues) -> None:
    sold = Sold(venues, active=False)
    on, off = ActivatePlan(plan_id=sold.plan_id), DeactivatePlan(plan_id=sold.plan_id)
    assert venues.told(on, user_id=uuid4()).one(PlanRefused).code == "forbidden"
    assert venues.told(off, user_id=sold.organizer).one(PlanRefused).code == "invalid_request"
    activated = venues.told(on, user_id=sold.organizer).one(PlanActivated)
    assert (activated.sellable, activated.status, activated.revision) == (10, "active", 2)
    assert venues.told(on, user_id=sold.organizer).one(PlanRefused).code == "invalid_request"
    other = sold.create().one(PlanCreated).plan_id
    second = venues.told(ActivatePlan(plan_id=other), user_id=sold.organizer)
    assert "Another plan" in second.one(PlanRefused).detail
    assert venues.told(off, user_id=sold.organizer).one(PlanDeactivated).status == "inactive"
    assert sold.hold(uuid4(), 0).one(SeatsRefused).code == "not_on_sale"
    assert Asking(sold, 0).reserve().one(SeatsRefused).code == "not_on_sale"
    assert venues.told(on, user_id=sold.organizer).one(PlanActivated).status == "active"
    unknown = ActivatePlan(plan_id=uuid4())
    assert venues.told(unknown, user_id=sold.organizer).one(PlanRefused).code == "not_found"


def test_two_plans_of_a_ticket_in_one_batch_are_not_both_activated(venues: Venues) -> None:
    sold = Sold(venues, active=False)
    other = sold.create().one(PlanCreated).plan_id
    said = venues.hear(
        *(
            message_of(ActivatePlan(plan_id=plan_id), user_id=sold.organizer)
            for plan_id in (sold.plan_id, other)
        )
    )
    assert said.types == ["venues.plan.activated", "venues.plan.refused"]


def test_a_section_without_a_price_is_not_sold(venues: Venues) -> None:
    sold = Sold(
        venues,
        active=False,
        pricing_mode="section",
        price_tiers=[tier("A", "30.00")],
        sections=[stalls(price_tier="A"), stalls(1, 2, name="Boxes")],
    )
    activate = ActivatePlan(plan_id=sold.plan_id)
    refused = venues.told(activate, user_id=sold.organizer).one(PlanRefused)
    assert (refused.code, "Boxes" in refused.detail) == ("plan_incomplete", True)
    venues.told(BlockSeats(plan_id=sold.plan_id, seat_ids=sold.seats[10:]), user_id=sold.organizer)
    assert venues.told(activate, user_id=sold.organizer).one(PlanActivated).sellable == 10


def test_a_new_plan_is_written_with_rests_and_an_edit_without(
    venues: Venues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buyers of other plans are let through; buyers of this one do not wait for rests."""
    rests: list[float] = []
    monkeypatch.setattr(pace, "time", SimpleNamespace(sleep=rests.append))
    sold = Sold(venues, sections=[stalls(10, 100)])
    assert (len(sold.seats), len(rests)) == (1000, 3)
    edit(sold, sections=wired(stalls(20, 100))).one(PlanEdited)
    assert len(rests) == 3


def test_what_is_offered_is_read_as_it_is_laid_out(venues: Venues) -> None:
    sold = Sold(
        venues,
        active=False,
        pricing_mode="seat",
        price_tiers=[tier("A", "30.00"), tier("B", "20.00"), tier("C", "10.00")],
        sections=[
            stalls(
                price_tier="A", seats=[place(1, 1, price_tier="B"), place(1, 2, price_tier="C")]
            ),
            stalls(1, 1, name="Boxes", seats=[place(1, 1, price_tier="C")]),
            stalls(1, 2, name="Balcony", seats=[place(1, 1, price_tier="B")]),
            standing(price_tier="C"),
        ],
    )
    blocked = [sold.seats[1], sold.seats[10]]  # The only C of the stalls, and all of the boxes.
    venues.told(BlockSeats(plan_id=sold.plan_id, seat_ids=blocked), user_id=sold.organizer)
    db = postgres("venue").db
    laid = layout_store.sections(db, sold.plan_id)
    offers = layout_store.offers(db, sold.plan_id)
    assert [set(each.seat_tiers) for each in offers] == [{None, "B"}, set(), {None, "B"}, {None}]
    assert [replace(each, seat_tiers=set(each.seat_tiers)) for each in offers] == [
        section.offer for section in laid
    ]


def test_nothing_of_a_cancelled_event_is_sold(venues: Venues) -> None:
    sold = Sold(venues)
    venues.told(ticket(sold, TicketCancelled, 5, status="cancelled"))
    venues.told(ticket(sold, TicketEdited, 4, status="on_sale"))  # Late: it is older.
    assert sold.hold(uuid4(), 0).one(SeatsRefused).code == "event_cancelled"
    assert Asking(sold, 0).reserve().one(SeatsRefused).code == "event_cancelled"
    assert edit(sold, name="x").one(PlanRefused).code == "event_cancelled"
    assert sold.create().one(PlanRefused).code == "event_cancelled"


def test_another_price_of_the_ticket_is_the_plans_too(venues: Venues) -> None:
    sold = Sold(venues)
    before = Asking(sold, 0)
    before.reserve()
    said = venues.told(ticket(sold, TicketEdited, 2, price=Decimal("22.00"))).one(PlanEdited)
    assert (said.version, said.sections[0].rows[0].seats[0].price) == (2, Decimal("22.00"))
    assert not venues.told(ticket(sold, TicketEdited, 3, price=Decimal("22.00"))).types
    rows = postgres("venue").db.execute(
        "SELECT price FROM seat_reservation_items WHERE reservation_id = %s",
        [before.reservation_id],
    )
    assert rows.fetchone() == {"price": Decimal("20.00")}


def test_prices_that_do_not_fit_another_currency_are_none(venues: Venues) -> None:
    tiers = {"pricing_mode": "section", "price_tiers": [tier("A", "30.50")]}
    sold = Sold(venues, active=False, sections=[stalls(price_tier="A")], **tiers)
    venues.told(ticket(sold, TicketEdited, 2, price=Decimal(3000), currency="JPY"))
    activate = ActivatePlan(plan_id=sold.plan_id)
    assert venues.told(activate, user_id=sold.organizer).one(PlanRefused).code == "plan_incomplete"
    edit(sold, 2, price_tiers=[{"name": "A", "price": "4000"}]).one(PlanEdited)
    assert venues.told(activate, user_id=sold.organizer).one(PlanActivated).currency == "JPY"


# Edits.


def test_an_edit_leaves_what_it_does_not_name(venues: Venues) -> None:
    sold = Sold(venues)
    said = edit(sold, name="Night", max_seats_per_order=6, focal_point={"x": 2, "y": 0})
    edited = said.one(PlanEdited)
    assert (edited.name, edited.max_seats_per_order, edited.version) == ("Night", 6, 2)
    assert edited.sections == sold.created.sections
    assert edit(sold, name="Late").one(PlanRefused).code == "version_conflict"
    assert edit(sold, 2, colour="red").one(PlanRefused).code == "invalid_request"
    assert edit(sold, 2, name=7).one(PlanRefused).code == "invalid_request"
    for ticket_id, moved in ((uuid4(), "invalid_request"), (sold.ticket_id, "version_conflict")):
        other = EditPlan(plan_id=sold.plan_id, version=1, shape={}, ticket_id=ticket_id)
        assert venues.told(other, user_id=sold.organizer).one(PlanRefused).code == moved
    stranger = EditPlan(plan_id=sold.plan_id, version=2, shape={"name": "Mine"})
    assert venues.told(stranger, user_id=uuid4()).one(PlanRefused).code == "forbidden"


def test_an_edit_keeps_the_seats_that_stay_with_their_ids_and_statuses(venues: Venues) -> None:
    sold = Sold(venues)
    holder, order = uuid4(), Asking(sold, 2)
    sold.hold(holder, 0)
    order.reserve()
    sold.venues.told(
        BlockSeats(plan_id=sold.plan_id, seat_ids=[sold.seats[1]]), user_id=sold.organizer
    )
    wanted = [stalls(3, 5, seats=[place(2, 1, label="B1"), place(2, 5, missing=True)])]
    said = edit(sold, sections=wired(*wanted, standing(5)))
    edited = said.one(PlanEdited)
    ids = [seat.seat_id for row in edited.sections[0].rows for seat in row.seats]
    assert ids[:9] == sold.seats[:9]
    assert not set(ids[9:]) & set(sold.seats)
    assert edited.sections[0].rows[1].seats[0].label == "B1"
    assert (edited.sellable, said.one(SeatsUnblocked).sellable) == (18, 18)
    assert sold.statuses() == "HBR" + "A" * 11
    # What was read of the hall before is not believed any more.
    assert len(Asking(sold).reserve(section_id=edited.sections[0].section_id).envelopes) == 1
    assert order.tell(order.completed()).types == ["venues.seats.sold"]


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ({"sections": wired(stalls(2, 4))}, "seats_unavailable"),  # Orphaned.
        ({"sections": wired(stalls(name="Parquet"))}, "seats_unavailable"),
        ({"sections": wired(stalls(seats=[place(1, 5, label="X")]))}, "seats_unavailable"),
        ({"sections": wired(stalls(seats=[place(1, 5, missing=True)]))}, "seats_unavailable"),
        ({"sections": wired(stalls(price_tier="B"))}, "seats_unavailable"),  # Another price.
        ({"price_tiers": [{"name": "A", "price": "31.00"}, {"name": "B", "price": "5.00"}]},
         "seats_unavailable"),
        ({"price_tiers": [{"name": "B", "price": "5.00"}]}, "invalid_request"),  # A is in use.
        ({"pricing_mode": "single"}, "seats_unavailable"),
        ({"sections": []}, "plan_incomplete"),
        ({"assignment_mode": "auto"}, "invalid_request"),
        ({"venue_id": str(uuid4())}, "not_found"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("taken", ["held", "reserved", "sold"])
def test_an_edit_neither_orphans_nor_relabels_nor_reprices_what_somebody_has(
    venues: Venues, shape: dict[str, Any], code: str, taken: str
) -> None:
    sold = Sold(
        venues,
        pricing_mode="section",
        price_tiers=[tier("A", "30.00"), tier("B", "5.00")],
        sections=[stalls(price_tier="A")],
    )
    order = Asking(sold, 4)
    if taken == "held":
        sold.hold(uuid4(), 4)
    else:
        order.reserve()
    if taken == "sold":
        order.tell(order.completed())
    before = sold.statuses()
    shape = {"sections": wired(stalls(price_tier="A"))} | shape if "sections" in shape else shape
    if code == "seats_unavailable" and "sections" in shape:
        told = [{"price_tier": "A"} | section for section in shape["sections"]]
        shape = shape | {"sections": told}
    refused = edit(sold, **shape).one(PlanRefused)
    assert refused.code == code
    assert refused.seat_ids == ([sold.seats[4]] if code == "seats_unavailable" else None)
    assert sold.statuses() == before


def test_a_capacity_is_not_taken_below_what_is_sold(venues: Venues) -> None:
    sold = Sold(venues, sections=[standing(10), stalls(1, 1)])
    order = Asking(sold)
    order.reserve(quantity=4, section_id=sold.created.sections[0].section_id)
    order.tell(order.completed())
    for wrong in ([standing(3)], [stalls(1, 1)]):
        refused = edit(sold, sections=wired(*wrong)).one(PlanRefused)
        assert refused.code == "quota_below_sold"
    edited = edit(sold, sections=wired(standing(4), stalls(1, 1))).one(PlanEdited)
    assert (edited.sellable, edited.sections[0].capacity) == (5, 4)


def test_an_edit_of_a_plan_on_sale_leaves_no_seat_without_a_price(venues: Venues) -> None:
    sold = Sold(venues, price_tiers=[tier("A", "30.00")])
    assert edit(sold, pricing_mode="section").one(PlanRefused).code == "plan_incomplete"


def test_a_tier_that_was_renamed_is_another(venues: Venues) -> None:
    sold = Sold(venues, pricing_mode="section", price_tiers=[tier("A", "30.00")],
                sections=[stalls(price_tier="A")])  # fmt: skip
    tiers = [schema_of(TierSpec).dump(tier("Gold", "40.00"))]
    edited = edit(sold, price_tiers=tiers, sections=wired(stalls(price_tier="Gold")))
    said = edited.one(PlanEdited)
    assert [each.name for each in said.price_tiers] == ["Gold"]
    assert {seat.price for seat in said.sections[0].rows[0].seats} == {Decimal("40.00")}


# Blocking.


def test_blocked_seats_are_not_for_sale_and_lower_what_is(venues: Venues) -> None:
    sold = Sold(venues)
    sold.hold(uuid4(), 5)
    block = BlockSeats(plan_id=sold.plan_id, seat_ids=sold.seats[:2])
    assert venues.told(block, user_id=uuid4()).one(SeatsRefused).code == "forbidden"
    said = venues.told(block, user_id=sold.organizer).one(SeatsBlocked)
    assert (said.sellable, said.revision, said.ticket_id) == (8, 3, sold.ticket_id)
    again = venues.told(block, user_id=sold.organizer).one(SeatsBlocked)
    assert (again.sellable, again.seats) == (8, [])
    held = BlockSeats(plan_id=sold.plan_id, seat_ids=sold.seats[4:6])
    refused = venues.told(held, user_id=sold.organizer).one(SeatsRefused)
    assert (refused.code, refused.seat_ids) == ("seats_unavailable", [sold.seats[5]])
    assert sold.hold(uuid4(), 0).one(SeatsRefused).code == "seats_unavailable"
    unblock = UnblockSeats(plan_id=sold.plan_id, seat_ids=sold.seats[:6])
    freed = venues.told(unblock, user_id=sold.organizer).one(SeatsUnblocked)
    assert (freed.sellable, len(freed.seats)) == (10, 2)
    assert sold.statuses() == "AAAAAHAAAA"


def test_everything_is_said_again_page_by_page(venues: Venues) -> None:
    sold = Sold(venues, sections=[stalls(), standing()])
    sold.hold(uuid4(), 3)

    def before(this: UUID) -> UUID:
        return UUID(int=this.int - 1)

    houses = venues.told(RepublishVenues(after=f"venue:{before(sold.venue_id)}"))
    assert houses.one(VenueRestated).organizer_id == sold.organizer
    assert houses.one(RepublishVenues).after == f"settings:{UUID(int=0)}"
    sold.ttl(77)
    kept = venues.told(RepublishVenues(after=f"settings:{before(sold.organizer)}"))
    assert kept.envelopes[0].data == SettingsChanged(
        organizer_id=sold.organizer, hold_ttl_sec=77, revision=1
    )
    plan = venues.told(RepublishVenues(after=f"plan:{before(sold.plan_id)}"))
    assert plan.one(PlanRestated).sections == sold.created.sections
    assert [each.status for each in plan.one(SeatsRestated).seats][3] == "HELD"
    assert [each.capacity for each in plan.one(SeatsRestated).areas] == [10]
    last = plan.one(RepublishVenues)
    assert last.after == f"plan:{sold.plan_id}"
    assert not venues.told(last).types
    assert len(venues.told(RepublishVenues()).types) > 1
