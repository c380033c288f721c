"""What is said to and by the venue service: venues, seating plans, seats, holds.

Longer than other files: a service's words are in one file, and this one has the most.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from schemas.message import Currency, Line, Message, command, event, part
from schemas.ticket import AssignmentMode, PlanShape, PricingMode, SectionType, TicketType

PLAN_BYTES = 8 * 1024 * 1024
"""The longest message about a whole plan."""

DEFAULT_HOLD_TTL_SEC = 600
"""How long a hold lasts, in seconds, unless its organizer says otherwise."""

PlanStatus = Literal["draft", "active", "inactive"]
SeatStatus = Literal["AVAILABLE", "HELD", "RESERVED", "SOLD", "BLOCKED"]


# Venues and what is kept in them for the next event.


@part
class VenueSection(Message):
    """A section that plans are cloned from."""

    section_id: UUID
    name: Line
    type: SectionType
    row_count: int
    column_count: int
    position_json: dict[str, Any] | None
    display_order: int


@part
class VenueState(Message):
    """A venue, which belongs to whoever made it."""

    venue_id: UUID
    organizer_id: UUID
    name: Line
    capacity: int
    timezone: Line
    """An IANA name."""
    address: str
    sections: list[VenueSection]
    revision: int
    created_at: datetime
    updated_at: datetime


@event("venues.venue.created", subject="venue_id", sequence="revision", max_bytes=PLAN_BYTES)
class VenueCreated(VenueState):
    """An organizer made a venue."""


@event("venues.venue.edited", subject="venue_id", sequence="revision", max_bytes=PLAN_BYTES)
class VenueEdited(VenueState):
    """An organizer changed a venue."""


@event("venues.section.changed", subject="venue_id", sequence="revision", max_bytes=PLAN_BYTES)
class SectionChanged(VenueState):
    """A section of a venue was added, changed or removed."""

    section_id: UUID


@event("venues.venue.restated", subject="venue_id", sequence="revision", max_bytes=PLAN_BYTES)
class VenueRestated(VenueState):
    """A venue as it is, said again for a view that is being rebuilt."""


@event("venues.venue.refused", subject="venue_id")
class VenueRefused(Message):
    """A venue or a section of it was not made or not changed."""

    venue_id: UUID | None
    command: str
    code: str
    detail: str


@command("venues.venue.create", subject="name", refused_by=VenueRefused)
class CreateVenue(Message):
    """Make a venue; it belongs to the user who asks."""

    name: Line
    capacity: int
    timezone: Line
    address: str


@command("venues.venue.edit", subject="venue_id", refused_by=VenueRefused)
class EditVenue(Message):
    """Change what is given and leave the rest."""

    venue_id: UUID
    name: Line | None = None
    capacity: int | None = None
    timezone: Line | None = None
    address: str | None = None


@command("venues.section.add", subject="venue_id", refused_by=VenueRefused)
class AddSection(Message):
    """Add a section that plans can be cloned from."""

    venue_id: UUID
    name: Line
    type: SectionType
    row_count: int = 0
    column_count: int = 0
    position_json: dict[str, Any] | None = None
    display_order: int = 0


@command("venues.section.edit", subject="venue_id", refused_by=VenueRefused)
class EditSection(Message):
    """Change what is given of a section; plans made of it stay as they are."""

    venue_id: UUID
    section_id: UUID
    name: Line | None = None
    type: SectionType | None = None
    row_count: int | None = None
    column_count: int | None = None
    position_json: dict[str, Any] | None = None
    display_order: int | None = None


@command("venues.section.remove", subject="venue_id", refused_by=VenueRefused)
class RemoveSection(Message):
    """Remove a section; plans made of it stay as they are."""

    venue_id: UUID
    section_id: UUID


@event("venues.settings.changed", subject="organizer_id", sequence="revision")
class SettingsChanged(Message):
    """An organizer's settings."""

    organizer_id: UUID
    hold_ttl_sec: int
    revision: int


@event("venues.settings.refused", subject="command")
class SettingsRefused(Message):
    """Settings were not changed."""

    command: str
    code: str
    detail: str


@command("venues.settings.change", subject="hold_ttl_sec", refused_by=SettingsRefused)
class ChangeSettings(Message):
    """Change the settings of the user who asks."""

    hold_ttl_sec: int
    """How long a hold and an unpaid seated order last, in seconds: 5 to 3600."""


# Seating plans.


@part
class Tier(Message):
    """A price level of a plan."""

    name: Line
    price: Decimal


@part
class LaidSeat(Message):
    """A seat of a plan as everybody may know it; its status travels in seat events."""

    seat_id: UUID
    label: Line
    column: int
    price: Decimal
    attributes: dict[str, Any] | None = None


@part
class LaidRow(Message):
    """A row of seats, from column 1 on."""

    label: Line
    seats: list[LaidSeat]


@part
class LaidSection(Message):
    """A section of a plan; `rows` is empty for general admission, `price` its price there."""

    section_id: UUID
    name: Line
    type: SectionType
    capacity: int | None
    price: Decimal | None
    position_json: dict[str, Any] | None
    rows: list[LaidRow]


@part
class PlanState(Message):
    """A plan as everybody may know it, without its seats."""

    plan_id: UUID
    venue_id: UUID
    ticket_id: UUID
    organizer_id: UUID
    name: Line
    status: PlanStatus
    assignment_mode: AssignmentMode
    pricing_mode: PricingMode
    max_seats_per_order: int
    currency: Currency
    price_tiers: list[Tier]
    focal_point: dict[str, Any] | None
    prevent_orphans: bool
    layout_json: dict[str, Any] | None
    sellable: int
    """Seats that are not blocked, and the capacity of general admission: the ticket's quota."""
    version: int
    """Moved by the organizer's edits of the plan alone: tells one layout from another."""
    revision: int
    """Moved by every change of the plan itself, its blocked seats included."""
    created_at: datetime
    updated_at: datetime


@part
class PlanLaid(PlanState):
    """A plan with every seat that it has, in the plan's order."""

    sections: list[LaidSection]


@event("venues.plan.created", subject="plan_id", sequence="revision", max_bytes=PLAN_BYTES)
class PlanCreated(PlanLaid):
    """An organizer made a plan."""


@event("venues.plan.edited", subject="plan_id", sequence="revision", max_bytes=PLAN_BYTES)
class PlanEdited(PlanLaid):
    """An organizer changed a plan."""


@event("venues.plan.restated", subject="plan_id", sequence="revision", max_bytes=PLAN_BYTES)
class PlanRestated(PlanLaid):
    """A plan as it is, said again for a view that is being rebuilt."""


@event("venues.plan.activated", subject="plan_id", sequence="revision", max_bytes=PLAN_BYTES)
class PlanActivated(PlanState):
    """A plan's seats may be sold: its ticket goes on sale."""


@event("venues.plan.deactivated", subject="plan_id", sequence="revision", max_bytes=PLAN_BYTES)
class PlanDeactivated(PlanState):
    """A plan's seats may not be sold for now: its ticket is closed."""


@event("venues.plan.refused", subject="plan_id")
class PlanRefused(Message):
    """A plan was not made, not changed, or not moved."""

    plan_id: UUID | None
    command: str
    code: str
    detail: str
    seat_ids: list[UUID] | None = None
    """For seats_unavailable: those in the way of an edit, the first 200 at most."""


@command("venues.plan.create", subject="ticket_id", refused_by=PlanRefused, max_bytes=PLAN_BYTES)
class CreatePlan(PlanShape):
    """Make a plan; said by the ticket service, which owns what is true of the ticket."""

    ticket_id: UUID
    organizer_id: UUID
    ticket_type: TicketType
    price: Decimal
    """The ticket's."""
    currency: Currency


@command("venues.plan.edit", subject="plan_id", refused_by=PlanRefused, max_bytes=PLAN_BYTES)
class EditPlan(Message):
    """Change what is given of a plan and leave the rest; `version` is the one that was read."""

    plan_id: UUID
    version: int
    shape: dict[str, Any]
    """Any fields of `PlanShape`, as they are on the wire."""
    ticket_id: UUID | None = None
    """The plan's own, where it is told: a plan stays with its ticket."""


@command("venues.plan.activate", subject="plan_id", refused_by=PlanRefused)
class ActivatePlan(Message):
    """Put a plan's seats on sale, with its ticket."""

    plan_id: UUID


@command("venues.plan.deactivate", subject="plan_id", refused_by=PlanRefused)
class DeactivatePlan(Message):
    """Take a plan off sale, with its ticket."""

    plan_id: UUID


# Seats.


@part
class SeatChange(Message):
    """What became of a seat."""

    seat_id: UUID
    status: SeatStatus
    revision: int
    """Of the seat; raised by every change of its status."""


@part
class AreaChange(Message):
    """What is left of a general-admission section."""

    section_id: UUID
    capacity: int
    reserved: int
    sold: int
    revision: int


@part
class SeatsState(Message):
    """The seats and areas of one plan that one thing changed."""

    plan_id: UUID
    seats: list[SeatChange]
    areas: list[AreaChange]


@event("venues.seats.held", subject="plan_id")
class SeatsHeld(SeatsState):
    """A buyer has picked seats; nobody else can have them before `hold_expires_at`."""

    user_id: UUID
    held: list[UUID]
    """All that was asked for, in the order in which it was."""
    hold_expires_at: datetime


@event("venues.seats.freed", subject="plan_id", max_bytes=PLAN_BYTES)
class SeatsFreed(SeatsState):
    """Holds have ended: given back, or their time was over."""


@event("venues.seats.blocked", subject="plan_id", max_bytes=PLAN_BYTES)
class SeatsBlocked(SeatsState):
    """Seats are not for sale; the ticket's quota follows `sellable`, the newest revision first."""

    ticket_id: UUID
    sellable: int
    revision: int
    """The plan's."""


@event("venues.seats.unblocked", subject="plan_id", max_bytes=PLAN_BYTES)
class SeatsUnblocked(SeatsState):
    """Seats are for sale again."""

    ticket_id: UUID
    sellable: int
    revision: int
    """The plan's."""


@part
class ReservedItem(Message):
    """A seat, or a quantity in a general-admission section, at the price of the moment."""

    seat_id: UUID | None
    section_id: UUID
    seat_label: Line
    """The section's name where there is no seat."""
    quantity: int
    unit_price: Decimal


@event("venues.seats.reserved", subject="order_id", sequence="order_version")
class SeatsReserved(SeatsState):
    """Seats are set aside for an order."""

    order_id: UUID
    order_version: int
    """Echoed from the command."""
    reservation_id: UUID
    ticket_id: UUID
    organizer_id: UUID
    items: list[ReservedItem]
    currency: Currency
    hold_ttl_sec: int
    """The organizer's: how long the buyer has to pay."""


@event("venues.seats.sold", subject="order_id", sequence="order_version")
class SeatsSold(SeatsState):
    """The seats of a confirmed order are its own."""

    order_id: UUID
    order_version: int
    reservation_id: UUID


@event("venues.seats.released", subject="order_id", sequence="order_version")
class SeatsReleased(Message):
    """An order's seats are free again, or were never taken: then there is no plan."""

    order_id: UUID
    order_version: int
    reservation_id: UUID
    status: Literal["RELEASED", "EXPIRED", "SOLD"]
    """SOLD: only some items were given back."""
    plan_id: UUID | None
    seats: list[SeatChange]
    areas: list[AreaChange]


@event("venues.seats.restated", subject="plan_id", max_bytes=PLAN_BYTES)
class SeatsRestated(SeatsState):
    """All seats and areas of a plan as they are, for a view that is being rebuilt."""


@event("venues.seats.refused", subject="plan_id", max_bytes=PLAN_BYTES)
class SeatsRefused(Message):
    """A command about seats was refused."""

    plan_id: UUID | None
    order_id: UUID | None
    order_version: int | None
    command: str
    code: str
    detail: str
    seat_ids: list[UUID] | None
    """For seats_unavailable: those that somebody else has."""


@command("venues.seats.hold", subject="plan_id", refused_by=SeatsRefused)
class HoldSeats(Message):
    """Pick seats for the user who asks: all or none."""

    plan_id: UUID
    seat_ids: list[UUID]


@command("venues.seats.free", subject="plan_id", refused_by=SeatsRefused)
class FreeSeats(Message):
    """Give picked seats back; all that the user holds of the plan, unless some are named."""

    plan_id: UUID
    seat_ids: list[UUID] | None = None


@command("venues.seats.block", subject="plan_id", refused_by=SeatsRefused)
class BlockSeats(Message):
    """Take free seats off sale; the plan's organizer alone may."""

    plan_id: UUID
    seat_ids: list[UUID]


@command("venues.seats.unblock", subject="plan_id", refused_by=SeatsRefused)
class UnblockSeats(Message):
    """Put blocked seats back on sale."""

    plan_id: UUID
    seat_ids: list[UUID]


@command("venues.seats.reserve", subject="plan_id", refused_by=SeatsRefused)
class ReserveSeats(Message):
    """Set seats aside for an order: these, or the best of a section, or of the plan."""

    plan_id: UUID
    order_id: UUID
    order_version: int
    reservation_id: UUID
    ticket_id: UUID
    user_id: UUID
    quantity: int
    seat_ids: list[UUID] | None
    section_id: UUID | None
    accessible: bool
    """Whether accessible seats are asked for; never chosen for others."""
    expires_at: datetime


@command("venues.seats.release", subject="order_id")
class ReleaseSeats(Message):
    """Give back an order's seats: all of them, or every item that was given back so far."""

    order_id: UUID
    order_version: int
    reservation_id: UUID
    ticket_id: UUID
    user_id: UUID
    seat_ids: list[UUID] | None = None
    """None: all. Else all that were given back so far, those of earlier releases included."""
    quantity: int = 0
    """How many were given back so far of a general-admission section."""


@command("venues.state.republish", subject="after")
class RepublishVenues(Message):
    """Say every venue, plan and seat again, a page at a time, from `after` on."""

    after: str = ""
