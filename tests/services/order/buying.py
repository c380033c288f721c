"""One order, driven through its service."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from bus.stores.postgres import Connection
from schemas.expiration import ArmTimer, TimerFired
from schemas.message import Message
from schemas.order import CancelOrder, PlaceOrder
from schemas.payment import PaymentAuthorized, PaymentFailed
from schemas.ticket import HoldReservation, ReservationHeld, ReservationRefused
from schemas.venue import ReservedItem, ReserveSeats, SeatsRefused, SeatsReserved
from tests.driven import Driven, Said, postgres
from tests.unit.view.samples import Sale

Orders = Driven[Connection]


class Buying(Sale):
    """One order, and what its service hears about it."""

    def __init__(
        self,
        orders: Orders,
        ticket_id: UUID | None = None,
        **choice: Any,  # noqa: ANN401  # The command's fields.
    ) -> None:
        """Place it: two tickets, unless something else is chosen."""
        super().__init__()
        self.orders = orders
        self.ticket_id, self.organizer_id = ticket_id or self.ticket_id, uuid4()
        said = orders.told(
            PlaceOrder(ticket_id=self.ticket_id, **(choice or {"quantity": 2})),
            user_id=self.user_id,
            operation_id=self.operation_id,
        )
        assert said.types == [HoldReservation.TYPE, ArmTimer.TYPE]
        self.asked = said.one(HoldReservation)
        self.timer = said.one(ArmTimer)
        self.order_id, self.reservation_id = self.asked.order_id, self.asked.reservation_id

    def told(self, message: Message) -> Said:
        """Tell the service."""
        return self.orders.told(message, user_id=self.user_id)

    def held(self, price: str = "12.50", version: int = 1) -> ReservationHeld:
        """Say that its tickets are set aside."""
        return ReservationHeld.of(
            self.asked,
            order_version=version,
            organizer_id=self.organizer_id,
            unit_price=Decimal(price),
            currency="EUR",
        )

    def reserved(
        self, *seats: UUID, version: int = 1, price: str = "12.50", standing: int = 0
    ) -> SeatsReserved:
        """Say that seats are set aside for it, or a few standing places."""
        items = [
            ReservedItem(
                seat_id=seat,
                section_id=self.reservation_id,
                seat_label=f"A {number}",
                quantity=1 if seat else standing,
                unit_price=Decimal(price),
            )
            for number, seat in enumerate(seats or (None,), 1)
        ]
        return SeatsReserved.of(
            self.asked,
            order_version=version,
            plan_id=uuid4(),
            organizer_id=self.organizer_id,
            items=items,
            currency="EUR",
            hold_ttl_sec=90,
            seats=[],
            areas=[],
        )

    def no_seats(self, *taken: UUID, version: int = 1) -> SeatsRefused:
        """Say that somebody else has seats of it."""
        return SeatsRefused(
            plan_id=uuid4(),
            order_id=self.order_id,
            order_version=version,
            command=ReserveSeats.TYPE,
            code="seats_unavailable",
            detail="Gone.",
            seat_ids=list(taken),
        )

    def no_tickets(self, code: str = "sold_out") -> ReservationRefused:
        """Say that there are none for it."""
        return ReservationRefused.of(self.asked, command=self.asked.TYPE, code=code, detail="")

    def authorized(self) -> PaymentAuthorized:
        """Say that its money is set aside."""
        return self.payment(PaymentAuthorized, 3, authorisation="authorized")

    def failed(self, authorisation: str) -> PaymentFailed:
        """Say that there will be no money."""
        return self.payment(PaymentFailed, 4, status="FAILED", authorisation=authorisation)

    def row(self) -> dict[str, Any]:
        """Return what is kept."""
        row = postgres("order").db.execute("SELECT * FROM orders WHERE id = %s", [self.order_id])
        (kept,) = row.fetchall()
        return kept

    def items(self) -> list[dict[str, Any]]:
        """Return what is kept of its lines."""
        return (
            postgres("order")
            .db.execute(
                "SELECT * FROM order_items WHERE order_id = %s ORDER BY id", [self.order_id]
            )
            .fetchall()
        )

    def at(self, status: str) -> "Buying":
        """Bring it to a status."""
        if status != "PENDING":
            self.told(self.held())
        if status == "CONFIRMED":
            self.told(self.authorized())
        elif status == "CANCELLED":
            self.told(CancelOrder(order_id=self.order_id))
        elif status == "EXPIRED":
            self.due()
            self.told(self.fired())
        assert self.row()["status"] == status
        return self

    def due(self) -> None:
        """Let its deadline pass."""
        postgres("order").db.execute(
            "UPDATE orders SET expires_at = now() - interval '1 second' WHERE id = %s",
            [self.order_id],
        )

    def fired(self) -> TimerFired:
        """Fire its timer."""
        return TimerFired(order_id=self.order_id, deadline=datetime.now(UTC), arm=1)
