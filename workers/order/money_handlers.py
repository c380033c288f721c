"""What an order hears of its money.

Hears  payments.payment.authorized, .succeeded, .failed.

What is authorised late is judged by where the order stands, whatever version it echoes.
"""

from bus.service import Transaction
from bus.stores.postgres import Connection
from schemas.expiration import ArmTimer
from schemas.order import OrderCompleted, OrderRestated, OrderSettled
from schemas.payment import PaymentAuthorized, PaymentFailed, PaymentSucceeded
from schemas.ticket import HoldReservation
from workers.order import outcomes, store
from workers.order.order import Order
from workers.order.service import lifetimes, order


@order.handles(PaymentAuthorized, key=lambda event: event.order_id)
def authorized(event: PaymentAuthorized, tx: Transaction[Connection]) -> None:
    """Money is set aside: it is taken for an order that has its tickets, or has them again."""
    paid = store.lock(tx.db, event.order_id)
    if paid is None or paid.status in {"CONFIRMED", "PENDING"} or paid.step == "retaking":
        return  # Confirmed, retaking: a duplicate. Pending: nothing asked for money yet.
    if paid.status == "AWAITING_PAYMENT":
        _confirm(paid, tx)
    elif paid.status == "EXPIRED" and paid.step != "voided" and not paid.event_cancelled:
        _retake(paid, tx)
    else:
        outcomes.void(paid, tx)


@order.handles(PaymentSucceeded, key=lambda event: event.order_id)
def succeeded(event: PaymentSucceeded, tx: Transaction[Connection]) -> None:
    """The money has been taken."""
    paid = store.lock(tx.db, event.order_id)
    if paid is None or paid.status != "CONFIRMED" or paid.step != "capturing":
        return
    settled = paid.settle(tx.now)
    store.save(tx.db, settled)
    tx.emit(OrderSettled.of(settled))


@order.handles(PaymentFailed, key=lambda event: event.order_id)
def failed(event: PaymentFailed, tx: Transaction[Connection]) -> None:
    """There will be no money: an order that counted on it ends."""
    unpaid = store.lock(tx.db, event.order_id)
    if unpaid is None:
        return
    if unpaid.status == "AWAITING_PAYMENT":
        outcomes.cancel(unpaid.cancel("payment_refused", tx.now), tx)
    elif unpaid.status == "CONFIRMED" and unpaid.step == "capturing":
        outcomes.cancel(unpaid.cancel("capture_failed", tx.now), tx)
    elif unpaid.step == "retaking":
        outcomes.give_up(unpaid, tx)


def _confirm(paid: Order, tx: Transaction[Connection]) -> None:
    """Nothing but a refund undoes it from here; for an event that is off, it ends instead.

    Payment, told of the end, says again that the money is set aside, and is sent the void.
    """
    if paid.event_cancelled:
        outcomes.cancel(paid.cancel("event_cancelled", tx.now), tx)
        return
    confirmed = paid.confirm(tx.now)
    store.save(tx.db, confirmed)
    tx.emit(OrderCompleted.of(confirmed))


def _retake(paid: Order, tx: Transaction[Connection]) -> None:
    """Ask for the same seats, or as much of the quota, under a higher version."""
    retaking = paid.retake(tx.now, lifetimes())
    store.save(tx.db, retaking)
    tx.emit(HoldReservation.of(retaking, accessible=False))
    tx.emit(ArmTimer.of(retaking))
    tx.emit(OrderRestated.of(retaking))
