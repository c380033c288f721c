"""What is answered about venues, seating plans and seats, for the API document."""

from marshmallow import Schema, fields

from http_edge.fields import Amount, Currency, Flag, FreeForm, Id, Number, Time, Whole, one_of

_COUNT = (0, 2_147_483_647)


class VenueSectionShape(Schema):
    """A section that seating plans can be made from."""

    id = Id(required=True)
    name = fields.String(required=True)
    type = one_of("seated", "ga")(required=True)
    row_count = Whole(*_COUNT, required=True)
    column_count = Whole(*_COUNT, required=True)
    position_json = FreeForm(required=True, allow_none=True)
    display_order = Whole(*_COUNT, required=True)


class Venue(Schema):
    """A venue."""

    id = Id(required=True)
    name = fields.String(required=True)
    capacity = Whole(*_COUNT, required=True)
    timezone = fields.String(required=True)
    address = fields.String(required=True)
    sections = fields.List(fields.Nested(VenueSectionShape), required=True)
    created_at = Time(required=True)


class VenueList(Schema):
    """A page of my venues, newest first."""

    items = fields.List(fields.Nested(Venue), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class Settings(Schema):
    """An organizer's settings."""

    hold_ttl_sec = Whole(*_COUNT, required=True)


class Tier(Schema):
    """A price level."""

    name = fields.String(required=True)
    price = Amount(required=True)


class Seat(Schema):
    """A seat; whether it can be had is told by the plan's availability."""

    id = Id(required=True)
    label = fields.String(required=True)
    column = Whole(*_COUNT, required=True)
    price = Amount(required=True)
    attributes = FreeForm(required=True)


class SeatRow(Schema):
    """A row of seats."""

    label = fields.String(required=True)
    seats = fields.List(fields.Nested(Seat), required=True)


class LaidSection(Schema):
    """A section; one without numbered seats has a capacity and a price instead of rows."""

    id = Id(required=True)
    name = fields.String(required=True)
    type = one_of("seated", "ga")(required=True)
    capacity = Whole(*_COUNT, required=True, allow_none=True)
    price = Amount(required=True, allow_none=True)
    position_json = FreeForm(required=True, allow_none=True)
    rows = fields.List(fields.Nested(SeatRow), required=True)


class Point(Schema):
    """A place in a plan."""

    x = Number(required=True)
    y = Number(required=True)


class SeatingPlan(Schema):
    """A plan with its seats; it has a strong ETag."""

    id = Id(required=True)
    venue_id = Id(required=True)
    ticket_id = Id(required=True)
    name = fields.String(required=True)
    status = one_of("draft", "active", "inactive")(required=True)
    version = Whole(*_COUNT, required=True)
    assignment_mode = one_of("manual", "auto")(required=True)
    pricing_mode = one_of("single", "section", "seat")(required=True)
    max_seats_per_order = Whole(*_COUNT, required=True)
    currency = Currency(required=True)
    price_tiers = fields.List(fields.Nested(Tier), required=True)
    focal_point = fields.Nested(Point, required=True, allow_none=True)
    prevent_orphans = Flag(required=True)
    layout_json = FreeForm(required=True, allow_none=True)
    sections = fields.List(fields.Nested(LaidSection), required=True)


class Availability(Schema):
    """A letter for each seat, section by section, or what is left where seats are not numbered.

    A available, H held, R reserved, S sold, B blocked, in the plan's order. A stream begins with
    this (`snapshot`) and goes on with lists of [section, index, letter], or of
    [section, null, left] where seats are not numbered (`change`). `version` is the plan's: the
    letters stand for its seats. With another one than that of the plan which was read, read the
    plan again.
    """

    revision = Whole(*_COUNT, required=True)
    version = Whole(*_COUNT, required=True)
    sections = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True)
