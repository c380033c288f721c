"""What organizers, buyers and other services say to the venue service."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from bus.stores.postgres import Connection
from schemas.order import OrderCancelled, OrderCompleted
from schemas.ticket import SeatSpec, SectionSpec, TicketEvent, TicketState, TierSpec
from schemas.venue import (
    ActivatePlan,
    ChangeSettings,
    CreatePlan,
    CreateVenue,
    FreeSeats,
    HoldSeats,
    PlanActivated,
    PlanCreated,
    ReleaseSeats,
    ReserveSeats,
    VenueCreated,
)
from tests.driven import Driven, Said, postgres
from tests.unit.view.samples import Sale

STARTS = datetime(2030, 1, 1, tzinfo=UTC)
Row = dict[str, Any]
Venues = Driven[Connection]


class Sold:
    """An organizer, a venue, and a plan of one ticket."""

    def __init__(self, venues: Venues, *, active: bool = True, **plan: Any) -> None:  # noqa: ANN401  # The command's fields.
        """Make them, the plan on sale unless said otherwise."""
        self.venues, self.organizer, self.ticket_id = venues, uuid4(), uuid4()
        create = CreateVenue(name="Hall", capacity=9, timezone="Europe/Vienna", address="Street 1")
        self.venue_id = venues.told(create, user_id=self.organizer).one(VenueCreated).venue_id
        self.created = self.create(**plan).one(PlanCreated)
        self.plan_id = self.created.plan_id
        if active:
            activate = ActivatePlan(plan_id=self.plan_id)
            venues.told(activate, user_id=self.organizer).one(PlanActivated)

    def create(self, **other: Any) -> Said:  # noqa: ANN401
        """Ask for a plan: two rows of five seats unless said otherwise."""
        return self.venues.told(self.wanted(**other))

    def wanted(self, **other: Any) -> CreatePlan:  # noqa: ANN401
        """Return the command of the ticket service."""
        told: dict[str, Any] = {
            "venue_id": self.venue_id,
            "ticket_id": self.ticket_id,
            "organizer_id": self.organizer,
            "ticket_type": "SEATED_MANUAL",
            "price": Decimal("20.00"),
            "currency": "EUR",
            "name": "Evening",
            "assignment_mode": "manual",
            "pricing_mode": "single",
            "max_seats_per_order": 4,
            "sections": [stalls()],
        }
        return CreatePlan(**told | other)

    @property
    def seats(self) -> list[UUID]:
        """All seats, in the plan's order."""
        return [
            seat.seat_id
            for section in self.created.sections
            for row in section.rows
            for seat in row.seats
        ]

    def hold(self, user_id: UUID, *seats: int) -> Said:
        """Hold seats by their numbers."""
        return self.venues.told(self.holding(*seats), user_id=user_id)

    def holding(self, *seats: int) -> HoldSeats:
        """Return the command of a buyer."""
        return HoldSeats(plan_id=self.plan_id, seat_ids=[self.seats[number] for number in seats])

    def free(self, user_id: UUID, *seats: int) -> Said:
        """Give holds back by the seats' numbers, or all."""
        ids = [self.seats[number] for number in seats] if seats else None
        return self.venues.told(FreeSeats(plan_id=self.plan_id, seat_ids=ids), user_id=user_id)

    def ttl(self, seconds: int) -> None:
        """Change how long a hold lasts."""
        self.venues.told(ChangeSettings(hold_ttl_sec=seconds), user_id=self.organizer)

    def statuses(self) -> str:
        """Return the first letter of each seat's status, in the plan's order."""
        rows = postgres("venue").db.execute(
            "SELECT status FROM seats WHERE plan_id = %s ORDER BY number", [self.plan_id]
        )
        return "".join(row["status"][0] for row in rows)

    def later(self, seconds: float) -> None:
        """Let time pass for all that is held."""
        passed = timedelta(seconds=seconds)
        postgres("venue").db.execute(
            "UPDATE seats SET held_until = held_until - %(passed)s,"
            " hold_started_at = hold_started_at - %(passed)s, armed_at = armed_at - %(passed)s"
            " WHERE plan_id = %(plan)s AND status = 'HELD'",
            {"passed": passed, "plan": self.plan_id},
        )


class Asking(Sale):
    """An order as the order and the ticket service tell of it."""

    def __init__(self, sold: Sold, *seats: int, user_id: UUID | None = None) -> None:
        """Name seats by their numbers; none: the best available."""
        super().__init__()
        self.sold = sold
        self.ticket_id = sold.ticket_id
        self.user_id = user_id or uuid4()
        self.seat_ids = [sold.seats[number] for number in seats] or None
        self.quantity = len(seats) or 2

    def wanted(self, version: int = 1, **other: Any) -> ReserveSeats:  # noqa: ANN401
        """Return the command of the ticket service."""
        told: dict[str, Any] = {
            "plan_id": self.sold.plan_id,
            "order_id": self.order_id,
            "order_version": version,
            "reservation_id": self.reservation_id,
            "ticket_id": self.ticket_id,
            "user_id": self.user_id,
            "quantity": self.quantity,
            "seat_ids": self.seat_ids,
            "section_id": None,
            "accessible": False,
            "expires_at": datetime.now(UTC) + timedelta(minutes=5),
        }
        return ReserveSeats(**told | other)

    def reserve(self, version: int = 1, **other: Any) -> Said:  # noqa: ANN401
        """Ask for the seats."""
        return self.sold.venues.told(self.wanted(version, **other))

    def completed(self, version: int = 3) -> OrderCompleted:
        """Say that it is confirmed."""
        return self.order(OrderCompleted, version, "CONFIRMED", seated=True)

    def cancelled(
        self,
        version: int = 3,
        status: str = "CANCELLED",
        **other: Any,  # noqa: ANN401
    ) -> OrderCancelled:
        """Say that it has ended."""
        told = {"seated": True, "cancel_reason": "cancelled"} | other
        return self.order(OrderCancelled, version, status, **told)

    def release(self, version: int = 3, *seats: int, quantity: int = 0) -> ReleaseSeats:
        """Give back all, or some seats by their numbers, or so many places."""
        ids = [self.sold.seats[number] for number in seats] or ([] if quantity else None)
        return ReleaseSeats(
            order_id=self.order_id,
            order_version=version,
            reservation_id=self.reservation_id,
            ticket_id=self.ticket_id,
            user_id=self.user_id,
            seat_ids=ids,
            quantity=quantity,
        )

    def tell(self, message: OrderCompleted | OrderCancelled | ReleaseSeats) -> Said:
        """Say something of it."""
        return self.sold.venues.told(message)

    def status(self) -> str | None:
        """Return what is kept of its reservation."""
        row = (
            postgres("venue")
            .db.execute("SELECT status FROM seat_reservations WHERE order_id = %s", [self.order_id])
            .fetchone()
        )
        return row["status"] if row else None


def ticket(sold: Sold, said: type[TicketState], revision: int, **other: Any) -> TicketState:  # noqa: ANN401
    """Return what the ticket service says of a plan's ticket."""
    told: dict[str, Any] = {
        "ticket_id": sold.ticket_id,
        "organizer_id": sold.organizer,
        "title": "Evening",
        "price": Decimal("20.00"),
        "currency": "EUR",
        "quota": 0,
        "reserved": 0,
        "sold": 0,
        "max_per_user": 4,
        "ticket_type": "SEATED_MANUAL",
        "status": "draft",
        "seating_plan_id": None,
        "event": TicketEvent(title="A", starts_at=STARTS, ends_at=STARTS + timedelta(hours=2)),
        "version": 1,
        "revision": revision,
        "created_at": STARTS,
        "updated_at": STARTS,
    }
    return said(**told | other)


def stalls(rows: int = 2, columns: int = 5, **other: Any) -> SectionSpec:  # noqa: ANN401
    """Return a section of a plan's own."""
    told: dict[str, Any] = {
        "name": "Stalls",
        "type": "seated",
        "row_count": rows,
        "column_count": columns,
    }
    return SectionSpec(**told | other)


def standing(capacity: int = 10, **other: Any) -> SectionSpec:  # noqa: ANN401
    """Return a general-admission section."""
    told: dict[str, Any] = {"name": "Floor", "type": "ga", "capacity": capacity}
    return SectionSpec(**told | other)


def tier(name: str, price: str) -> TierSpec:
    """Return a price level."""
    return TierSpec(name=name, price=Decimal(price))


def place(row: int, column: int, **other: Any) -> SeatSpec:  # noqa: ANN401
    """Return what is special about a place."""
    return SeatSpec(row=row, column=column, **other)
