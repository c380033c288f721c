"""Halls: tickets with seats, and people who pick them, whoever has them."""

from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from bus.envelope import decode
from bus.runner import Done, Incoming
from schemas.message import Message
from schemas.ticket import RequestPlan, SectionSpec, TicketOnSale
from schemas.venue import (
    ActivatePlan,
    BlockSeats,
    CreateVenue,
    HoldSeats,
    PlanCreated,
    UnblockSeats,
    VenueCreated,
)
from tests.saga.stripe import Stripe
from tests.saga.town import Town

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Hall:
    """The plan of one ticket: a row of seats, and a few places to stand."""

    ticket_id: UUID
    plan_id: UUID
    assigned: str
    seats: list[UUID]
    sections: list[UUID]


class Halls(Town):
    """A town with halls in it."""

    def __init__(self, seed: int, stripe: Stripe) -> None:
        """There are none yet."""
        super().__init__(seed, stripe)
        self.halls: dict[UUID, Hall] = {}

    def choice(self, ticket_id: UUID) -> dict[str, Any]:
        """Choose in the way of the ticket's type, or seldom in another."""
        hall, quantity = self.halls.get(ticket_id), self.random.randint(1, 3)
        if hall is None or self.random.random() < 0.03:
            return super().choice(ticket_id)
        if self.random.random() < 0.25:
            return {"quantity": quantity, "section_id": self.random.choice(hall.sections)}
        if hall.assigned == "auto":
            return {"quantity": quantity}
        return {"seat_ids": self.random.sample(hall.seats, quantity)}

    def hold(self) -> None:
        """Pick seats, whoever has them."""
        for hall in self._any_hall():
            seats = self.random.sample(hall.seats, self.random.randint(1, 2))
            command = HoldSeats(plan_id=hall.plan_id, seat_ids=seats)
            self.ask(command, self.random.choice(self.buyers))

    def block(self) -> None:
        """Take a seat off sale, or put it back, as far as it is free."""
        for hall in self._any_hall():
            kind = self.random.choice([BlockSeats, UnblockSeats])
            seats = self.random.sample(hall.seats, 1)
            self.ask(kind(plan_id=hall.plan_id, seat_ids=seats), self.organizer)

    def _any_hall(self) -> list[Hall]:
        return self.random.sample(list(self.halls.values()), 1) if self.halls else []

    def build(self) -> UUID:
        """Offer a ticket with seats; return its id."""
        mode = self.random.choice(["manual", "auto"])
        ticket_id = self.offer(ticket_type=f"SEATED_{mode.upper()}", quota=None)
        venue = CreateVenue(name="Hall", capacity=9, timezone="Europe/Vienna", address="Street 1")
        plan = RequestPlan(
            ticket_id=ticket_id,
            venue_id=self._told(venue, VenueCreated).venue_id,
            name="Evening",
            assignment_mode=mode,  # type: ignore[arg-type]  # One of the two.
            pricing_mode="single",
            sections=[
                SectionSpec(name="Stalls", type="seated", row_count=1, column_count=4),
                SectionSpec(name="Standing", type="ga", capacity=2),
            ],
        )
        created = self._told(plan, PlanCreated)
        self._told(ActivatePlan(plan_id=created.plan_id), TicketOnSale)
        rows = [row for section in created.sections for row in section.rows]
        seats = [seat.seat_id for row in rows for seat in row.seats]
        sections = [each.section_id for each in created.sections]
        self.halls[ticket_id] = Hall(ticket_id, created.plan_id, mode, seats, sections)
        return ticket_id

    def _told(self, command: Message, answer: type[M]) -> M:
        """Ask for something, let ticket and venue do it, and return what they say."""
        self.ask(command, self.organizer)
        while names := [name for name in ("ticket", "venue") if self.bags[name].waiting]:
            bag = self.bags[names[0]]
            batch, bag.waiting = bag.waiting, []
            verdicts = self.runners[names[0]].run([Incoming(each) for each in batch])
            assert verdicts == [Done()] * len(batch)
        said = (decode(body).data for body in reversed(self.bags["view"].waiting))
        return next(each for each in said if isinstance(each, answer))
