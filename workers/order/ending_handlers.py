"""What an order hears of its event being called off.

Hears  tickets.ticket.cancelled; orders.ticket.end.
Says   orders.ticket.end to itself, orders.ticket.progress, .ended, .failed;
       payments.refund.request.

The orders are ended page by page, each page in a transaction that asks for the next, so that a
process that dies leaves nothing undone. Orders that were being placed meanwhile end when they hear
of their tickets: whoever looks at an order looks whether its event was called off.
"""

from uuid import UUID

from bus.service import Transaction
from bus.stores.postgres import Connection
from schemas.order import EndOrders
from schemas.ticket import TicketCancelled
from workers.order import outcomes, store
from workers.order.order import Order
from workers.order.service import order

_PAGE = 50


@order.handles(TicketCancelled)
def call_off(event: TicketCancelled, tx: Transaction[Connection]) -> None:
    """Refuse new orders from here on, and begin to end those that there are; again is no harm."""
    store.call_off(tx.db, event.ticket_id, tx.now, tx.cause.operation_id)
    tx.emit(EndOrders(ticket_id=event.ticket_id), operation_id=None)


@order.handles(EndOrders)
def end(command: EndOrders, tx: Transaction[Connection]) -> None:
    """End a page of orders: those not paid at once, the others when their money has gone back."""
    page = store.page_of_ticket(tx.db, command.ticket_id, command.after or UUID(int=0), _PAGE)
    for order_id in page:
        if found := store.lock(tx.db, order_id):
            _end(found, tx)
    if len(page) == _PAGE:
        tx.emit(EndOrders(ticket_id=command.ticket_id, after=page[-1]))
    outcomes.note_ending(command.ticket_id, tx)


def _end(found: Order, tx: Transaction[Connection]) -> None:
    if found.step == "retaking":
        outcomes.give_up(found, tx)
    elif found.open or (found.status == "CONFIRMED" and found.total_amount == 0):
        outcomes.cancel(found.cancel("event_cancelled", tx.now), tx)
    elif found.status == "CONFIRMED":
        outcomes.refund_the_rest(found, tx)
