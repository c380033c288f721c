"""What is said to and by the ticket service: what is for sale, quotas, reservations."""

from dataclasses import field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from schemas.message import Currency, Line, Message, command, event, part

TicketType = Literal["GA", "SEATED_MANUAL", "SEATED_AUTO"]
TicketStatus = Literal["draft", "on_sale", "closed", "cancelled"]
SectionType = Literal["seated", "ga"]
AssignmentMode = Literal["manual", "auto"]
PricingMode = Literal["single", "section", "seat"]
_PLAN_BYTES = 8 * 1024 * 1024


@part
class TicketEvent(Message):
    """The event that a ticket admits to."""

    title: Line
    starts_at: datetime
    ends_at: datetime
    venue: dict[str, Any] | None = None


@part
class TicketState(Message):
    """A ticket as everybody may know it."""

    ticket_id: UUID
    organizer_id: UUID
    title: Line
    price: Decimal
    currency: Currency
    quota: int
    reserved: int
    sold: int
    max_per_user: int
    ticket_type: TicketType
    status: TicketStatus
    seating_plan_id: UUID | None
    event: TicketEvent
    version: int
    """Moved by the organizer's edits alone."""
    revision: int
    """Moved by every change."""
    created_at: datetime
    updated_at: datetime


@event("tickets.ticket.created", subject="ticket_id", sequence="revision")
class TicketCreated(TicketState):
    """An organizer made a ticket."""


@event("tickets.ticket.edited", subject="ticket_id", sequence="revision")
class TicketEdited(TicketState):
    """An organizer changed a ticket."""


@event("tickets.ticket.changed", subject="ticket_id", sequence="revision")
class TicketChanged(TicketState):
    """The counters moved; said at most once per ticket and batch."""


@event("tickets.ticket.restated", subject="ticket_id", sequence="revision")
class TicketRestated(TicketState):
    """A ticket as it is, said again for a view that is being rebuilt."""


@event("tickets.ticket.refused", subject="ticket_id")
class TicketRefused(Message):
    """A ticket was not made or not changed."""

    ticket_id: UUID | None
    command: str
    code: str
    detail: str


@command("tickets.ticket.create", subject="title", refused_by=TicketRefused)
class CreateTicket(Message):
    """Offer a ticket; it belongs to the user who asks."""

    title: Line
    price: Decimal
    currency: Currency
    quota: int | None = None
    max_per_user: int
    ticket_type: TicketType
    event: TicketEvent
    status: Literal["draft", "on_sale"] = "on_sale"


@command("tickets.ticket.edit", subject="ticket_id", refused_by=TicketRefused)
class EditTicket(Message):
    """Change what is given and leave the rest; `version` is the one that was read."""

    ticket_id: UUID
    version: int
    title: Line | None = None
    price: Decimal | None = None
    currency: Currency | None = None
    quota: int | None = None
    max_per_user: int | None = None
    event: TicketEvent | None = None
    status: Literal["draft", "on_sale"] | None = None


@event("tickets.ticket.on_sale", subject="ticket_id", sequence="revision")
class TicketOnSale(TicketState):
    """A seated ticket's plan was activated, and it can be bought."""


@event("tickets.ticket.closed", subject="ticket_id", sequence="revision")
class TicketClosed(TicketState):
    """A seated ticket's plan was deactivated, and it cannot be bought for now."""


@event("tickets.ticket.cancelled", subject="ticket_id", sequence="revision")
class TicketCancelled(TicketState):
    """The event is off: every order ends."""


@command("tickets.ticket.cancel", subject="ticket_id", refused_by=TicketRefused)
class CancelTicket(Message):
    """Call the event off; every order of the ticket is refunded or cancelled."""

    ticket_id: UUID


# Seating plans: the ticket's owner checks what a plan says of its ticket and passes it on.


@part
class SeatSpec(Message):
    """What is special about one place of a section; rows and columns count from 1."""

    row: int
    column: int
    label: Line | None = None
    missing: bool = False
    price_tier: Line | None = None
    attributes: dict[str, Any] | None = None
    """accessible, companion, restricted_view: true where it is so; and the organizer's own."""


@part
class SectionSpec(Message):
    """A section to clone from the venue, or one of the plan's own."""

    venue_section_id: UUID | None = None
    name: Line | None = None
    type: SectionType | None = None
    row_count: int | None = None
    column_count: int | None = None
    capacity: int | None = None
    """Of general admission."""
    price_tier: Line | None = None
    position_json: dict[str, Any] | None = None
    seats: list[SeatSpec] = field(default_factory=list)


@part
class TierSpec(Message):
    """A price level."""

    name: Line
    price: Decimal


@part
class PlanShape(Message):
    """What an organizer says of a plan."""

    venue_id: UUID
    name: Line
    assignment_mode: AssignmentMode
    pricing_mode: PricingMode
    max_seats_per_order: int = 10
    price_tiers: list[TierSpec] = field(default_factory=list)
    sections: list[SectionSpec] = field(default_factory=list)
    focal_point: dict[str, Any] | None = None
    """x and y in seats, in the coordinates of the sections' positions; NULL: front centre."""
    prevent_orphans: bool = False
    layout_json: dict[str, Any] | None = None


@event("tickets.plan.refused", subject="ticket_id")
class PlanRequestRefused(Message):
    """A plan does not fit its ticket."""

    ticket_id: UUID | None
    command: str
    code: str
    detail: str


@command(
    "tickets.plan.request",
    subject="ticket_id",
    refused_by=PlanRequestRefused,
    max_bytes=_PLAN_BYTES,
)
class RequestPlan(PlanShape):
    """Make a seating plan for a ticket of mine."""

    ticket_id: UUID


# Reservations.


@event("tickets.reservation.held", subject="order_id", sequence="order_version")
class ReservationHeld(Message):
    """Quota is set aside for an order; the price is the one that it will pay."""

    order_id: UUID
    order_version: int
    """Echoed from the hold."""
    reservation_id: UUID
    ticket_id: UUID
    organizer_id: UUID
    quantity: int
    unit_price: Decimal
    currency: Currency


@event("tickets.reservation.refused", subject="order_id", sequence="order_version")
class ReservationRefused(Message):
    """No quota for this order."""

    order_id: UUID
    order_version: int
    ticket_id: UUID
    command: str
    code: str
    detail: str


@command("tickets.reservation.hold", subject="order_id", refused_by=ReservationRefused)
class HoldReservation(Message):
    """Set quota aside for an order."""

    order_id: UUID
    order_version: int
    reservation_id: UUID
    ticket_id: UUID
    user_id: UUID
    quantity: int
    seat_ids: list[UUID] | None = None
    """Seated by hand, or a retake: these very seats."""
    section_id: UUID | None = None
    accessible: bool = False
    expires_at: datetime


@event("tickets.reservation.released", subject="order_id", sequence="order_version")
class ReservationReleased(Message):
    """An order's quota is free again, or was never taken."""

    order_id: UUID
    order_version: int
    ticket_id: UUID
    reservation_id: UUID
    status: Literal["RELEASED", "EXPIRED", "FINALIZED"]
    """FINALIZED: only some items were given back."""


@command("tickets.reservation.release", subject="order_id")
class ReleaseReservation(Message):
    """Give back quota: all that an order has, or what its refunded items come to so far."""

    order_id: UUID
    order_version: int
    reservation_id: UUID
    ticket_id: UUID
    user_id: UUID
    quantity: int | None = None
    """None: all. Else how many were given back so far, those of earlier releases included."""


@command("tickets.state.republish", subject="after")
class RepublishTickets(Message):
    """Say every ticket again, a page at a time, from the first id after `after`."""

    after: str = ""
