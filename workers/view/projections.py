"""What each event leaves in the views. Pure.

A row is replaced when the event's revision is newer and left alone otherwise, so the order in
which events arrive, and how often, makes no difference.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from schemas.auth import KeysPublished, UserNamed, UserRegistered
from schemas.message import Message
from schemas.order import OrderRestated, OrderState, TicketEnding
from schemas.payment import PaymentRestated, PaymentState
from schemas.ticket import ReservationReleased, TicketState
from schemas.user import UserState
from schemas.venue import (
    PlanState,
    SeatsReleased,
    SeatsReserved,
    SettingsChanged,
    VenueState,
)

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of copies: its key and the column that tells which copy is newer."""

    name: str
    key: tuple[str, ...]
    revision: str
    columns: tuple[str, ...]

    def key_of(self, values: Values) -> tuple[str, ...]:
        """Return what names the row."""
        return tuple(str(values[column]) for column in self.key)


def _names(state: type[Message]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(state))  # type: ignore[arg-type]  # a dataclass


TICKETS = Table("tickets", ("ticket_id",), "revision", (*_names(TicketState), "starts_at"))
ORDERS = Table("orders", ("order_id",), "order_version", _names(OrderState))
PAYMENTS = Table("payments", ("payment_id",), "payment_version", _names(PaymentState))
RELEASES = Table(
    "order_releases",
    ("order_id", "service"),
    "order_version",
    ("order_id", "service", "order_version"),
)
ACCOUNTS = Table("accounts", ("user_id",), "revision", ("user_id", "email", "revision"))
PEOPLE = Table("people", ("user_id",), "revision", _names(UserState))
KEYS = Table("signing_keys", ("issuer",), "revision", _names(KeysPublished))
VENUES = Table("venues", ("venue_id",), "revision", _names(VenueState))
SETTINGS = Table("organizer_settings", ("organizer_id",), "revision", _names(SettingsChanged))
PLANS = Table("plans", ("plan_id",), "revision", _names(PlanState))
RESERVATIONS = Table(
    "seat_reservations", ("order_id",), "order_version", ("order_id", "order_version", "plan_id")
)
ENDINGS = Table("ticket_endings", ("ticket_id",), "revision", _names(TicketEnding))

TABLES = (
    *(ACCOUNTS, KEYS, PEOPLE, VENUES, SETTINGS, PLANS),
    *(ORDERS, PAYMENTS, RELEASES, RESERVATIONS, ENDINGS, TICKETS),
)
"""In the order in which every transaction writes them; the row that everybody writes comes last."""


def _ticket(event: TicketState) -> Values:
    return vars(event) | {"starts_at": event.event.starts_at}


def _payment(event: PaymentState) -> Values:
    """Keep the client secret only while somebody can still pay with it."""
    payable = event.status == "PENDING" and event.authorisation == "none"
    return vars(event) if payable else vars(event) | {"client_secret": None}


def _release(event: ReservationReleased | SeatsReleased) -> Values:
    return {
        "order_id": event.order_id,
        "service": "venue" if isinstance(event, SeatsReleased) else "ticket",
        "order_version": event.order_version,
    }


def _columns(table: Table) -> Callable[[Any], Values]:
    return lambda event: {column: getattr(event, column) for column in table.columns}


def _account(event: UserRegistered | UserNamed) -> Values:
    return vars(event) | {"revision": 1}  # Nobody's address ever changes.


_PROJECTIONS: tuple[tuple[type[Message], Table, Callable[[Any], Values]], ...] = (
    (TicketState, TICKETS, _ticket),
    (OrderState, ORDERS, vars),
    (PaymentState, PAYMENTS, _payment),
    (ReservationReleased, RELEASES, _release),
    (SeatsReleased, RELEASES, _release),
    (SeatsReserved, RESERVATIONS, _columns(RESERVATIONS)),
    (KeysPublished, KEYS, vars),
    (UserRegistered, ACCOUNTS, _account),
    (UserNamed, ACCOUNTS, _account),
    (UserState, PEOPLE, vars),
    (VenueState, VENUES, _columns(VENUES)),
    (SettingsChanged, SETTINGS, vars),
    (PlanState, PLANS, _columns(PLANS)),
    (TicketEnding, ENDINGS, _columns(ENDINGS)),
)


def projected(event: Message) -> tuple[Table, Values] | None:
    """Return the row that the event states; None when the views do not show it."""
    for state, table, row in _PROJECTIONS:
        if isinstance(event, state):
            return table, row(event)
    return None


def in_timeline(event: Message) -> bool:
    """Whether it is something that happened to an order, not only said again."""
    happened = isinstance(event, OrderState | PaymentState)
    return happened and not isinstance(event, OrderRestated | PaymentRestated)
