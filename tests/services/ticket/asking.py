"""What other services say to the ticket service."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from bus.stores.mongo import Documents
from schemas.order import OrderCancelled, OrderCompleted
from schemas.ticket import (
    CreateTicket,
    HoldReservation,
    ReleaseReservation,
    TicketCreated,
    TicketEvent,
)
from tests.driven import Driven, mongo
from tests.unit.view.samples import Sale

Row = dict[str, Any]
STARTS = datetime(2037, 1, 1, 20, tzinfo=UTC)


def offer(
    tickets: Driven[Documents],
    owner: UUID | None = None,
    **other: Any,  # noqa: ANN401  # The command's fields.
) -> UUID:
    """Put a ticket on sale; return its id."""
    told: dict[str, Any] = {
        "title": "A concert",
        "price": Decimal("12.50"),
        "currency": "EUR",
        "quota": 10,
        "max_per_user": 4,
        "ticket_type": "GA",
        "event": TicketEvent(title="A", starts_at=STARTS, ends_at=STARTS + timedelta(hours=2)),
    }
    said = tickets.told(CreateTicket(**told | other), user_id=owner or uuid4())
    return said.one(TicketCreated).ticket_id


class Asking(Sale):
    """An order as the order service tells the ticket service about it."""

    def __init__(self, ticket_id: UUID, user_id: UUID | None = None, quantity: int = 2) -> None:
        """Make up the rest."""
        super().__init__()
        self.ticket_id = ticket_id
        self.user_id = user_id or self.user_id
        self.quantity = quantity

    def hold(self, version: int = 1) -> HoldReservation:
        """Ask for its tickets."""
        return HoldReservation(
            order_id=self.order_id,
            order_version=version,
            reservation_id=self.reservation_id,
            ticket_id=self.ticket_id,
            user_id=self.user_id,
            quantity=self.quantity,
            expires_at=datetime.now(UTC),
        )

    def completed(self, version: int = 3) -> OrderCompleted:
        """Say that it is confirmed."""
        return self.order(OrderCompleted, version, "CONFIRMED")

    def cancelled(self, version: int = 3, status: str = "CANCELLED") -> OrderCancelled:
        """Say that it has ended."""
        return self.order(OrderCancelled, version, status, cancel_reason="cancelled")

    def release(self, version: int = 3) -> ReleaseReservation:
        """Give back what came too late."""
        return ReleaseReservation.of(self, order_version=version)

    def reservation(self) -> Row | None:
        """Return what is kept of its reservation."""
        row: Row | None = mongo().database.reservations.find_one({"order_id": str(self.order_id)})
        return row


def counters(ticket_id: UUID) -> tuple[int, int]:
    """Return how many are reserved and how many sold."""
    row = mongo().database.tickets.find_one({"_id": str(ticket_id)})
    assert row
    return row["reserved"], row["sold"]


def held_by(ticket_id: UUID, user_id: UUID) -> int:
    """Return what the user's limit counts."""
    row = mongo().database.user_counts.find_one({"_id": f"{ticket_id}:{user_id}"})
    return row["quantity"] if row else 0
