"""What orders want of seats: reserved, sold, given back.

Each message carries the order's version; what is not above the highest that was applied is old
news. Seats and the ledger's rows move together, in one transaction.
"""

from collections.abc import Sequence

from bus.service import Refusal, Transaction
from bus.stores.postgres import Connection
from schemas.order import OrderCancelled, OrderCompleted
from schemas.venue import (
    ReleaseSeats,
    ReservedItem,
    ReserveSeats,
    SeatsReleased,
    SeatsReserved,
    SeatsSold,
)
from workers.venue import floor
from workers.venue.choosing import Choice, chosen
from workers.venue.floor import Floor
from workers.venue.plan import Plan
from workers.venue.reservation import Item, Reservation, ReservationStatus
from workers.venue.seat import Area, Seat, area_changes, changes
from workers.venue.seat_handlers import known, unavailable
from workers.venue.service import venue

Tx = Transaction[Connection]


@venue.handles(ReserveSeats, key=lambda command: command.ticket_id)
def reserve(command: ReserveSeats, tx: Tx) -> None:
    """Set seats aside for an order, unless it was already given back."""
    here = floor.of(tx)
    before = here.reservations.get(command.order_id)
    if before is not None:
        _reserve_again(command, before, here, tx)
        return
    plan = known(here, command.plan_id)
    if plan.ticket_id != command.ticket_id:
        raise Refusal("not_found", "The plan is another ticket's.")
    plan.check_on_sale()
    choice = chosen(here, plan, command)
    reservation = Reservation(
        reservation_id=command.reservation_id,
        plan_id=plan.plan_id,
        ticket_id=command.ticket_id,
        order_id=command.order_id,
        order_version=command.order_version,
        user_id=command.user_id,
        section_id=command.section_id,
        quantity=choice.quantity,
        status="RESERVED",
        expires_at=command.expires_at,
        items=list(_items(plan, choice)),
        created_at=here.now,
        updated_at=here.now,
    )
    _take(reservation, choice, plan, here, tx)


@venue.handles(OrderCompleted, key=lambda event: event.ticket_id)
def sell(event: OrderCompleted, tx: Tx) -> None:
    """An order is confirmed: its seats are its own."""
    if event.seated is False:
        return
    here = floor.of(tx)
    before = here.reservations.get(event.order_id)
    if before is None or event.order_version <= before.order_version:
        return
    if not before.may("SOLD"):
        here.reserve(before.seen(event.order_version, here.now))
        return
    sold = before.sold(event.order_version, here.now)
    here.reserve(sold)
    seats = [here.change(seat.moved("SOLD")) for seat in _seats(here, before.items)]
    areas = [
        here.change_area(here.areas[item.section_id].moved(reserved=-item.left, sold=item.left))
        for item in before.items
        if not item.seated and item.section_id and item.left
    ]
    tx.emit(
        SeatsSold.of(sold, plan_id=before.plan_id, seats=changes(seats), areas=area_changes(areas))
    )


@venue.handles(OrderCancelled, key=lambda event: event.ticket_id)
def give_back(event: OrderCancelled, tx: Tx) -> None:
    """Put an ended order's seats back on sale, but for those that were refunded and kept."""
    if event.seated is False:
        return
    here = floor.of(tx)
    status: ReservationStatus = "EXPIRED" if event.status == "EXPIRED" else "RELEASED"
    before = here.reservations.get(event.order_id)
    if before is None:
        _bury(event, here, tx)
    elif event.order_version > before.order_version:
        kept = [item for item in event.items if item.kept]
        if kept:
            seats = {item.seat_id for item in kept if item.seat_id}
            places = sum(item.quantity for item in kept if not item.seat_id)
            after = before.keeping(seats, places, event.order_version, here.now)
        else:
            after = before.ended(status, event.order_version, here.now)
        _release(before, after, here, tx)


@venue.handles(ReleaseSeats, key=lambda command: command.ticket_id)
def release(command: ReleaseSeats, tx: Tx) -> None:
    """Put back what arrived when the order no longer wanted it, or what was refunded so far."""
    here = floor.of(tx)
    before = here.reservations.get(command.order_id)
    if before is None:
        _bury(command, here, tx)
    elif command.order_version > before.order_version:
        if command.seat_ids is None and not command.quantity:
            after = before.ended("RELEASED", command.order_version, here.now)
        else:
            after = before.given_back(
                command.seat_ids or (), command.quantity, command.order_version, here.now
            )
        _release(before, after, here, tx)


def _reserve_again(command: ReserveSeats, before: Reservation, here: Floor, tx: Tx) -> None:
    """A reservation for an order that has one: late, asked for again, or to be retaken."""
    if command.order_version <= before.order_version or before.status == "SOLD":
        return
    if before.plan_id is None or before.status == "RELEASED":
        raise Refusal("cancelled", "The order's seats were given back.")
    plan = known(here, before.plan_id)
    again = before.retaken(command.order_version, command.expires_at, here.now)
    if before.status == "RESERVED":
        here.reserve(again)
        _say_reserved(again, plan, _seats(here, again.items), _areas(here, again), tx)
        return
    plan.check_on_sale()
    _take(again, _retakeable(again, here), plan, here, tx)


def _retakeable(again: Reservation, here: Floor) -> Choice:
    """Return the same seats and places, if they are still free.

    Raises:
        Refusal: seats_unavailable or sold_out.
    """
    seats = _seats(here, again.items)
    taken = [seat.seat_id for seat in seats if not seat.free_for(again.user_id, here.now)]
    if taken or any(item.seated and item.seat_id is None for item in again.items):
        raise unavailable(taken)
    places: list[tuple[Area, int]] = []
    for item in again.items:
        if not item.seated:
            area = here.areas.get(item.section_id) if item.section_id else None
            if area is None or area.left < item.left:
                raise Refusal("sold_out", f"{item.seat_label} has not enough places left.")
            places.append((area, item.left))
    return Choice(seats, places)


def _take(reservation: Reservation, choice: Choice, plan: Plan, here: Floor, tx: Tx) -> None:
    here.reserve(reservation)
    seats = [here.change(seat.moved("RESERVED")) for seat in choice.seats]
    areas = [here.change_area(area.moved(reserved=count)) for area, count in choice.places]
    _say_reserved(reservation, plan, seats, areas, tx)


def _say_reserved(
    reservation: Reservation, plan: Plan, seats: Sequence[Seat], areas: Sequence[Area], tx: Tx
) -> None:
    tx.emit(
        SeatsReserved.of(
            reservation,
            plan_id=plan.plan_id,
            organizer_id=plan.organizer_id,
            seats=changes(seats),
            areas=area_changes(areas),
            items=[
                ReservedItem.of(item, unit_price=item.price)
                for item in reservation.items
                if item.live
            ],
            currency=plan.currency,
            hold_ttl_sec=plan.hold_ttl_sec,
        )
    )


def _items(plan: Plan, choice: Choice) -> Sequence[Item]:
    """Return what is reserved, at the prices of now."""
    seats = [
        Item(
            position=position,
            seat_id=seat.seat_id,
            section_id=seat.section_id,
            seat_label=seat.label,
            price=plan.price_now(seat.section_tier, seat.seat_tier),
            quantity=1,
            seated=True,
        )
        for position, seat in enumerate(choice.seats)
    ]
    places = [
        Item(
            position=position,
            seat_id=None,
            section_id=area.section_id,
            seat_label=area.name,
            price=plan.price_now(area.tier),
            quantity=count,
            seated=False,
        )
        for position, (area, count) in enumerate(choice.places, start=len(seats))
    ]
    return seats + places


def _bury(about: OrderCancelled | ReleaseSeats, here: Floor, tx: Tx) -> None:
    """The order ended before its seats were asked for: asking that comes later is refused."""
    here.reserve(
        Reservation(
            reservation_id=about.reservation_id,
            plan_id=None,
            ticket_id=about.ticket_id,
            order_id=about.order_id,
            order_version=about.order_version,
            user_id=about.user_id,
            section_id=None,
            quantity=0,
            status="RELEASED",
            expires_at=None,
            items=[],
            created_at=here.now,
            updated_at=here.now,
        )
    )
    tx.emit(SeatsReleased.of(about, status="RELEASED", plan_id=None, seats=[], areas=[]))


def _release(before: Reservation, after: Reservation, here: Floor, tx: Tx) -> None:
    """Put back the difference, and say what is left."""
    here.reserve(after)
    seats = [here.change(s.moved("AVAILABLE")) for s in _seats(here, _gone(before, after))]
    if (before.status, after.status) == ("RESERVED", "SOLD"):
        seats += [here.change(seat.moved("SOLD")) for seat in _seats(here, after.items)]
    areas = _recount(here, before, after)
    tx.emit(
        SeatsReleased.of(
            after,
            status="RELEASED" if after.status == "RESERVED" else after.status,
            seats=changes(seats),
            areas=area_changes(areas),
        )
    )


def _gone(before: Reservation, after: Reservation) -> list[Item]:
    """Return the items that an order has no more."""
    pairs = zip(before.items, after.items, strict=True)
    return [item for item, left in pairs if item.left > left.left]


def _recount(here: Floor, before: Reservation, after: Reservation) -> list[Area]:
    changed = []
    for item, left in zip(before.items, after.items, strict=True):
        reserved = _counted(after, left, "RESERVED") - _counted(before, item, "RESERVED")
        sold = _counted(after, left, "SOLD") - _counted(before, item, "SOLD")
        if not item.seated and item.section_id and (reserved or sold):
            area = here.areas[item.section_id]
            changed.append(here.change_area(area.moved(reserved=reserved, sold=sold)))
    return changed


def _counted(reservation: Reservation, item: Item, status: ReservationStatus) -> int:
    """Return how many an item has among its area's reserved, or sold."""
    return item.left if reservation.status == status else 0


def _seats(here: Floor, items: Sequence[Item]) -> list[Seat]:
    """Return the seats of items that an order has, or is to have."""
    ids = [item.seat_id for item in items if item.seat_id and item.live]
    return here.seats_of(ids)


def _areas(here: Floor, reservation: Reservation) -> list[Area]:
    ids = [item.section_id for item in reservation.items if not item.seated]
    return [here.areas[section_id] for section_id in ids if section_id in here.areas]
