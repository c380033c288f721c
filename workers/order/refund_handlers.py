"""What an order hears of money that goes back.

Hears  orders.refund.request; payments.payment.refunded; payments.refund.failed, .refused.
Says   payments.refund.request, and in `outcomes` what comes back.

The order says who may have what back; the payment counts the money, and what it tells last of all
its refunds is what is true. A refund changes no stock before it has succeeded.
"""

from bus.service import Refusal, Transaction
from bus.stores.postgres import Connection
from schemas.order import OrderRestated, RequestRefund
from schemas.payment import (
    PaymentRefunded,
    RefundFailed,
    RefundPayment,
    RefundRefused,
)
from workers.order import outcomes, refund, store
from workers.order.order import Order
from workers.order.service import order


@order.handles(RequestRefund)
def request(command: RequestRefund, tx: Transaction[Connection]) -> None:
    """Have money given back, for the ticket's organizer alone."""
    found = store.lock(tx.db, command.order_id)
    if found is None:
        raise Refusal("not_found", "There is no such order.")
    if found.organizer_id is None or found.organizer_id != tx.cause.user_id:
        raise Refusal("forbidden", "Only the ticket's organizer gives money back.")
    pending = store.pending_refunds(tx.db, found.order_id)
    asked = refund.asked(found, command, pending, tx.new_id())
    store.insert_refund(tx.db, asked, tx.now)
    tx.emit(RefundPayment.of(asked))


@order.handles(PaymentRefunded, key=lambda event: event.order_id)
def refunded(event: PaymentRefunded, tx: Transaction[Connection]) -> None:
    """Money was given back: what was paid for with it is on sale again, unless it is kept."""
    _hear(event, tx)


@order.handles(RefundFailed, key=lambda event: event.order_id)
def failed(event: RefundFailed, tx: Transaction[Connection]) -> None:
    """A refund did not work, or came back: it may be asked for again."""
    _hear(event, tx)


@order.handles(RefundRefused)
def refused(event: RefundRefused, tx: Transaction[Connection]) -> None:
    """The payment knows better what is left."""
    found = store.lock(tx.db, event.order_id)
    if found is not None and event.refund_id is not None:
        freed = store.note_refunds(tx.db, {event.refund_id: "FAILED"})
        _go_on(found, tx, freed=freed)


def _hear(event: PaymentRefunded | RefundFailed, tx: Transaction[Connection]) -> None:
    before = store.lock(tx.db, event.order_id)
    if before is None or event.payment_version <= before.payment_version:
        return
    freed = store.note_refunds(tx.db, {each.refund_id: each.status for each in event.refunds})
    after = before.refunded(event, tx.now)
    if after.items != before.items:
        store.replace_items(tx.db, after)
    if after.status != before.status:
        outcomes.cancel(after, tx)
        return
    store.save(tx.db, after)
    if after.released_version > before.released_version:
        outcomes.release_refunded(after, tx)
    if after.order_version > before.order_version:
        tx.emit(OrderRestated.of(after))
    _go_on(after, tx, freed=freed)


def _go_on(found: Order, tx: Transaction[Connection], *, freed: bool) -> None:
    """Go on ending an order whose event is off; what could not be refunded is told instead."""
    if found.status != "CONFIRMED" or not found.event_cancelled:
        return
    if freed:  # What a failed refund had set aside is asked for with the rest.
        outcomes.refund_the_rest(found, tx)
    outcomes.note_ending(found.ticket_id, tx)
