"""The floor: what one transaction sees and changes of seats, areas and reservations.

A batch is a unit of work. What all its messages will ask for is read at once, the handlers decide
on what was read, and all changes are written together before the commit.

Rivals. Whoever changes a seat has its plan's row, locked before the seats are read, so that holds
and orders of one plan are one after the other, whichever message and process they come from. Locks
are asked for in one order: the bus's for the batch's keys first, then the plans by their ids.
Messages about orders have their ticket as key besides: those of one order do not race.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from bus.envelope import Envelope
from bus.service import Transaction
from bus.stores.postgres import Connection
from schemas.expiration import HoldFired
from schemas.order import OrderCancelled, OrderCompleted
from schemas.venue import (
    ActivatePlan,
    BlockSeats,
    DeactivatePlan,
    EditPlan,
    FreeSeats,
    HoldSeats,
    ReleaseSeats,
    ReserveSeats,
    UnblockSeats,
)
from workers.venue import layout_store, plan_store, seat_store
from workers.venue.hall import FREE, Hall
from workers.venue.halls import Halls
from workers.venue.holds import Claim, Claims, Extension
from workers.venue.plan import Plan
from workers.venue.reservation import Reservation
from workers.venue.seat import Area, Seat
from workers.venue.service import stores

Tx = Transaction[Connection]
_T = TypeVar("_T", Seat, Area)

_PLANS = (ActivatePlan, DeactivatePlan, EditPlan, BlockSeats, UnblockSeats, FreeSeats, HoldFired,
          HoldSeats, ReserveSeats)  # fmt: skip
_SEATS = (BlockSeats, UnblockSeats, FreeSeats, HoldSeats, ReserveSeats, ReleaseSeats)
_ORDERS = (ReserveSeats, ReleaseSeats, OrderCompleted, OrderCancelled)
_MOST_SEATS = 200_000
"""Of the halls that a process keeps: ten arenas, at some 600 bytes a seat."""

_claims = Claims()
_halls = Halls(_MOST_SEATS)


class _Unsettled:
    """What a transaction keeps in mind beside its floors."""


@dataclass
class Floor:
    """What this transaction has read and changed."""

    db: Connection
    now: datetime
    unsettled: set[UUID]
    """Plans that this transaction has edited: nobody knows yet whether that stays."""
    plans: dict[UUID, Plan] = field(default_factory=dict)
    seats: dict[UUID, Seat] = field(default_factory=dict)
    areas: dict[UUID, Area] = field(default_factory=dict)
    reservations: dict[UUID, Reservation | None] = field(default_factory=dict)
    hopeless: dict[UUID, list[UUID]] = field(default_factory=dict)
    """By message: seats that others had when it was looked for them without any lock."""
    _read_seats: dict[UUID, int] = field(default_factory=dict)
    _read_areas: dict[UUID, int] = field(default_factory=dict)
    _changed: set[UUID] = field(default_factory=set)
    _held: dict[tuple[UUID, UUID], dict[UUID, None]] = field(default_factory=dict)
    """By plan and user: the seats that were theirs at some time of this transaction."""
    _letters: dict[UUID, str] = field(default_factory=dict)
    _generations: list[int] = field(default_factory=list)

    # Reading.

    def plan(self, plan_id: UUID) -> Plan | None:
        """Return a plan, its row locked."""
        if plan_id not in self.plans:
            self.plans |= plan_store.lock(self.db, [plan_id])
        return self.plans.get(plan_id)

    def seats_of(self, seat_ids: Iterable[UUID]) -> list[Seat]:
        """Return those of these seats that exist, in the order asked for."""
        wanted = list(seat_ids)
        if missing := [seat_id for seat_id in wanted if seat_id not in self.seats]:
            self.learn(seat_store.seats(self.db, missing))
        return [self.seats[seat_id] for seat_id in wanted if seat_id in self.seats]

    def held_by(self, user_id: UUID, plan_id: UUID) -> list[Seat]:
        """Return what a user holds of a plan, overdue or not."""
        seats = [self.seats[seat_id] for seat_id in self._held.get((plan_id, user_id), ())]
        return [seat for seat in seats if seat.hold is not None and seat.hold.user_id == user_id]

    def reserved_for(self, user_id: UUID, seat_ids: Collection[UUID]) -> bool:
        """Whether an order of this user that is not confirmed has one of these seats."""
        if not seat_ids:
            return False
        known = [each for each in self.reservations.values() if each and each.user_id == user_id]
        return any(
            each.status == "RESERVED" and any(item.seat_id in seat_ids for item in each.items)
            for each in known
        ) or seat_store.reserved_for(self.db, user_id, seat_ids)

    def areas_of(self, plan_id: UUID) -> list[Area]:
        """Return a plan's general-admission sections."""
        return [area for area in self.areas.values() if area.plan_id == plan_id]

    def hall(self, plan: Plan) -> Hall:
        """Return how a plan's seats lie; kept by this process for its version."""
        if plan.plan_id in self.unsettled:
            return layout_store.hall(self.db, plan)
        return _halls.of(plan.plan_id, plan.version, lambda: layout_store.hall(self.db, plan))

    def letters(self, plan: Plan) -> str:
        """Return a letter for each seat in the plan's order, A where anybody could have it."""
        if plan.plan_id not in self._letters:
            found = seat_store.letters(self.db, plan.plan_id, self.now)
            self._letters[plan.plan_id] = found
            for seat_id in self._changed & self.seats.keys():
                self._spell(self.seats[seat_id])
        return self._letters[plan.plan_id]

    def generation(self) -> int:
        """Return the number of a new hold."""
        if not self._generations:
            self._generations = seat_store.generations(self.db, 1)
        return self._generations.pop(0)

    def learn(self, seats: Iterable[Seat]) -> None:
        """Take in what was read, but nothing twice: it may have changed here since."""
        for seat in seats:
            if self.seats.setdefault(seat.seat_id, seat) is seat:
                self._read_seats[seat.seat_id] = seat.revision
                self._note_holder(seat)

    # Changing.

    def change(self, changed: Seat) -> Seat:
        """Keep a changed seat."""
        self.seats[changed.seat_id] = changed
        self._changed.add(changed.seat_id)
        self._note_holder(changed)
        self._spell(changed)
        return changed

    def change_area(self, changed: Area) -> Area:
        """Keep a changed area."""
        self.areas[changed.section_id] = changed
        self._changed.add(changed.section_id)
        return changed

    def reserve(self, reservation: Reservation) -> None:
        """Keep a reservation, new or changed."""
        self.reservations[reservation.order_id] = reservation
        self._changed.add(reservation.order_id)

    def change_plan(self, changed: Plan) -> Plan:
        """Keep a changed plan at once: it has one row."""
        plan_store.save(self.db, changed)
        self.plans[changed.plan_id] = changed
        return changed

    def _note_holder(self, seat: Seat) -> None:
        if seat.hold:
            self._held.setdefault((seat.plan_id, seat.hold.user_id), {})[seat.seat_id] = None

    def _spell(self, seat: Seat) -> None:
        letters, plan = self._letters.get(seat.plan_id), self.plans.get(seat.plan_id)
        if letters is None or plan is None:
            return
        number = self.hall(plan).number[seat.seat_id]
        letter = FREE if seat.free(self.now) else "x"
        self._letters[seat.plan_id] = letters[:number] + letter + letters[number + 1 :]

    # Writing.

    def write(self) -> Sequence[Extension]:
        """Write all changes; return what Redis should know of them."""
        seats = _changes(self.seats, self._read_seats)
        areas = _changes(self.areas, self._read_areas)
        reservations = [r for r in self.reservations.values() if r and r.order_id in self._changed]
        if seats:
            seat_store.save_seats(self.db, seats, self.now)
        if areas:
            seat_store.save_areas(self.db, areas)
        if reservations:
            seat_store.save_reservations(self.db, reservations)
        self._changed.clear()
        return [_extension(seat) for _, seat in seats]

    def read_ahead(self, causes: Sequence[Envelope]) -> None:
        """Read what a batch will ask for, the plans' locks first."""
        needed = self._without_hopeless(causes)
        batch = [cause.data for cause in needed]
        orders = [each.order_id for each in batch if isinstance(each, _ORDERS)]
        if orders:
            found = seat_store.reservations(self.db, orders)
            self.reservations = dict.fromkeys(orders) | {each.order_id: each for each in found}
        known = [each for each in self.reservations.values() if each and each.plan_id]
        plan_ids = {each.plan_id for each in batch if isinstance(each, _PLANS)}
        plan_ids |= {each.plan_id for each in known if each.plan_id}
        if not plan_ids:
            return
        self.plans = plan_store.lock(self.db, plan_ids)
        # What was taken before the wait for a plan's row may be free behind it.
        self._forget_hopeless(causes, plan_ids)
        needed = [cause for cause in causes if cause.id not in self.hopeless]
        batch = [cause.data for cause in needed]
        named = [each.seat_ids or [] for each in batch if isinstance(each, _SEATS)]
        named += [[i.seat_id for i in each.items if i.seat_id] for each in known]
        if any(named):
            self.learn(seat_store.seats(self.db, {i for ids in named for i in ids}))
        if holders := _holders(needed):
            self.learn(seat_store.held_seats(self.db, holders))
        if orders:
            self.areas = {a.section_id: a for a in seat_store.areas(self.db, plan_ids)}
            self._read_areas = {a.section_id: a.revision for a in self.areas.values()}
        if holds := sum(isinstance(each, HoldSeats) for each in batch):
            self._generations = seat_store.generations(self.db, holds)

    def _forget_hopeless(self, causes: Sequence[Envelope], plan_ids: Collection[UUID]) -> None:
        for cause in causes:
            if isinstance(cause.data, HoldSeats) and cause.data.plan_id in plan_ids:
                self.hopeless.pop(cause.id, None)

    def _without_hopeless(self, causes: Sequence[Envelope]) -> list[Envelope]:
        """Leave out holds of what others have: Redis says so, and PostgreSQL without a lock."""
        wishes = {cause.id: wish for cause in causes if (wish := _wish(cause))}
        answers = _claims.claim(stores.redis, list(wishes.values()))
        doubtful = {
            message_id: wish
            for (message_id, wish), granted in zip(wishes.items(), answers, strict=True)
            if not granted
        }
        if doubtful:
            ids = {seat_id for wish in doubtful.values() for seat_id in wish.seat_ids}
            seats = {seat.seat_id: seat for seat in seat_store.seats(self.db, ids)}
            for message_id, wish in doubtful.items():
                found = [seats[i] for i in wish.seat_ids if i in seats]
                if taken := [s.seat_id for s in found if not s.free_for(wish.user_id, self.now)]:
                    self.hopeless[message_id] = taken
        return [cause for cause in causes if cause.id not in self.hopeless]


def of(tx: Tx) -> Floor:
    """Return this transaction's floor, all that its batch needs read at once."""
    floor: Floor | None = tx.memory.get(Floor)
    if floor is None:
        floor = tx.memory[Floor] = Floor(tx.db, tx.now, tx.memory.setdefault(_Unsettled, set()))
        floor.read_ahead(tx.causes)
        tx.before_commit(lambda: clear(tx))
    return floor


def clear(tx: Tx) -> None:
    """Write what was changed and forget what was read: somebody goes past the floor."""
    floor: Floor | None = tx.memory.pop(Floor, None)
    if floor is not None and (extensions := floor.write()):
        tx.after_commit(lambda: _claims.extend(stores.redis, extensions))


def edited(tx: Tx, plan_id: UUID) -> None:
    """Take note that a plan's layout has changed in this transaction."""
    tx.memory.setdefault(_Unsettled, set()).add(plan_id)


def _changes(now: dict[UUID, _T], read: dict[UUID, int]) -> list[tuple[int, _T]]:
    """Return what has changed since it was read, in one order for everybody."""
    found = sorted(now.items())
    return [(read[key], each) for key, each in found if each.revision != read[key]]


def _wish(cause: Envelope) -> Claim | None:
    wanted = cause.data
    if not isinstance(wanted, HoldSeats) or cause.user_id is None or not wanted.seat_ids:
        return None
    return Claim(wanted.plan_id, cause.user_id, wanted.seat_ids)


def _holders(causes: Collection[Envelope]) -> set[tuple[UUID, UUID]]:
    """Return whose holds matter, and of which plan."""
    found = set()
    for cause in causes:
        data = cause.data
        if isinstance(data, HoldFired | ReserveSeats):
            found.add((data.plan_id, data.user_id))
        elif isinstance(data, HoldSeats | FreeSeats) and cause.user_id:
            found.add((data.plan_id, cause.user_id))
    return found


def _extension(seat: Seat) -> Extension:
    if seat.hold:
        return Extension(seat.plan_id, seat.seat_id, seat.hold.user_id, seat.hold.until)
    return Extension(seat.plan_id, seat.seat_id)
