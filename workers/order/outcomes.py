"""What an order's end, or a part of it, is said with: rows and messages for more than one handler.

Each function writes once and raises the version once, whatever it says.
"""

from uuid import UUID

from bus.service import Transaction
from bus.stores.postgres import Connection
from schemas.order import OrderCancelled, OrderRestated
from schemas.payment import RefundPayment, VoidPayment
from schemas.ticket import ReleaseReservation
from schemas.venue import ReleaseSeats
from workers.order import items, store
from workers.order.order import Order
from workers.order.refund import Refund, left


def cancel(ended: Order, tx: Transaction[Connection]) -> None:
    """Keep an order that has ended, and say so.

    One that its event took with it says so as a step of its own placing: the operation that
    called the event off would have as many steps as there are orders.
    """
    store.save(tx.db, ended)
    if ended.cancel_reason == "event_cancelled":
        tx.emit(OrderCancelled.of(ended), operation_id=ended.operation_id, user_id=ended.user_id)
    else:
        tx.emit(OrderCancelled.of(ended))
    if ended.event_cancelled:
        note_ending(ended.ticket_id, tx)


def give_up(retaking: Order, tx: Transaction[Connection]) -> None:
    """A retake failed: what it got goes back, and so does the money."""
    voided = retaking.void(tx.now)
    store.save(tx.db, voided)
    _release_all(voided, tx)
    tx.emit(VoidPayment.of(voided))
    tx.emit(OrderRestated.of(voided))
    if voided.event_cancelled:
        note_ending(voided.ticket_id, tx)


def void(ended: Order, tx: Transaction[Connection]) -> None:
    """Money is set aside for an order that has ended: it goes back."""
    voided = ended.void(tx.now)
    store.save(tx.db, voided)
    tx.emit(VoidPayment.of(voided))
    tx.emit(OrderRestated.of(voided))


def refund_the_rest(paid: Order, tx: Transaction[Connection]) -> None:
    """Have all that is left given back, because the event is off."""
    amount = left(paid, store.pending_refunds(tx.db, paid.order_id))
    if amount <= 0:
        return  # It is under way.
    refund = Refund(
        refund_id=tx.new_id(),
        order_id=paid.order_id,
        amount=amount,
        item_ids=[],
        winds_down=True,
    )
    store.insert_refund(tx.db, refund, tx.now)
    tx.emit(RefundPayment.of(refund), operation_id=paid.operation_id, user_id=paid.user_id)


def note_ending(ticket_id: UUID, tx: Transaction[Connection]) -> None:
    """Count the orders of a cancelled event once all of this transaction is done, and tell."""
    noted: set[UUID] | None = tx.memory.get(note_ending)
    if noted is None:
        noted = tx.memory[note_ending] = set()
        tx.before_commit(lambda: _tell_endings(tx))
    noted.add(ticket_id)


def _tell_endings(tx: Transaction[Connection]) -> None:
    """The rows are locked last and in turn, so that the last two orders cannot miss each other."""
    for ticket_id in sorted(tx.memory[note_ending]):
        ending = store.ending(tx.db, ticket_id)
        if ending is None or not ending.worth_telling:
            continue
        store.note_told(tx.db, ending)
        for operation_id in (*ending.operation_ids,) or (None,):
            tx.emit(ending.said(), operation_id=operation_id)


def release_unwanted(ended: Order, tx: Transaction[Connection]) -> None:
    """Stock came for an order that no longer wants it."""
    released = ended.insist(tx.now)
    store.save(tx.db, released)
    _release_all(released, tx)
    tx.emit(OrderRestated.of(released))


def release_refunded(refunded: Order, tx: Transaction[Connection]) -> None:
    """Put on sale again what was refunded so far."""
    _release(refunded, items.given_back(refunded.items), tx)


def _release_all(order: Order, tx: Transaction[Connection]) -> None:
    """Give back all that an order has, but for what was refunded and kept: that is somebody's."""
    back = [item for item in order.items if not item.kept]
    if len(back) < len(order.items):
        _release(order, back, tx)
        return
    tx.emit(ReleaseReservation.of(order, quantity=None))
    if order.seated:
        tx.emit(ReleaseSeats.of(order, seat_ids=None, quantity=0))


def _release(order: Order, back: items.Items, tx: Transaction[Connection]) -> None:
    places = [item for item in back if item.seat_id is None]
    tx.emit(ReleaseReservation.of(order, quantity=items.count(back)))
    if order.seated:
        seats = items.seats_of(back)
        tx.emit(ReleaseSeats.of(order, seat_ids=seats, quantity=items.count(places)))
