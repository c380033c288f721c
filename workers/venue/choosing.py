"""Which seats an order is given: those it names, or the best of a section or of the plan."""

from collections.abc import Sequence
from dataclasses import dataclass

from bus.service import Refusal
from schemas.venue import ReserveSeats
from workers.venue.best_available import choose
from workers.venue.floor import Floor
from workers.venue.plan import Plan
from workers.venue.seat import Area, Seat, promised
from workers.venue.seat_handlers import (
    check_free,
    check_named,
    check_orphans,
    held_of,
    seats_of,
)


@dataclass(frozen=True)
class Choice:
    """Seats, and how many places in general-admission sections."""

    seats: Sequence[Seat]
    places: Sequence[tuple[Area, int]] = ()

    @property
    def quantity(self) -> int:
        """How many people it is for."""
        return len(self.seats) + sum(count for _, count in self.places)


def chosen(here: Floor, plan: Plan, command: ReserveSeats) -> Choice:
    """Return what an order gets of a plan.

    Raises:
        Refusal: invalid_request, not_found, limit_exceeded, seats_unavailable, orphan_seat or
            sold_out.
    """
    if command.seat_ids is not None:
        return Choice(_named(here, plan, command))
    if command.quantity < 1:
        raise Refusal("invalid_request", "Ask for at least one seat.")
    plan.check_count(command.quantity)
    areas = here.areas_of(plan.plan_id)
    if command.section_id is not None:
        areas = [area for area in areas if area.section_id == command.section_id]
        if areas:
            return _standing(areas, command)
        if command.section_id not in here.hall(plan).sections:
            raise Refusal("not_found", "The plan has no such section.")
    found = _best(here, plan, command)
    if found is not None:
        return Choice(found)
    if command.accessible:
        raise Refusal("sold_out", "No accessible seats are left.")
    return _standing(areas, command)


def _standing(areas: Sequence[Area], command: ReserveSeats) -> Choice:
    if command.accessible:
        raise Refusal("invalid_request", "General admission has no accessible seats.")
    return Choice([], _places(areas, command.quantity))


def _named(here: Floor, plan: Plan, command: ReserveSeats) -> list[Seat]:
    seat_ids, user_id = command.seat_ids or [], command.user_id
    check_named(seat_ids)
    plan.check_by_hand()
    plan.check_count(len(seat_ids))
    wanted = seats_of(here, plan, seat_ids)
    check_free(here, wanted, user_id)
    if not promised(wanted, user_id, here.now):
        check_orphans(here, plan, set(seat_ids), held_of(here, plan, user_id))
    return wanted


def _best(here: Floor, plan: Plan, command: ReserveSeats) -> list[Seat] | None:
    hall = here.hall(plan)
    numbers = choose(
        hall,
        here.letters(plan),
        command.quantity,
        section_id=command.section_id,
        accessible=command.accessible,
    )
    return None if numbers is None else here.seats_of(hall.seat_ids[n] for n in numbers)


def _places(areas: Sequence[Area], quantity: int) -> list[tuple[Area, int]]:
    """Return where that many stand: in one section if it has the room, else in several.

    Raises:
        Refusal: sold_out.
    """
    for area in areas:
        if area.left >= quantity:
            return [(area, quantity)]
    places, missing = [], quantity
    for area in areas:
        count = min(area.left, missing)
        if count:
            places.append((area, count))
            missing -= count
    if missing:
        raise Refusal("sold_out", "Not so many fitting seats are left.")
    return places
