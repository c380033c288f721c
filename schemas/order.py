"""What is said to and by the order service: orders and their saga."""

from dataclasses import field
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from schemas.message import Currency, Line, Message, command, event, part

PaymentMethod = Literal["CARD", "APPLE_PAY", "GOOGLE_PAY"]
OrderStatus = Literal["PENDING", "AWAITING_PAYMENT", "CONFIRMED", "CANCELLED", "EXPIRED"]
OrderStep = Literal["holding", "payable", "retaking", "capturing", "settled", "voided"]


@part
class OrderItem(Message):
    """One line of an order: a seat, or a quantity without seats."""

    id: UUID
    quantity: int
    unit_price: Decimal | None
    seat_id: UUID | None = None
    seat_label: str | None = None
    section_id: UUID | None = None
    refunded: bool = False
    """Its price was given back."""
    kept: bool = False
    """Refunded, but it stays sold."""


@part
class OrderState(Message):
    """An order as its buyer, its organizer and the other services may know it."""

    order_id: UUID
    order_version: int
    user_id: UUID
    ticket_id: UUID
    organizer_id: UUID | None
    """NULL until the ticket's owner is known from the hold."""
    reservation_id: UUID
    status: OrderStatus
    step: OrderStep
    cancel_reason: str | None
    seated: bool | None
    """NULL while unknown."""
    method: PaymentMethod
    items: list[OrderItem]
    total_amount: Decimal | None
    currency: Currency | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    operation_id: UUID
    """The operation that placed it."""
    refunded_amount: Decimal = Decimal(0)
    cancel_detail: str | None = None
    """What a person should know beside `cancel_reason`."""
    seats_taken: list[UUID] = field(default_factory=list)
    """For seats_unavailable: those that somebody else had."""
    released_version: int = 0
    """The `order_version` under which it last gave stock back."""


@event("orders.order.created", subject="order_id", sequence="order_version")
class OrderCreated(OrderState):
    """The order has its tickets and can be paid."""


@event("orders.order.completed", subject="order_id", sequence="order_version")
class OrderCompleted(OrderState):
    """The order is confirmed; only a refund can end it now."""


@event("orders.order.settled", subject="order_id", sequence="order_version")
class OrderSettled(OrderState):
    """The money of a confirmed order has been taken."""


@event("orders.order.cancelled", subject="order_id", sequence="order_version")
class OrderCancelled(OrderState):
    """The order ended; `cancel_reason` says why (`expired` when nobody paid).

    All its stock is free again, but for the items that are `kept`: those were refunded and stay
    sold, so that whoever holds them keeps their quantity, or their seats.
    """


@event("orders.order.restated", subject="order_id", sequence="order_version")
class OrderRestated(OrderState):
    """An order as it is, said again for a view that is being rebuilt."""


@event("orders.order.refused", subject="order_id")
class OrderRefused(Message):
    """A command about an order was refused."""

    order_id: UUID | None
    command: str
    code: str
    detail: str


@command("orders.order.place", subject="ticket_id", refused_by=OrderRefused)
class PlaceOrder(Message):
    """Buy: exactly one of quantity, seats, or a section with a quantity."""

    ticket_id: UUID
    quantity: int | None = None
    seat_ids: list[UUID] | None = None
    section_id: UUID | None = None
    accessible: bool = False
    """Whether the best available are to be accessible ones."""
    method: PaymentMethod = "CARD"


@command("orders.order.cancel", subject="order_id", refused_by=OrderRefused)
class CancelOrder(Message):
    """Give an order back before it is paid, or a free one at any time."""

    order_id: UUID


@command("orders.refund.request", subject="order_id", refused_by=OrderRefused)
class RequestRefund(Message):
    """Give money back: an amount, or what items cost, or all that is left; its organizer asks."""

    order_id: UUID
    amount: Decimal | None = None
    item_ids: list[UUID] | None = None
    keep_stock: bool = False
    """Whether refunded items stay sold."""


@command("orders.order.resolve", subject="order_id", refused_by=OrderRefused)
class ResolveOrder(Message):
    """An operator's word about an order that is stuck; safe to repeat."""

    order_id: UUID
    action: Literal["void", "release"]
    """Give its authorisation back, or its tickets; an order that is open ends first."""
    by: Line
    """Who says so."""


# Events that are called off.


@command("orders.ticket.end", subject="ticket_id")
class EndOrders(Message):
    """End every order of a cancelled event, a page at a time, from the first id after `after`."""

    ticket_id: UUID
    after: UUID | None = None


@part
class TicketEnding(Message):
    """How far the orders of a cancelled event have ended."""

    ticket_id: UUID
    total: int
    ended: int
    failed: int
    """Whose money could not be given back; calling the event off again tries again."""
    revision: int


@event("orders.ticket.progress", subject="ticket_id", sequence="revision")
class TicketProgress(TicketEnding):
    """Some more orders have ended; said about twenty times, however many there are."""


@event("orders.ticket.ended", subject="ticket_id", sequence="revision")
class TicketEnded(TicketEnding):
    """Every order of a cancelled event has ended."""


@event("orders.ticket.failed", subject="ticket_id", sequence="revision")
class TicketFailed(TicketEnding):
    """Every order of a cancelled event has ended but for those whose refund failed."""

    command: str
    code: str
    detail: str


@command("orders.state.republish", subject="after")
class RepublishOrders(Message):
    """Say every order again, a page at a time, from the first id after `after`."""

    after: str = ""
