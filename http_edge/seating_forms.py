"""The shapes of what clients send about venues, seating plans and seats."""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from http_edge.fields import (
    Amount,
    Flag,
    FreeForm,
    Id,
    Number,
    Several,
    Text,
    Timezone,
    Whole,
    one_of,
)
from http_edge.forms import MOST_SEATS, VERSIONS, Form, Page

MOST_BLOCKED = 1_000
"""Seats in one request of an organizer: its command must fit in a message."""
MOST_OF_A_PLAN = 50_000
_MOST_SECTIONS, _MOST_TIERS = 500, 100
_CAPACITY = (1, 1_000_000)
_COUNT = (0, 1_000)
_PER_ORDER = (1, 100)
_HOLD_TTL_SEC = (5, 3_600)
_ORDER = (0, 1_000_000)
_LAYOUT_BYTES = 256 * 1024
_LAYOUT_DEPTH = 16
_POSITION_BYTES = 4 * 1024
_ATTRIBUTES_BYTES = 1_024
_KNOWN_ATTRIBUTES = ("accessible", "companion", "restricted_view")
_MISSING = "Missing data for required field."
_TYPE = one_of("seated", "ga")


class VenuePage(Page):
    """Which of my venues."""

    LISTING = "venues"


class NewVenue(Form):
    """A venue to make."""

    name = Text(required=True)
    capacity = Whole(*_CAPACITY, required=True)
    timezone = Timezone(required=True)
    address = Text(500, required=True)


class VenueEdit(Form):
    """What is to change of a venue."""

    name = Text()
    capacity = Whole(*_CAPACITY)
    timezone = Timezone()
    address = Text(500)


class SectionEdit(Form):
    """What is to change of a section."""

    name = Text()
    type = _TYPE()
    row_count = Whole(*_COUNT)
    column_count = Whole(*_COUNT)
    position_json = FreeForm(most_bytes=_POSITION_BYTES)
    display_order = Whole(*_ORDER)


class NewSection(SectionEdit):
    """A section to add to a venue."""

    name = Text(required=True)
    type = _TYPE(required=True)

    @validates_schema(skip_on_field_errors=True)
    def check_size(self, data: dict[str, Any], **_: object) -> None:
        """Seats stand in rows and columns."""
        if faults := _size_faults(data):
            raise ValidationError(faults)


class OrganizerSettings(Form):
    """An organizer's settings."""

    hold_ttl_sec = Whole(*_HOLD_TTL_SEC, required=True)


class SeatOverride(Form):
    """What is special about one place of a section; rows and columns count from 1."""

    row = Whole(1, 1_000, required=True)
    column = Whole(1, 1_000, required=True)
    label = Text(50)
    missing = Flag()
    price_tier = Text(50)
    attributes = FreeForm(most_bytes=_ATTRIBUTES_BYTES)

    @validates_schema(skip_on_field_errors=True)
    def check_attributes(self, data: dict[str, Any], **_: object) -> None:
        """The attributes that mean something are true or false."""
        attributes = data.get("attributes", {})
        wrong = {
            name: "Not true or false."
            for name in _KNOWN_ATTRIBUTES
            if not isinstance(attributes.get(name, False), bool)
        }
        if wrong:
            raise ValidationError({"attributes": wrong})


class PlanSection(SectionEdit):
    """A section of a plan: cloned from the venue's, or the plan's own."""

    venue_section_id = Id()
    name = Text()
    capacity = Whole(*_CAPACITY)
    price_tier = Text(50)
    seats = Several(fields.Nested(SeatOverride), most=MOST_OF_A_PLAN)

    class Meta(Form.Meta):
        """The order of sections is the order in which they are listed."""

        exclude = ("display_order",)

    @validates_schema(skip_on_field_errors=True)
    def check_own(self, data: dict[str, Any], **_: object) -> None:
        """A section of the plan's own says all that a cloned one has already."""
        if "venue_section_id" in data:
            return
        faults = {name: _MISSING for name in ("name", "type") if name not in data}
        if data.get("type") == "ga" and "capacity" not in data:
            faults["capacity"] = _MISSING
        if faults := faults or _size_faults(data):
            raise ValidationError(faults)

    @validates_schema(skip_on_field_errors=True)
    def check_places(self, data: dict[str, Any], **_: object) -> None:
        """Each place is told of once, and is a place of the section."""
        rows, columns = data.get("row_count", 1_000), data.get("column_count", 1_000)
        told: set[tuple[int, int]] = set()
        faults: dict[int, str] = {}
        for index, seat in enumerate(data.get("seats", ())):
            place = (seat["row"], seat["column"])
            if place in told:
                faults[index] = "This place was told of before."
            elif place[0] > rows or place[1] > columns:
                faults[index] = "The section has no such place."
            told.add(place)
        if faults:
            raise ValidationError({"seats": faults})


class PriceTier(Form):
    """A price level; its price is in the ticket's currency."""

    name = Text(50, required=True)
    price = Amount(required=True)


class FocalPoint(Form):
    """The place that the best seats are nearest to."""

    x = Number(required=True)
    y = Number(required=True)


class _Plan(Form):
    """A plan's shape, whatever of it is told."""

    venue_id = Id()
    ticket_id = Id()
    name = Text()
    assignment_mode = one_of("manual", "auto")()
    pricing_mode = one_of("single", "section", "seat")()
    max_seats_per_order = Whole(*_PER_ORDER)
    price_tiers = Several(fields.Nested(PriceTier), most=_MOST_TIERS)
    sections = Several(fields.Nested(PlanSection), least=1, most=_MOST_SECTIONS)
    focal_point = fields.Nested(FocalPoint)
    prevent_orphans = Flag()
    layout_json = FreeForm(most_bytes=_LAYOUT_BYTES, depth=_LAYOUT_DEPTH)

    @validates_schema(skip_on_field_errors=True)
    def check_tiers(self, data: dict[str, Any], **_: object) -> None:
        """A tier's name names one tier."""
        names: set[str] = set()
        faults = {}
        for index, tier in enumerate(data.get("price_tiers", ())):
            if tier["name"] in names:
                faults[index] = {"name": "Another tier has this name."}
            names.add(tier["name"])
        if faults:
            raise ValidationError({"price_tiers": faults})

    @validates_schema(skip_on_field_errors=True)
    def check_size(self, data: dict[str, Any], **_: object) -> None:
        """A plan has so many seats and no more."""
        if sum(map(_seats_in, data.get("sections", ()))) > MOST_OF_A_PLAN:
            msg = f"More than {MOST_OF_A_PLAN} seats."
            raise ValidationError(msg, "sections")


class NewPlan(_Plan):
    """A seating plan to make."""

    venue_id = Id(required=True)
    ticket_id = Id(required=True)
    name = Text(required=True)
    assignment_mode = one_of("manual", "auto")(required=True)
    pricing_mode = one_of("single", "section", "seat")(required=True)
    sections = Several(fields.Nested(PlanSection), least=1, most=_MOST_SECTIONS, required=True)

    @validates_schema(skip_on_field_errors=True)
    def check_prices(self, data: dict[str, Any], **_: object) -> None:
        """What is priced by tiers has some, and names those that there are."""
        if data["pricing_mode"] != "single" and not data.get("price_tiers"):
            raise ValidationError(_MISSING, "price_tiers")
        names = {tier["name"] for tier in data.get("price_tiers", ())}
        if faults := _unknown_tiers(data["sections"], names):
            raise ValidationError({"sections": faults})


class PlanEdit(_Plan):
    """What is to change of a plan; `version` is the one that was read."""

    version = Whole(*VERSIONS, required=True)


class PickedSeats(Form):
    """Seats, each once."""

    seat_ids = Several(Id(), least=1, most=MOST_SEATS, required=True)

    @validates_schema(skip_on_field_errors=True)
    def check_seats(self, data: dict[str, Any], **_: object) -> None:
        """None twice."""
        seats = data.get("seat_ids", ())
        if len(set(seats)) != len(seats):
            msg = "A seat appears twice."
            raise ValidationError(msg, "seat_ids")


class BlockedSeats(PickedSeats):
    """Seats that are to be on sale or not."""

    seat_ids = Several(Id(), least=1, most=MOST_BLOCKED, required=True)


class GivenBackSeats(PickedSeats):
    """Seats to give back; all that are mine when none are named."""

    seat_ids = Several(Id(), least=1, most=MOST_SEATS)


def _size_faults(section: Mapping[str, Any]) -> dict[str, str]:
    """Say which dimension of a section with seats is missing or nothing."""
    if section.get("type") != "seated":
        return {}
    return {
        name: "A section with seats has at least one."
        for name in ("row_count", "column_count")
        if not section.get(name)
    }


def _seats_in(section: Mapping[str, Any]) -> int:
    """Count the seats of a section whose size is told here."""
    missing = sum(bool(seat.get("missing")) for seat in section.get("seats", ()))
    places: int = section.get("row_count", 0) * section.get("column_count", 0)
    return max(places - missing, 0)


def _unknown_tiers(sections: Iterable[Mapping[str, Any]], names: set[str]) -> dict[int, Any]:
    """Say where a tier is named that there is not, section by section, seat by seat."""
    no_such, known = "There is no such tier.", {None, *names}
    faults: dict[int, Any] = {}
    for index, section in enumerate(sections):
        wrong: dict[str, Any] = {}
        if section.get("price_tier") not in known:
            wrong["price_tier"] = no_such
        seats = {
            at: {"price_tier": no_such}
            for at, seat in enumerate(section.get("seats", ()))
            if seat.get("price_tier") not in known
        }
        if seats:
            wrong["seats"] = seats
        if wrong:
            faults[index] = wrong
    return faults
