"""A reservation: an order's claim on a ticket's quota, and its allowed moves.

    HELD -> FINALIZED, RELEASED, EXPIRED · FINALIZED -> RELEASED · EXPIRED -> HELD (retaken)

`order_version` is the highest that was applied; a message that is not above it is ignored. A
release for an order not seen yet leaves a tombstone: RELEASED, without stock.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from schemas.ticket import HoldReservation

ReservationStatus = Literal["HELD", "FINALIZED", "RELEASED", "EXPIRED"]

MOVES: dict[ReservationStatus, set[ReservationStatus]] = {
    "HELD": {"FINALIZED", "RELEASED", "EXPIRED"},
    "FINALIZED": {"RELEASED"},
    "EXPIRED": {"HELD"},
    "RELEASED": set(),
}


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """One order's reservation."""

    reservation_id: UUID
    ticket_id: UUID
    order_id: UUID
    order_version: int
    user_id: UUID
    quantity: int
    released: int = 0
    """How many of a FINALIZED reservation were given back, item by item."""
    status: ReservationStatus
    expires_at: datetime | None
    """A copy for people; only the order expires a reservation that has one."""
    created_at: datetime

    @classmethod
    def held(cls, asked: HoldReservation, now: datetime) -> "Reservation":
        """Set aside what an order asks for."""
        return cls(
            reservation_id=asked.reservation_id,
            ticket_id=asked.ticket_id,
            order_id=asked.order_id,
            order_version=asked.order_version,
            user_id=asked.user_id,
            quantity=asked.quantity,
            status="HELD",
            expires_at=asked.expires_at,
            created_at=now,
        )

    @property
    def reserved(self) -> int:
        """How many of the ticket's reserved ones are its own."""
        return self.quantity if self.status == "HELD" else 0

    @property
    def sold(self) -> int:
        """How many of the ticket's sold ones are its own."""
        return self.quantity - self.released if self.status == "FINALIZED" else 0

    @property
    def live(self) -> int:
        """How many of the user's limit this takes."""
        return self.reserved + self.sold

    def may(self, status: ReservationStatus) -> bool:
        """Whether it may move there."""
        return status in MOVES[self.status]

    def moved(self, status: ReservationStatus, order_version: int) -> "Reservation":
        """Move, or stay where the table knows no move; the version is applied either way."""
        return replace(
            self, status=status if self.may(status) else self.status, order_version=order_version
        )

    def kept(self, quantity: int, order_version: int) -> "Reservation":
        """Stay sold, but for what was given back: at most `quantity` are left.

        Only a confirmed order gives back some of what it has, so one that is still HELD has
        been overtaken by this.
        """
        if self.status not in {"HELD", "FINALIZED"}:
            return replace(self, order_version=order_version)
        released = max(self.released, self.quantity - quantity)
        return replace(self, status="FINALIZED", released=released, order_version=order_version)
