"""The order service.

Owns   orders, their items and their saga (PostgreSQL order_db).
Hears  orders.order.place, .cancel, .resolve; expirations.timer.fired, expirations.clock.ticked;
       orders.state.republish; and in `stock_handlers` what became of its tickets and seats, in
       `money_handlers` of its money, in `refund_handlers` of what is to go back, in
       `ending_handlers` of its event being called off.
Says   tickets.reservation.hold, .release; venues.seats.release; orders.order.created,
       .completed, .settled, .cancelled, .restated, .refused; payments.payment.void;
       payments.refund.request; expirations.timer.arm; orders.ticket.end, .progress, .ended,
       .failed.

Each handler runs inside one transaction opened by the bus: what it writes and what it emits
commit together or not at all, and a message delivered twice is handled once.
"""

from bus.service import Refusal, Transaction
from bus.stores.postgres import Connection
from schemas.expiration import ArmTimer, ClockTicked, TimerFired
from schemas.order import (
    CancelOrder,
    OrderRestated,
    PlaceOrder,
    RepublishOrders,
    ResolveOrder,
)
from schemas.ticket import HoldReservation
from workers.order import (
    ending_handlers,
    money_handlers,
    outcomes,
    refund_handlers,
    stock_handlers,
    store,
)
from workers.order.order import Order
from workers.order.service import lifetimes, order

__all__ = [
    "ending_handlers",
    "lifetimes",
    "money_handlers",
    "order",
    "refund_handlers",
    "stock_handlers",
]

_PAGE = 100
_REARMED_AT_ONCE = 500


@order.handles(PlaceOrder, key=lambda _: None)  # The order has yet to be born: no rivals.
def place(command: PlaceOrder, tx: Transaction[Connection]) -> None:
    """Open the order and ask for its tickets; nothing is promised yet."""
    if tx.cause.user_id is None or tx.cause.operation_id is None:
        raise Refusal("forbidden", "An order needs a buyer.")
    placed = Order.place(
        command,
        new_id=tx.new_id,
        buyer=tx.cause.user_id,
        operation_id=tx.cause.operation_id,
        now=tx.now,
        lifetimes=lifetimes(),
    )
    if not store.insert(tx.db, placed):
        raise Refusal("event_cancelled", "The event was cancelled.")
    tx.emit(HoldReservation.of(placed, accessible=command.accessible))
    tx.emit(ArmTimer.of(placed))


@order.handles(CancelOrder)
def cancel(command: CancelOrder, tx: Transaction[Connection]) -> None:
    """End the order because its buyer asks."""
    unwanted = store.lock(tx.db, command.order_id)
    if unwanted is None or unwanted.user_id != tx.cause.user_id:
        raise Refusal("not_found", "There is no such order.")
    outcomes.cancel(unwanted.cancel_for_buyer(tx.now), tx)


@order.handles(ResolveOrder)
def resolve(command: ResolveOrder, tx: Transaction[Connection]) -> None:
    """An operator gives back the money or the tickets of an order that is stuck."""
    stuck = store.lock(tx.db, command.order_id)
    if stuck is None:
        raise Refusal("not_found", "There is no such order.")
    if stuck.open:
        ended = stuck.cancel("cancelled", tx.now, detail=f"Cancelled by {command.by}.")
        outcomes.cancel(ended, tx)
    elif stuck.step == "retaking":
        outcomes.give_up(stuck, tx)
    elif not stuck.ended:
        raise Refusal("order_not_cancellable", "A confirmed order is given back by a refund.")
    elif command.action == "void":
        outcomes.void(stuck, tx)
    else:
        outcomes.release_unwanted(stuck, tx)


@order.handles(TimerFired)
def expire(event: TimerFired, tx: Transaction[Connection]) -> None:
    """Give the tickets back; an authorised order has already won the race."""
    due = store.lock(tx.db, event.order_id)
    if due is None or not due.has_deadline:
        return
    if due.deadline > tx.now:  # The clock that fired runs ahead of ours, or the timer is old.
        _arm_again(due, tx)
    elif due.step == "retaking":
        outcomes.give_up(due, tx)
    else:
        outcomes.cancel(due.end_at_deadline(tx.now), tx)


@order.handles(ClockTicked)
def rearm(_: ClockTicked, tx: Transaction[Connection]) -> None:
    """The orders are the truth and the timers an index: arm again what should fire soon."""
    for order_id in store.due(tx.db, tx.now, _REARMED_AT_ONCE):
        due = store.lock(tx.db, order_id)
        if due is not None and due.has_deadline:
            _arm_again(due, tx)


@order.handles(RepublishOrders, key=lambda _: "republish")
def republish(command: RepublishOrders, tx: Transaction[Connection]) -> None:
    """Say a page of orders as they are, and ask for the next page."""
    page = store.page_after(tx.db, command.after, _PAGE)
    for order_id in page:
        if found := store.lock(tx.db, order_id):
            tx.emit(OrderRestated.of(found))
    if len(page) == _PAGE:
        tx.emit(RepublishOrders(after=str(page[-1])))


def _arm_again(due: Order, tx: Transaction[Connection]) -> None:
    rearmed = due.rearmed()
    store.note_armed(tx.db, rearmed, tx.now)
    tx.emit(ArmTimer.of(rearmed), operation_id=None)
