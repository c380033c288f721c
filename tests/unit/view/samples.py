"""Events as the owners say them, for tests of the views."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid4

from bus.envelope import Envelope, envelope_of
from schemas.message import Message
from schemas.order import OrderItem, OrderState
from schemas.payment import PaymentState
from schemas.ticket import ReservationReleased, TicketEvent, TicketState

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
SEALED = "eyJhbGciOiJFQ0RILUVTIn0..a.b.c"

_Order = TypeVar("_Order", bound=OrderState)
_Payment = TypeVar("_Payment", bound=PaymentState)
_Ticket = TypeVar("_Ticket", bound=TicketState)


def envelope(message: Message, operation_id: UUID | None = None) -> Envelope:
    """Wrap an event; each call is another message."""
    return envelope_of(message, source="/test", operation_id=operation_id)


class Sale:
    """One order and its payment, told event by event."""

    def __init__(self, total: str = "20.00", currency: str = "EUR") -> None:
        """Make up the ids."""
        self.order_id, self.operation_id, self.ticket_id = uuid4(), uuid4(), uuid4()
        self.payment_id, self.user_id, self.reservation_id = uuid4(), uuid4(), uuid4()
        self.item_id = uuid4()
        self.total, self.currency = Decimal(total), currency

    def order(self, said: type[_Order], version: int, status: str, **other: Any) -> _Order:  # noqa: ANN401
        """Say the order."""
        fields: dict[str, Any] = {
            "order_id": self.order_id,
            "order_version": version,
            "user_id": self.user_id,
            "ticket_id": self.ticket_id,
            "organizer_id": None,
            "reservation_id": self.reservation_id,
            "status": status,
            "step": "payable",
            "cancel_reason": None,
            "seated": False,
            "method": "CARD",
            "items": [OrderItem(id=self.item_id, quantity=2, unit_price=self.total / 2)],
            "total_amount": self.total,
            "currency": self.currency,
            "expires_at": NOW + timedelta(minutes=10),
            "created_at": NOW,
            "updated_at": NOW + timedelta(seconds=version),
            "operation_id": self.operation_id,
        }
        return said(**(fields | other))

    def payment(self, said: type[_Payment], version: int, **other: Any) -> _Payment:  # noqa: ANN401
        """Say the payment."""
        fields: dict[str, Any] = {
            "payment_id": self.payment_id,
            "payment_version": version,
            "order_id": self.order_id,
            "order_version": 2,
            "user_id": self.user_id,
            "method": "CARD",
            "amount": self.total,
            "currency": self.currency,
            "status": "PENDING",
            "authorisation": "none",
            "captured_amount": Decimal(0),
            "refunded_amount": Decimal(0),
            "client_secret": SEALED,
            "failure": None,
            "updated_at": NOW + timedelta(seconds=version),
        }
        return said(**(fields | other))

    def released(self, version: int, status: Any = "RELEASED") -> ReservationReleased:  # noqa: ANN401
        """Say that the quota is free again."""
        return ReservationReleased(
            order_id=self.order_id,
            order_version=version,
            ticket_id=self.ticket_id,
            reservation_id=self.reservation_id,
            status=status,
        )


def ticket(said: type[_Ticket], ticket_id: UUID, revision: int, **other: Any) -> _Ticket:  # noqa: ANN401
    """Say a ticket."""
    fields: dict[str, Any] = {
        "ticket_id": ticket_id,
        "organizer_id": uuid4(),
        "title": "A concert",
        "price": Decimal("10.00"),
        "currency": "EUR",
        "quota": 100,
        "reserved": revision,
        "sold": 0,
        "max_per_user": 4,
        "ticket_type": "GA",
        "status": "on_sale",
        "seating_plan_id": None,
        "event": TicketEvent(
            title="A concert", starts_at=NOW, ends_at=NOW + timedelta(hours=2), venue={"city": "B"}
        ),
        "version": 1,
        "revision": revision,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return said(**(fields | other))
