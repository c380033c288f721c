"""Plans and seats as the venue service says them, for tests of the maps."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid4

from schemas.venue import (
    AreaChange,
    LaidRow,
    LaidSeat,
    LaidSection,
    PlanState,
    SeatChange,
    SeatsFreed,
    SeatsHeld,
    SeatsReleased,
    SeatsReserved,
    SeatStatus,
)
from tests.unit.view.samples import NOW, Sale

_Plan = TypeVar("_Plan", bound=PlanState)


class Hall:
    """A plan of one section with numbered seats and one without."""

    def __init__(self, rows: int = 2, columns: int = 3, capacity: int = 10) -> None:
        """Make up the ids."""
        self.plan_id, self.ticket_id, self.organizer_id = uuid4(), uuid4(), uuid4()
        self.stalls, self.floor, self.capacity = uuid4(), uuid4(), capacity
        self.rows = [[uuid4() for _ in range(columns)] for _ in range(rows)]

    @property
    def seats(self) -> list[UUID]:
        """Every seat, in the plan's order."""
        return [seat for row in self.rows for seat in row]

    def plan(self, said: type[_Plan], version: int = 1, **other: Any) -> _Plan:  # noqa: ANN401
        """Say the plan; with its sections where the event carries them."""
        fields: dict[str, Any] = {
            "plan_id": self.plan_id,
            "venue_id": uuid4(),
            "ticket_id": self.ticket_id,
            "organizer_id": self.organizer_id,
            "name": "Evening",
            "status": "draft",
            "assignment_mode": "manual",
            "pricing_mode": "single",
            "max_seats_per_order": 10,
            "currency": "EUR",
            "price_tiers": [],
            "focal_point": None,
            "prevent_orphans": False,
            "layout_json": None,
            "sellable": len(self.seats) + self.capacity,
            "version": version,
            "revision": version,
            "created_at": NOW,
            "updated_at": NOW,
            "sections": self.sections(),
        } | other
        known = said.__dataclass_fields__
        return said(**{name: value for name, value in fields.items() if name in known})

    def sections(self) -> list[LaidSection]:
        """Lay the seats out."""
        rows = [
            LaidRow(
                label=f"R{at}",
                seats=[
                    LaidSeat(
                        seat_id=seat, label=f"R{at}S{column}", column=column, price=Decimal(10)
                    )
                    for column, seat in enumerate(row, 1)
                ],
            )
            for at, row in enumerate(self.rows, 1)
        ]
        return [
            _section(self.stalls, "Stalls", rows=rows),
            _section(self.floor, "Floor", type="ga", capacity=self.capacity, price=Decimal(8)),
        ]

    def held(self, seats: Sequence[UUID], revision: int = 1) -> SeatsHeld:
        """Say that a buyer picked these."""
        return SeatsHeld(
            plan_id=self.plan_id,
            seats=changes(seats, "HELD", revision),
            areas=[],
            user_id=uuid4(),
            held=list(seats),
            hold_expires_at=NOW + timedelta(minutes=10),
        )

    def freed(self, seats: Sequence[UUID], revision: int) -> SeatsFreed:
        """Say that these can be had again."""
        return SeatsFreed(
            plan_id=self.plan_id, seats=changes(seats, "AVAILABLE", revision), areas=[]
        )

    def reserved(
        self, sale: Sale, seats: Sequence[UUID], revision: int = 1, taken: int = 0
    ) -> SeatsReserved:
        """Say that these, and so many places without numbers, are an order's."""
        return SeatsReserved(
            order_id=sale.order_id,
            order_version=1,
            reservation_id=sale.reservation_id,
            plan_id=self.plan_id,
            ticket_id=self.ticket_id,
            organizer_id=self.organizer_id,
            seats=changes(seats, "RESERVED", revision),
            areas=[self.area(taken, revision)] if taken else [],
            items=[],
            currency="EUR",
            hold_ttl_sec=600,
        )

    def released(self, sale: Sale, seats: Sequence[UUID], revision: int) -> SeatsReleased:
        """Say that an order has given these back."""
        return SeatsReleased(
            order_id=sale.order_id,
            order_version=9,
            reservation_id=sale.reservation_id,
            status="RELEASED",
            plan_id=self.plan_id,
            seats=changes(seats, "AVAILABLE", revision),
            areas=[],
        )

    def area(self, reserved: int, revision: int) -> AreaChange:
        """Say how much of the floor is taken."""
        return AreaChange(
            section_id=self.floor,
            capacity=self.capacity,
            reserved=reserved,
            sold=0,
            revision=revision,
        )


def changes(seats: Sequence[UUID], status: SeatStatus, revision: int) -> list[SeatChange]:
    """Say what became of seats."""
    return [SeatChange(seat_id=seat, status=status, revision=revision) for seat in seats]


def _section(section_id: UUID, name: str, **other: Any) -> LaidSection:  # noqa: ANN401
    fields: dict[str, Any] = {
        "section_id": section_id,
        "name": name,
        "type": "seated",
        "capacity": None,
        "price": None,
        "position_json": None,
        "rows": [],
    }
    return LaidSection(**(fields | other))
