"""The shapes of what clients send: one schema per call, made once."""

from typing import Any

from marshmallow import (
    RAISE,
    Schema,
    ValidationError,
    fields,
    post_load,
    validate,
    validates_schema,
)

from http_edge import cursors
from http_edge.fields import (
    Amount,
    Currency,
    Flag,
    FreeForm,
    Id,
    QueryTime,
    QueryWhole,
    Several,
    Text,
    Time,
    Whole,
    one_of,
    with_exact_price,
)

MOST_SEATS = 200
"""Seats in one order: its events carry every one, and must fit in a message."""
VERSIONS = (1, 2_147_483_647)
"""What the version of something that is edited may be."""
_QUANTITY = (1, 1_000)
_QUOTA = (1, 1_000_000)
_LONGEST_EMAIL = 200


class Form(Schema):
    """What a client sends; fields that are not declared are refused."""

    class Meta:
        """Strict."""

        unknown = RAISE


class Nothing(Form):
    """No body is needed; an empty object is fine."""


class Credentials(Form):
    """An e-mail address and a password."""

    email = fields.Email(required=True, validate=validate.Length(max=_LONGEST_EMAIL))
    password = fields.String(
        required=True,
        validate=validate.Length(min=10, max=128),
        metadata={"format": "password"},
    )


class SignIn(Form):
    """An e-mail address and a password, whatever its length: a wrong one is just wrong."""

    email = fields.Email(required=True, validate=validate.Length(max=_LONGEST_EMAIL))
    password = fields.String(
        required=True,
        validate=validate.Length(min=1, max=128),
        metadata={"format": "password"},
    )


class Event(Form):
    """The event that a ticket admits to."""

    title = Text(required=True)
    starts_at = Time(required=True)
    ends_at = Time(required=True)
    venue = FreeForm(allow_none=True)

    @validates_schema(skip_on_field_errors=True)
    def check_order(self, data: dict[str, Any], **_: object) -> None:
        """It ends after it starts."""
        if data["ends_at"] <= data["starts_at"]:
            msg = "Not after starts_at."
            raise ValidationError(msg, "ends_at")


class NewTicket(Form):
    """A ticket to offer."""

    title = Text(required=True)
    price = Amount(required=True)
    currency = Currency(required=True)
    quota = Whole(*_QUOTA)
    max_per_user = Whole(*_QUOTA, required=True)
    ticket_type = one_of("GA", "SEATED_MANUAL", "SEATED_AUTO")(required=True)
    event = fields.Nested(Event, required=True)
    status = one_of("draft", "on_sale")()

    @validates_schema(skip_on_field_errors=True)
    def check_quota(self, data: dict[str, Any], **_: object) -> None:
        """Without seats to count, the quota must be told."""
        if data["ticket_type"] == "GA" and "quota" not in data:
            msg = "Missing data for required field."
            raise ValidationError(msg, "quota")

    @post_load
    def scale_price(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        """The price fits its currency."""
        return with_exact_price(data)


class TicketEdit(Form):
    """What is to change of a ticket; `version` is the one that was read."""

    version = Whole(*VERSIONS, required=True)
    title = Text()
    price = Amount()
    currency = Currency()
    quota = Whole(*_QUOTA)
    max_per_user = Whole(*_QUOTA)
    event = fields.Nested(Event)
    status = one_of("draft", "on_sale")()

    @post_load
    def scale_price(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        """The price fits its currency, where both are given; else the owner checks."""
        return with_exact_price(data)


class NewOrder(Form):
    """What to buy: a quantity, or seats, or a quantity in a section."""

    ticket_id = Id(required=True)
    quantity = Whole(*_QUANTITY)
    seat_ids = Several(Id(), least=1, most=MOST_SEATS)
    section_id = Id()
    accessible = Flag(metadata={"description": "Whether the best seats are to be accessible ones."})
    method = one_of("CARD", "APPLE_PAY", "GOOGLE_PAY")()

    @validates_schema(skip_on_field_errors=True)
    def check_choice(self, data: dict[str, Any], **_: object) -> None:
        """Exactly one way of saying what to buy."""
        told = {"quantity", "seat_ids", "section_id"} & data.keys()
        if told not in ({"quantity"}, {"seat_ids"}, {"quantity", "section_id"}):
            msg = "Say exactly one of: quantity; seat_ids; section_id and quantity."
            raise ValidationError(msg)
        if data.get("accessible") and "seat_ids" in data:
            msg = "Only where the seats are chosen for you."
            raise ValidationError(msg, "accessible")

    @validates_schema(skip_on_field_errors=True)
    def check_seats(self, data: dict[str, Any], **_: object) -> None:
        """No seat twice."""
        seats = data.get("seat_ids", ())
        if len(set(seats)) != len(seats):
            msg = "A seat appears twice."
            raise ValidationError(msg, "seat_ids")


class NewRefund(Form):
    """What to give back: an amount, or what items cost; all that is left when neither is said."""

    amount = Amount()
    item_ids = Several(Id(), least=1, most=MOST_SEATS)
    keep_stock = Flag()

    @validates_schema(skip_on_field_errors=True)
    def check_way(self, data: dict[str, Any], **_: object) -> None:
        """At most one way of saying how much, each item once, and nothing kept of an amount."""
        if "amount" in data and "item_ids" in data:
            msg = "Say an amount or items, not both."
            raise ValidationError(msg)
        if "amount" in data and data.get("keep_stock"):
            msg = "An amount gives no tickets back to keep."
            raise ValidationError(msg, "keep_stock")
        items = data.get("item_ids", ())
        if len(set(items)) != len(items):
            msg = "An item appears twice."
            raise ValidationError(msg, "item_ids")


class Page(Form):
    """Which part of a list."""

    LISTING = ""

    limit = QueryWhole(1, 100, load_default=20)
    cursor = fields.String()

    @post_load
    def read_cursor(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        """Turn the cursor into the place where the list goes on."""
        try:
            cursor = data.pop("cursor", None)
            data["after"] = None if cursor is None else cursors.read(self.LISTING, cursor)
        except ValidationError as error:
            raise ValidationError({"cursor": error.messages}) from None
        return data


class TicketPage(Page):
    """Which tickets on sale."""

    LISTING = "tickets"

    q = fields.String(validate=validate.Length(max=200))
    starts_from = QueryTime(data_key="from")
    starts_to = QueryTime(data_key="to")

    @validates_schema(skip_on_field_errors=True)
    def check_order(self, data: dict[str, Any], **_: object) -> None:
        """The range is not empty."""
        if (
            "starts_from" in data
            and data.get("starts_to", data["starts_from"]) < data["starts_from"]
        ):
            msg = "Before from."
            raise ValidationError(msg, "to")


class OrderPage(Page):
    """Which of my orders."""

    LISTING = "orders"


class TicketOrderPage(Page):
    """Which orders of my ticket."""

    LISTING = "ticket orders"
