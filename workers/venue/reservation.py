"""A seat reservation: what an order has of a plan, and its allowed moves.

    RESERVED -> SOLD, RELEASED, EXPIRED · SOLD -> RELEASED · EXPIRED -> RESERVED (retaken)

`order_version` is the highest that was applied; a message that is not above it is ignored. A
release for an order not seen yet leaves a tombstone: RELEASED, without a plan.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

ReservationStatus = Literal["RESERVED", "RELEASED", "SOLD", "EXPIRED"]

MOVES: dict[ReservationStatus, set[ReservationStatus]] = {
    "RESERVED": {"SOLD", "RELEASED", "EXPIRED"},
    "SOLD": {"RELEASED"},
    "EXPIRED": {"RESERVED"},
    "RELEASED": set(),
}


@dataclass(frozen=True, kw_only=True)
class Item:
    """A seat, or a number of places in a general-admission section, at the price of the moment."""

    position: int
    seat_id: UUID | None
    section_id: UUID | None
    """None when an edit of the plan has removed it since; so is a seat's id."""
    seat_label: str
    price: Decimal
    quantity: int
    released: int = 0
    live: bool = True
    seated: bool

    @property
    def left(self) -> int:
        """How much of it the order still has."""
        return self.quantity - self.released if self.live else 0

    def given_back(self, quantity: int) -> "Item":
        """Give some of it back, for good."""
        released = self.released + min(quantity, self.left)
        return replace(self, released=released, live=released < self.quantity)


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """One order's seats."""

    reservation_id: UUID
    plan_id: UUID | None
    ticket_id: UUID
    order_id: UUID
    order_version: int
    user_id: UUID
    section_id: UUID | None
    quantity: int
    status: ReservationStatus
    expires_at: datetime | None
    """A copy for people; only the order expires it."""
    items: Sequence[Item]
    created_at: datetime
    updated_at: datetime

    def may(self, status: ReservationStatus) -> bool:
        """Whether it may move there."""
        return status in MOVES[self.status]

    def seen(self, order_version: int, now: datetime) -> "Reservation":
        """Take note of a message that changes nothing else."""
        return replace(self, order_version=order_version, updated_at=now)

    def sold(self, order_version: int, now: datetime) -> "Reservation":
        """Its order is confirmed."""
        return replace(self.seen(order_version, now), status="SOLD")

    def ended(self, status: ReservationStatus, order_version: int, now: datetime) -> "Reservation":
        """Give back all that the order has; stay where the table knows no move."""
        if not self.may(status):
            return self.seen(order_version, now)
        return replace(
            self.seen(order_version, now),
            status=status,
            items=[replace(item, live=False) for item in self.items],
        )

    def retaken(self, order_version: int, expires_at: datetime, now: datetime) -> "Reservation":
        """Have the same again, at the same prices."""
        return replace(
            self.seen(order_version, now),
            status="RESERVED",
            expires_at=expires_at,
            items=[replace(item, live=item.released < item.quantity) for item in self.items],
        )

    def given_back(
        self, seat_ids: Collection[UUID], quantity: int, order_version: int, now: datetime
    ) -> "Reservation":
        """Give back some items for good; all that were given back so far are named each time.

        Only a confirmed order gives back some of what it has and goes on having the rest: one that
        is still RESERVED has been overtaken by this.
        """
        if self.status not in {"RESERVED", "SOLD"}:
            return self.seen(order_version, now)
        items, owed = [], quantity
        for item in self.items:
            if item.seated:
                back = item.quantity if item.seat_id in seat_ids else 0
            else:
                owed, back = _due(item, owed)
            items.append(item.given_back(back) if back else item)
        left = any(item.live for item in items)
        return replace(
            self.seen(order_version, now), status="SOLD" if left else "RELEASED", items=items
        )

    def keeping(
        self, seat_ids: Collection[UUID], quantity: int, order_version: int, now: datetime
    ) -> "Reservation":
        """Give back all but these, which stay sold although their order has ended."""
        others = {i.seat_id for i in self.items if i.seat_id and i.seat_id not in seat_ids}
        areas = sum(item.quantity for item in self.items if not item.seated)
        return self.given_back(others, max(areas - quantity, 0), order_version, now)


def _due(item: Item, owed: int) -> tuple[int, int]:
    """Return what other items owe yet, and what this one has to give back beside what it has."""
    whole = min(owed, item.quantity)
    return owed - whole, max(whole - item.released, 0)
