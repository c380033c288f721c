"""What is said of single seats: picked and given back by buyers, blocked by their organizer."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from bus.service import Refusal, Transaction
from bus.stores.postgres import Connection
from schemas.expiration import ArmHold, ClockTicked, HoldFired
from schemas.venue import (
    BlockSeats,
    FreeSeats,
    HoldSeats,
    SeatsBlocked,
    SeatsFreed,
    SeatsHeld,
    SeatsUnblocked,
    UnblockSeats,
)
from workers.venue import floor, seat_store
from workers.venue.floor import Floor
from workers.venue.orphans import orphans
from workers.venue.plan import Plan
from workers.venue.seat import GRACE, Seat, changes, party_of
from workers.venue.service import venue
from workers.venue.venue_handlers import asking

_REARMED_AT_ONCE = 2000
_TAKEN = "Some of the seats are taken."

Tx = Transaction[Connection]


@venue.handles(HoldSeats, key=lambda _: None)  # The plan's row keeps rivals apart.
def hold(command: HoldSeats, tx: Tx) -> None:
    """Pick seats for a buyer: all or none."""
    user_id, here = asking(tx), floor.of(tx)
    check_named(command.seat_ids)
    if taken := here.hopeless.get(tx.cause.id):
        raise unavailable(taken)
    plan = known(here, command.plan_id)
    plan.check_on_sale()
    plan.check_by_hand()
    wanted = seats_of(here, plan, command.seat_ids)
    check_free(here, wanted, user_id)
    party = _granted_together(here, plan, user_id, command.seat_ids)
    ttl, generation = timedelta(seconds=plan.hold_ttl_sec), here.generation()
    asked = [
        seat.held(user_id, here.now, ttl, generation=generation, party=party) for seat in wanted
    ]
    held = [here.change(seat) for seat in asked]
    until = min(seat.hold.until for seat in held if seat.hold)
    tx.emit(
        SeatsHeld(
            plan_id=plan.plan_id,
            seats=changes(held),
            areas=[],
            user_id=user_id,
            held=command.seat_ids,
            hold_expires_at=until,
        )
    )
    _arm(here, plan.plan_id, user_id, generation, tx)


@venue.handles(FreeSeats, key=lambda _: None)
def free(command: FreeSeats, tx: Tx) -> None:
    """Give picked seats back; what somebody else has stays as it is."""
    user_id, here = asking(tx), floor.of(tx)
    plan = known(here, command.plan_id)
    mine = here.held_by(user_id, plan.plan_id)
    if command.seat_ids is not None:
        check_named(command.seat_ids)
        seats_of(here, plan, command.seat_ids)
        mine = [seat for seat in mine if seat.seat_id in set(command.seat_ids)]
    _free(here, plan.plan_id, mine, tx)


@venue.handles(HoldFired, key=lambda _: None)
def expire(event: HoldFired, tx: Tx) -> None:
    """Free what a buyer has held for too long; a hold that was renewed has a timer of its own."""
    here = floor.of(tx)
    held = here.held_by(event.user_id, event.plan_id)
    due = [seat for seat in held if seat.hold and seat.hold.generation <= event.arm]
    over = [seat for seat in due if seat.hold and seat.hold.overdue(here.now)]
    if over:
        _free(here, event.plan_id, over, tx)
    if len(over) < len(held) and (over or due):
        _arm(here, event.plan_id, event.user_id, here.generation(), tx)


@venue.handles(ClockTicked)
def rearm(_: ClockTicked, tx: Tx) -> None:
    """The seats are the truth and the timers an index: arm again what should fire soon."""
    for row in seat_store.rearm(tx.db, tx.now, _REARMED_AT_ONCE):
        tx.emit(
            ArmHold(
                plan_id=row["plan_id"],
                user_id=row["user_id"],
                deadline=row["until"] + GRACE,
                arm=row["arm"],
            )
        )


@venue.handles(BlockSeats)
def block(command: BlockSeats, tx: Tx) -> None:
    """Take free seats off sale; the ticket's quota follows."""
    here, plan, wanted = _organizers(command, tx)
    unblocked = [seat for seat in wanted if seat.status != "BLOCKED"]
    if taken := [seat.seat_id for seat in unblocked if not seat.free(here.now)]:
        raise unavailable(taken)
    freed = [seat.moved("AVAILABLE") if seat.hold else seat for seat in unblocked]
    blocked = [here.change(seat.moved("BLOCKED")) for seat in freed]
    changed = _recount(here, plan, -len(blocked))
    tx.emit(SeatsBlocked.of(changed, seats=changes(blocked), areas=[]))


@venue.handles(UnblockSeats)
def unblock(command: UnblockSeats, tx: Tx) -> None:
    """Put blocked seats back on sale; the ticket's quota follows."""
    here, plan, wanted = _organizers(command, tx)
    freed = [here.change(seat.moved("AVAILABLE")) for seat in wanted if seat.status == "BLOCKED"]
    changed = _recount(here, plan, len(freed))
    tx.emit(SeatsUnblocked.of(changed, seats=changes(freed), areas=[]))


# What handlers about seats and about orders have in common.


def known(here: Floor, plan_id: UUID) -> Plan:
    """Return a plan.

    Raises:
        Refusal: not_found.
    """
    plan = here.plan(plan_id)
    if plan is None:
        raise Refusal("not_found", "There is no such plan.")
    return plan


def check_named(seat_ids: Sequence[UUID]) -> None:
    """Check that seats are named, each once.

    Raises:
        Refusal: invalid_request.
    """
    if not seat_ids:
        raise Refusal("invalid_request", "Name at least one seat.")
    twice = [str(seat_id) for seat_id, count in Counter(seat_ids).items() if count > 1]
    if twice:
        raise Refusal("invalid_request", f"Named twice: {', '.join(twice[:10])}.")


def seats_of(here: Floor, plan: Plan, seat_ids: Sequence[UUID]) -> list[Seat]:
    """Return these seats of a plan.

    Raises:
        Refusal: not_found, when one of them is not the plan's.
    """
    found = [seat for seat in here.seats_of(seat_ids) if seat.plan_id == plan.plan_id]
    if len(found) < len(seat_ids):
        foreign = set(seat_ids) - {seat.seat_id for seat in found}
        told = ", ".join(sorted(map(str, foreign))[:10])
        raise Refusal("not_found", f"Not seats of this plan: {told}.")
    return found


def held_of(here: Floor, plan: Plan, user_id: UUID) -> list[Seat]:
    """Return what a user holds of a plan and has not lost yet."""
    held = here.held_by(user_id, plan.plan_id)
    return [seat for seat in held if seat.held_by(user_id, here.now)]


def check_orphans(here: Floor, plan: Plan, seat_ids: set[UUID], own: Iterable[Seat] = ()) -> None:
    """Check that seats picked by hand leave no single one, where the organizer minds.

    What is the buyer's own besides counts as free: it may be given back at any time.

    Raises:
        Refusal: orphan_seat.
    """
    if not plan.prevent_orphans:
        return
    hall = here.hall(plan)
    picked = [hall.number[seat_id] for seat_id in seat_ids]
    besides = [hall.number[seat.seat_id] for seat in own]
    left = orphans(hall, here.letters(plan), picked, besides)
    if left:
        alone = here.seats_of(hall.seat_ids[number] for number in left)
        told = ", ".join(seat.label for seat in alone)
        raise Refusal("orphan_seat", f"{told} would be left alone; as many fit otherwise.")


def check_free(here: Floor, seats: Iterable[Seat], user_id: UUID) -> None:
    """Check that a user could have these seats.

    Raises:
        Refusal: seats_unavailable.
    """
    taken = [seat for seat in seats if not seat.free_for(user_id, here.now)]
    if not taken:
        return
    reserved = [seat.seat_id for seat in taken if seat.status == "RESERVED"]
    own = here.reserved_for(user_id, reserved)
    told = "An unpaid order of yours has some of the seats." if own else _TAKEN
    raise unavailable([seat.seat_id for seat in taken], told)


def unavailable(taken: list[UUID], told: str = _TAKEN) -> Refusal:
    """Say no because some of the seats are not to be had."""
    return Refusal("seats_unavailable", told, seat_ids=taken)


def _granted_together(
    here: Floor, plan: Plan, user_id: UUID, seat_ids: Sequence[UUID]
) -> int | None:
    """Return how many seats a hold grants together, with all that its user has already.

    What is only extended was judged when it was granted, and is no more of a promise than before.

    Raises:
        Refusal: limit_exceeded or orphan_seat.
    """
    held = held_of(here, plan, user_id)
    own = {seat.seat_id for seat in held}
    together = own | set(seat_ids)
    plan.check_count(len(together))
    if together == own:
        return party_of(held)
    check_orphans(here, plan, together)
    return len(together)


def _arm(here: Floor, plan_id: UUID, user_id: UUID, arm: int, tx: Tx) -> None:
    """Set the one timer of all that a user holds of a plan, to the first that ends."""
    first = min(seat.hold.until for seat in here.held_by(user_id, plan_id) if seat.hold)
    tx.emit(
        ArmHold(plan_id=plan_id, user_id=user_id, deadline=first + GRACE, arm=arm),
        operation_id=None,
    )


def _free(here: Floor, plan_id: UUID, held: Sequence[Seat], tx: Tx) -> None:
    freed = [here.change(seat.moved("AVAILABLE")) for seat in held]
    tx.emit(SeatsFreed(plan_id=plan_id, seats=changes(freed), areas=[]))


def _organizers(command: BlockSeats | UnblockSeats, tx: Tx) -> tuple[Floor, Plan, list[Seat]]:
    here = floor.of(tx)
    plan = known(here, command.plan_id).owned_by(tx.cause.user_id)
    check_named(command.seat_ids)
    return here, plan, seats_of(here, plan, command.seat_ids)


def _recount(here: Floor, plan: Plan, difference: int) -> Plan:
    counted = replace(plan, sellable=plan.sellable + difference)
    return here.change_plan(counted.moved(here.now))
