"""When an operation has ended, and how: one rule for each command, in one table. Pure.

A rule looks at what was said under the operation's id and at the order that it is about, as the
views show it, this transaction's projections included. It answers with the end, or with None
while something is missing. The first end wins; whatever a rule would say later is not asked.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from schemas.bus import MessageDead
from schemas.message import Message
from schemas.money import exact
from schemas.order import CancelOrder, OrderState, PlaceOrder, RequestRefund
from schemas.payment import PaymentState, RefundPayment
from schemas.ticket import (
    CancelTicket,
    CreateTicket,
    EditTicket,
    RequestPlan,
    ReservationReleased,
    TicketCreated,
    TicketEdited,
    TicketState,
)
from schemas.venue import CreatePlan, SeatsReleased, SeatsReserved
from workers.view import account_ends, seating_ends
from workers.view.account_ends import ACCOUNT_EVENTS, ACCOUNT_RULES
from workers.view.after_sale_ends import AFTER_SALE_EVENTS, AFTER_SALE_RULES
from workers.view.end import End, Rule, failed, said, succeeded
from workers.view.seating_ends import SEATING_EVENTS, SEATING_RULES
from workers.view.shown import Shown


def _placed(_: Sequence[Message], order: Shown | None, __: Collection[str]) -> End | None:
    """End when it is payable and its payment requested, free and confirmed, or over before that.

    What was achieved is what is told: a paid order is AWAITING_PAYMENT in its result even when
    the views have already seen it confirmed. The maps show the seats of a seated one by then.
    """
    if order is None:
        return None
    if order.status in ("CANCELLED", "EXPIRED"):
        reason = order.cancel_reason or order.status.lower()
        return failed(reason, order.cancel_detail, order.seats_taken)
    if not order.has_its_seats:
        return None
    if order.status == "CONFIRMED" and order.is_free:
        return succeeded(_order_result(order, "CONFIRMED", None))
    if order.status in ("AWAITING_PAYMENT", "CONFIRMED") and order.payment_was_requested:
        payment = {"id": str(order.payment_id)}
        return succeeded(_order_result(order, "AWAITING_PAYMENT", payment))
    return None


def _cancelled(_: Sequence[Message], order: Shown | None, __: Collection[str]) -> End | None:
    """End when it is cancelled and its stock given back, whichever message caused it."""
    if order is None or order.status != "CANCELLED" or not order.is_released:
        return None
    return succeeded({"order_id": str(order.order_id), "status": order.status})


def _ticket(event: TicketState) -> End:
    return succeeded({"ticket_id": str(event.ticket_id), "version": event.version})


RULES: dict[str, Rule] = {
    **ACCOUNT_RULES,
    CreateTicket.TYPE: said(_ticket, TicketCreated),
    EditTicket.TYPE: said(_ticket, TicketEdited),
    PlaceOrder.TYPE: _placed,
    CancelOrder.TYPE: _cancelled,
    **SEATING_RULES,
    **AFTER_SALE_RULES,
}
"""For each command that has an operation: what ends it well, or as what became of its order."""

SEVERAL = seating_ends.SEVERAL | account_ends.WAITING | {CancelTicket.TYPE}
"""The commands whose rules look at all that was ever said under an operation's id."""

_ENDING = (
    *(*ACCOUNT_EVENTS, TicketCreated, TicketEdited),
    *(OrderState, PaymentState, ReservationReleased, MessageDead),
    *(SeatsReserved, SeatsReleased, *SEATING_EVENTS, *AFTER_SALE_EVENTS),
)

_PASSED_ON = {RequestPlan.TYPE: CreatePlan.TYPE, RequestRefund.TYPE: RefundPayment.TYPE}
"""Commands that their receiver passes on as another's: a refusal of either ends the operation."""


def may_end(event: Message) -> bool:
    """Whether any rule looks at such an event; most need no look at the operations."""
    return isinstance(event, _ENDING) or _is_refusal(event)


def end_of(
    command: str, now: Sequence[Message], order: Shown | None, steps: Collection[str] = ()
) -> End | None:
    """Return how an operation of this command has ended; None while it has not.

    `now` was just said under its id, and `steps` are the types of all that ever was, where the
    rule needs them (see `SEVERAL`). A refusal of the command itself ends it, and so does any
    message of the operation that could not be handled; a refusal of another service's command is
    what the saga answers by itself.
    """
    rule = RULES.get(command)
    if rule and (end := rule(now, order, steps)):
        return end
    for event in now:
        if isinstance(event, MessageDead):
            told = f"{event.message_type} could not be handled ({event.code})."
            return failed("internal", told)
        if _is_refusal(event) and vars(event)["command"] in (command, _PASSED_ON.get(command)):
            told_of = vars(event)
            return failed(told_of["code"], told_of["detail"], told_of.get("seat_ids") or ())
    return None


def _is_refusal(event: Message) -> bool:
    return {"command", "code", "detail"} <= vars(event).keys()


_LATER = {"refunded", "kept"}
"""What can only happen to an item long after it was bought."""


def _order_result(order: Shown, status: str, payment: dict[str, str] | None) -> dict[str, Any]:
    return {
        "order_id": str(order.order_id),
        "status": status,
        "total_amount": _money(order.total_amount, order.currency),
        "currency": order.currency,
        "expires_at": _time(order.expires_at),
        "items": [
            {name: item[name] for name in item if name not in _LATER}
            | {"unit_price": _money(item["unit_price"], order.currency)}
            for item in order.items
        ],
        "payment": payment,
    }


def _money(amount: Decimal | str | None, currency: str | None) -> str | None:
    """Write an amount with exactly its currency's decimals."""
    return None if amount is None or currency is None else str(exact(Decimal(amount), currency))


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
