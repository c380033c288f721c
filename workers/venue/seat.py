"""A seat and its allowed moves; a general-admission section and its counters.

    AVAILABLE <-> BLOCKED · AVAILABLE -> HELD -> RESERVED -> SOLD · AVAILABLE -> RESERVED
    HELD, RESERVED, SOLD -> AVAILABLE

A hold lasts until `held_until`. For a few seconds more nobody else can have the seat: firing waits
for them, and an order on its way is still in time. After that the seat is as good as free, whether
its timer has fired or not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from bus.service import Refusal
from schemas.venue import AreaChange, SeatChange, SeatStatus

GRACE = timedelta(seconds=5)
_LONGEST_TTLS = 3
"""How often a hold's time may pass before it is started anew."""

MOVES: dict[SeatStatus, set[SeatStatus]] = {
    "AVAILABLE": {"BLOCKED", "HELD", "RESERVED"},
    "BLOCKED": {"AVAILABLE"},
    "HELD": {"HELD", "RESERVED", "AVAILABLE"},
    "RESERVED": {"SOLD", "AVAILABLE"},
    "SOLD": {"AVAILABLE"},
}


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Who holds a seat, and for how long."""

    user_id: UUID
    until: datetime
    started_at: datetime
    generation: int
    party: int | None
    """How many seats its user was granted together; None if that was not kept yet."""

    def overdue(self, now: datetime) -> bool:
        """Whether its time is over, and the grace, too."""
        return self.until + GRACE <= now

    def extended(self, now: datetime, ttl: timedelta, generation: int, party: int | None) -> "Hold":
        """Hold on, up to three times the time of a hold from its start.

        Raises:
            Refusal: hold_expired.
        """
        until = max(self.until, min(now + ttl, self.started_at + _LONGEST_TTLS * ttl))
        if until <= now:
            raise Refusal("hold_expired", "These seats were held for as long as can be.")
        return replace(self, until=until, generation=generation, party=party)


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A seat as those see it who want it."""

    seat_id: UUID
    plan_id: UUID
    section_id: UUID
    label: str
    seat_tier: str | None
    section_tier: str | None
    status: SeatStatus
    hold: Hold | None
    revision: int

    def held_by(self, user_id: UUID, now: datetime) -> bool:
        """Whether this user holds it."""
        hold = self.hold
        return hold is not None and hold.user_id == user_id and not hold.overdue(now)

    def free(self, now: datetime) -> bool:
        """Whether anybody could have it."""
        return self.status == "AVAILABLE" or (self.hold is not None and self.hold.overdue(now))

    def free_for(self, user_id: UUID, now: datetime) -> bool:
        """Whether this user could have it."""
        return self.free(now) or self.held_by(user_id, now)

    def held(
        self,
        user_id: UUID,
        now: datetime,
        ttl: timedelta,
        *,
        generation: int,
        party: int | None,
    ) -> "Seat":
        """Hold it for a user for whom it is free.

        Raises:
            Refusal: hold_expired.
        """
        if self.hold and self.held_by(user_id, now):
            hold = self.hold.extended(now, ttl, generation, party)
        else:
            hold = Hold(
                user_id=user_id,
                until=now + ttl,
                started_at=now,
                generation=generation,
                party=party,
            )
        return self.moved("HELD", hold)

    def moved(self, status: SeatStatus, hold: Hold | None = None) -> "Seat":
        """Move to where the table allows.

        Raises:
            ValueError: it does not; whoever asks has to have looked.
        """
        if status not in MOVES[self.status]:
            msg = f"seat {self.seat_id} is {self.status}, it cannot become {status}"
            raise ValueError(msg)
        return replace(self, status=status, hold=hold, revision=self.revision + 1)


def promised(seats: Sequence[Seat], user_id: UUID, now: datetime) -> bool:
    """Whether these very seats were granted to a user together, by the newest of their holds.

    That one counted all that the user held. Whatever they hold since before it was among them, so
    that no other seats are as many.
    """
    own = all(seat.held_by(user_id, now) for seat in seats)
    return own and party_of(seats) in {None, len(seats)}


def party_of(held: Iterable[Seat]) -> int | None:
    """Return how many seats the newest of these holds granted together."""
    return max((seat.hold for seat in held if seat.hold), key=lambda hold: hold.generation).party


@dataclass(frozen=True, kw_only=True)
class Area:
    """A general-admission section and what is left of it."""

    section_id: UUID
    plan_id: UUID
    name: str
    tier: str | None
    capacity: int
    reserved: int
    sold: int
    revision: int

    @property
    def left(self) -> int:
        """How many can still be had."""
        return self.capacity - self.reserved - self.sold

    def moved(self, *, reserved: int = 0, sold: int = 0) -> "Area":
        """Count what changed."""
        return replace(
            self,
            reserved=self.reserved + reserved,
            sold=self.sold + sold,
            revision=self.revision + 1,
        )


def changes(seats: Iterable[Seat]) -> list[SeatChange]:
    """Say what became of seats."""
    return [
        SeatChange(seat_id=seat.seat_id, status=seat.status, revision=seat.revision)
        for seat in seats
    ]


def area_changes(areas: Iterable[Area]) -> list[AreaChange]:
    """Say what is left of areas."""
    return [AreaChange.of(area) for area in areas]
