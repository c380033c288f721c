"""Venues, their sections and organizers' settings, on the real store."""

from uuid import UUID, uuid4

import pytest

from bus.stores.postgres import Connection
from schemas.venue import (
    AddSection,
    ChangeSettings,
    CreateVenue,
    EditSection,
    EditVenue,
    RemoveSection,
    SectionChanged,
    SettingsChanged,
    SettingsRefused,
    VenueCreated,
    VenueEdited,
    VenueRefused,
)
from tests.driven import Driven, message_of, postgres

Venues = Driven[Connection]
ORGANIZER = uuid4()


@pytest.fixture
def venue_id(venues: Venues) -> UUID:
    """A venue of ours."""
    return venues.told(_create(), user_id=ORGANIZER).one(VenueCreated).venue_id


def _create(**other: object) -> CreateVenue:
    told = {"name": "Hall", "capacity": 2000, "timezone": "Europe/Vienna", "address": "Street 1"}
    return CreateVenue(**told | other)  # type: ignore[arg-type]  # The command's fields.


def _add(venue_id: UUID, **other: object) -> AddSection:
    told = {"name": "Stalls", "type": "seated", "row_count": 10, "column_count": 20}
    return AddSection(venue_id=venue_id, **told | other)  # type: ignore[arg-type]


def test_a_venue_belongs_to_whoever_made_it(venues: Venues, venue_id: UUID) -> None:
    edit = EditVenue(venue_id=venue_id, name="Old Hall")
    said = venues.told(edit, user_id=ORGANIZER).one(VenueEdited)
    assert (said.name, said.capacity, said.revision) == ("Old Hall", 2000, 2)
    assert venues.told(edit, user_id=uuid4()).one(VenueRefused).code == "forbidden"
    assert venues.told(_create()).one(VenueRefused).code == "forbidden"
    gone = EditVenue(venue_id=uuid4(), name="x")
    assert venues.told(gone, user_id=ORGANIZER).one(VenueRefused).code == "not_found"


def test_a_message_that_comes_twice_makes_one_venue(venues: Venues) -> None:
    organizer = uuid4()
    create = message_of(_create(), user_id=organizer)
    assert len(venues.hear(create, create).types) == 1
    assert not venues.hear(create).types
    found = postgres("venue").db.execute(
        "SELECT count(*) AS n FROM venues WHERE organizer_id = %s", [organizer]
    )
    assert found.fetchone() == {"n": 1}


def test_sections_are_added_changed_and_removed(venues: Venues, venue_id: UUID) -> None:
    first = venues.told(_add(venue_id, display_order=2), user_id=ORGANIZER).one(SectionChanged)
    ga = _add(venue_id, name="Floor", type="ga", row_count=0, column_count=0, display_order=1)
    second = venues.told(ga, user_id=ORGANIZER).one(SectionChanged)
    assert [each.name for each in second.sections] == ["Floor", "Stalls"]
    change = EditSection(venue_id=venue_id, section_id=first.section_id, column_count=30)
    changed = venues.told(change, user_id=ORGANIZER).one(SectionChanged)
    assert [each.column_count for each in changed.sections] == [0, 30]
    remove = RemoveSection(venue_id=venue_id, section_id=second.section_id)
    left = venues.told(remove, user_id=ORGANIZER).one(SectionChanged)
    assert [each.name for each in left.sections] == ["Stalls"]
    assert venues.told(remove, user_id=ORGANIZER).one(VenueRefused).code == "not_found"


def test_a_position_may_be_empty(venues: Venues, venue_id: UUID) -> None:
    added = venues.told(_add(venue_id, position_json={}), user_id=ORGANIZER).one(SectionChanged)
    assert [each.position_json for each in added.sections] == [{}]


def test_what_makes_no_sense_is_refused(venues: Venues, venue_id: UUID) -> None:
    for wrong in (
        _create(capacity=0),
        _create(timezone="Mars/Base"),
        _create(timezone="../etc"),
        _create(address="x" * 1001),
        _add(venue_id, row_count=400, column_count=300),
        _add(venue_id, row_count=0),
        _add(venue_id, row_count=-1),
        _add(venue_id, position_json={"x": "y" * 5000}),
        EditVenue(venue_id=venue_id, capacity=-1),
    ):
        said = venues.told(wrong, user_id=ORGANIZER)
        refused = said.one(VenueRefused)
        assert (refused.code, bool(refused.detail)) == ("invalid_request", True)
    rows = postgres("venue").db.execute(
        "SELECT revision, (SELECT count(*) FROM venue_sections WHERE venue_id = v.id) AS sections"
        " FROM venues v WHERE v.id = %s",
        [venue_id],
    )
    assert rows.fetchone() == {"revision": 1, "sections": 0}


@pytest.mark.parametrize(("ttl", "refused"), [(5, False), (3600, False), (4, True), (3601, True)])
def test_a_hold_lasts_between_five_seconds_and_an_hour(
    venues: Venues, ttl: int, *, refused: bool
) -> None:
    organizer = uuid4()
    change = ChangeSettings(hold_ttl_sec=ttl)
    said = venues.told(change, user_id=organizer)
    if refused:
        assert said.one(SettingsRefused).code == "invalid_request"
        return
    assert said.one(SettingsChanged).revision == 1
    assert venues.told(change, user_id=organizer).one(SettingsChanged).revision == 2
