"""What the edge answers with, for the API document; nothing is checked against it at run time."""

from marshmallow import Schema, fields

from http_edge.fields import (
    Amount,
    Country,
    Currency,
    Flag,
    FreeForm,
    Id,
    Time,
    Timezone,
    Whole,
    locale,
    one_of,
)

_COUNT = (0, 2_147_483_647)


class Step(Schema):
    """An event that carried the operation's id."""

    type = fields.String(required=True)
    at = Time(required=True)


class FaultShape(Schema):
    """One thing that is wrong with a request."""

    pointer = fields.String(required=True, metadata={"description": "A JSON pointer (RFC 6901)."})
    message = fields.String(required=True)


class ProblemDocument(Schema):
    """Why not (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True)
    errors = fields.List(fields.Nested(FaultShape))
    seat_ids = fields.List(Id(), metadata={"description": "The seats that cannot be had."})


class Operation(Schema):
    """What became of a write."""

    id = Id(required=True)
    type = fields.String(required=True, metadata={"description": "The command's."})
    status = one_of("pending", "succeeded", "failed")(required=True)
    submitted_at = Time(required=True)
    finished_at = Time(required=True, allow_none=True)
    steps = fields.List(fields.Nested(Step), required=True)
    result = fields.Dict(required=True, allow_none=True)
    error = fields.Nested(ProblemDocument, required=True, allow_none=True)


class TicketEventShape(Schema):
    """The event that a ticket admits to."""

    title = fields.String(required=True)
    starts_at = Time(required=True)
    ends_at = Time(required=True)
    venue = FreeForm(allow_none=True)


class Ticket(Schema):
    """A ticket."""

    id = Id(required=True)
    title = fields.String(required=True)
    price = Amount(required=True)
    currency = Currency(required=True)
    ticket_type = one_of("GA", "SEATED_MANUAL", "SEATED_AUTO")(required=True)
    status = one_of("draft", "on_sale", "closed", "cancelled")(required=True)
    available = Whole(*_COUNT, required=True)
    max_per_user = Whole(*_COUNT, required=True)
    version = Whole(*_COUNT, required=True)
    event = fields.Nested(TicketEventShape, required=True)


class CancellationShape(Schema):
    """How far the orders of an event that was called off have ended."""

    total = Whole(*_COUNT, required=True)
    ended = Whole(*_COUNT, required=True)
    failed = Whole(*_COUNT, required=True, metadata={"description": "Could not be refunded."})


class TicketInFull(Ticket):
    """A ticket by itself; what follows its plan is shown to its organizer alone."""

    seating_plan_id = Id(required=True, allow_none=True)
    quota = Whole(*_COUNT)
    reserved = Whole(*_COUNT)
    sold = Whole(*_COUNT)
    cancellation = fields.Nested(CancellationShape)


class TicketList(Schema):
    """A page of tickets on sale, soonest first."""

    items = fields.List(fields.Nested(Ticket), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class Item(Schema):
    """A line of an order."""

    id = Id(required=True)
    section_id = Id(required=True, allow_none=True)
    seat_id = Id(required=True, allow_none=True)
    seat_label = fields.String(required=True, allow_none=True)
    quantity = Whole(*_COUNT, required=True)
    unit_price = Amount(required=True, allow_none=True)


class PaymentShape(Schema):
    """How far an order's payment is."""

    id = Id(required=True)
    status = one_of("PENDING", "SUCCEEDED", "FAILED", "REFUNDED")(required=True)
    captured_amount = Amount(required=True)
    refunded_amount = Amount(required=True)


class Order(Schema):
    """An order."""

    id = Id(required=True)
    status = one_of("PENDING", "AWAITING_PAYMENT", "CONFIRMED", "CANCELLED", "EXPIRED")(
        required=True
    )
    cancel_reason = fields.String(required=True, allow_none=True)
    ticket_id = Id(required=True)
    items = fields.List(fields.Nested(Item), required=True)
    total_amount = Amount(required=True, allow_none=True)
    currency = Currency(required=True, allow_none=True)
    method = one_of("CARD", "APPLE_PAY", "GOOGLE_PAY")(required=True)
    expires_at = Time(required=True, allow_none=True)
    created_at = Time(required=True)
    payment = fields.Nested(PaymentShape, required=True, allow_none=True)
    timeline = fields.List(fields.Nested(Step), required=True)


class OrderList(Schema):
    """A page of orders, newest first."""

    items = fields.List(fields.Nested(Order), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class OrganizerOrder(Order):
    """An order as the ticket's organizer sees it."""

    user_id = Id(required=True)


class OrganizerOrderList(Schema):
    """A page of a ticket's orders, newest first."""

    items = fields.List(fields.Nested(OrganizerOrder), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class PaymentDetails(Schema):
    """What a buyer's client needs to pay with Stripe."""

    id = Id(required=True)
    client_secret = fields.String(required=True)
    publishable_key = fields.String(required=True)
    api_base = fields.String(required=True)


class Profile(Schema):
    """How to address somebody, and how they read and count the hours."""

    display_name = fields.String(required=True, allow_none=True)
    locale = locale(required=True)
    timezone = Timezone(required=True)


class Preferences(Schema):
    """What somebody wants to be written to about."""

    marketing_opt_in = Flag(required=True)
    order_updates = Flag(required=True)
    product_updates = Flag(required=True)


class BillingAddress(Schema):
    """Whom to write on an invoice."""

    line1 = fields.String(required=True)
    line2 = fields.String(required=True, allow_none=True)
    city = fields.String(required=True)
    postal_code = fields.String(required=True)
    country = Country(required=True)


class Me(Schema):
    """Who is signed in."""

    id = Id(required=True)
    email = fields.String(required=True)
    profile = fields.Nested(Profile, required=True)
    preferences = fields.Nested(Preferences, required=True)
    billing_address = fields.Nested(BillingAddress, required=True, allow_none=True)


class Jwks(Schema):
    """Public keys (RFC 7517)."""

    keys = fields.List(fields.Dict(), required=True)
