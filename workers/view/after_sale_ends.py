"""When operations that take a sale back end: a refund, and an event that is called off. Pure."""

from collections.abc import Collection, Sequence

from schemas.message import Message
from schemas.order import RequestRefund, TicketEnded
from schemas.ticket import CancelTicket, TicketCancelled
from workers.view.end import End, Rule, failed, said, succeeded
from workers.view.shown import Shown


def _refunded(_: Sequence[Message], order: Shown | None, __: Collection[str]) -> End | None:
    """End when the money has gone back, and with it whatever stock comes back."""
    if order is None or order.refund is None:
        return None
    refund = order.refund
    if refund["status"] == "FAILED":
        return failed("refund_failed", f"Stripe says: {refund['failure']}.")
    if refund["status"] != "SUCCEEDED" or not order.has_given_back(refund):
        return None
    return succeeded({"order_id": str(order.order_id), "refund_id": refund["refund_id"]})


def _called_off(event: TicketCancelled | TicketEnded) -> End:
    return succeeded({"ticket_id": str(event.ticket_id), "status": "cancelled"})


AFTER_SALE_RULES: dict[str, Rule] = {
    RequestRefund.TYPE: _refunded,
    CancelTicket.TYPE: said(_called_off, TicketCancelled, TicketEnded),
}

AFTER_SALE_EVENTS: tuple[type[Message], ...] = (TicketCancelled, TicketEnded)
"""What those rules look at, beside orders and payments."""
