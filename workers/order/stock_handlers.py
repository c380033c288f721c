"""What an order hears of its tickets and seats.

Hears  tickets.reservation.held, .refused; venues.seats.reserved, .refused.

Only the reply that is awaited moves an order: what else arrives is dropped or, when it announces
stock that the order no longer wants, answered with a release.
"""

from dataclasses import replace

from bus.service import Transaction
from bus.stores.postgres import Connection
from schemas.expiration import ArmTimer
from schemas.order import OrderCompleted, OrderCreated
from schemas.ticket import ReservationHeld, ReservationRefused
from schemas.venue import SeatsRefused, SeatsReserved
from workers.order import outcomes, store
from workers.order.order import Order
from workers.order.service import lifetimes, order


@order.handles(ReservationHeld)
def held(event: ReservationHeld, tx: Transaction[Connection]) -> None:
    """The tickets are set aside: the order can be paid, or is confirmed when it is free."""
    waiting = _waiting(event, tx)
    if waiting is None:
        return
    if waiting.step == "retaking":
        _retake(waiting, tx)
        return
    priced = waiting.held(event, now=tx.now, lifetimes=lifetimes())
    store.save(tx.db, priced)
    store.price(tx.db, priced)
    _say_priced(priced, tx)


@order.handles(SeatsReserved)
def reserved(event: SeatsReserved, tx: Transaction[Connection]) -> None:
    """The seats are set aside, one line each."""
    waiting = _waiting(event, tx)
    if waiting is None:
        return
    if waiting.step == "retaking":
        _retake(waiting, tx)
        return
    priced = waiting.reserved(event, new_id=tx.new_id, now=tx.now)
    store.save(tx.db, priced)
    store.replace_items(tx.db, priced)
    _say_priced(priced, tx)


@order.handles(ReservationRefused)
def refused(event: ReservationRefused, tx: Transaction[Connection]) -> None:
    """No tickets: the order ends, for the reason that was given."""
    waiting = store.lock(tx.db, event.order_id)
    if waiting is None or not waiting.awaits(event.order_version):
        return
    if waiting.step == "retaking":
        outcomes.give_up(waiting, tx)
    else:
        outcomes.cancel(waiting.cancel(event.code, tx.now, detail=event.detail), tx)


@order.handles(SeatsRefused, key=lambda event: event.order_id)
def seats_refused(event: SeatsRefused, tx: Transaction[Connection]) -> None:
    """No seats: the order ends, and says which of them somebody else has."""
    if event.order_id is None or event.order_version is None:
        return  # Somebody's hold, or an organizer's block.
    waiting = store.lock(tx.db, event.order_id)
    if waiting is None or not waiting.awaits(event.order_version):
        return
    if waiting.step == "retaking":
        outcomes.give_up(waiting, tx)
        return
    known, taken = replace(waiting, seated=True), event.seat_ids or ()
    ended = known.cancel(event.code, tx.now, detail=event.detail, seats_taken=taken)
    outcomes.cancel(ended, tx)


def _waiting(event: ReservationHeld | SeatsReserved, tx: Transaction[Connection]) -> Order | None:
    """Return the order that waits for this, locked, if it does and its event takes place."""
    found = store.lock(tx.db, event.order_id)
    if found is None:
        return None
    waiting = replace(found, seated=isinstance(event, SeatsReserved))
    if not waiting.awaits(event.order_version):
        if waiting.ended:
            outcomes.release_unwanted(waiting, tx)
        return None
    if not waiting.event_cancelled:
        return waiting
    if waiting.step == "retaking":
        outcomes.give_up(waiting, tx)
    else:
        outcomes.cancel(waiting.cancel("event_cancelled", tx.now), tx)
    return None


def _retake(waiting: Order, tx: Transaction[Connection]) -> None:
    confirmed = waiting.retaken(tx.now)
    store.save(tx.db, confirmed)
    tx.emit(OrderCompleted.of(confirmed))


def _say_priced(priced: Order, tx: Transaction[Connection]) -> None:
    if priced.status == "CONFIRMED":
        tx.emit(OrderCompleted.of(priced))
    else:
        tx.emit(OrderCreated.of(priced))
        tx.emit(ArmTimer.of(priced))
