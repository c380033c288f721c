"""A refund: what may be asked for, and how much it comes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from bus.service import Refusal
from schemas.money import exact
from schemas.order import RequestRefund
from workers.order.order import Order


@dataclass(frozen=True, kw_only=True)
class Refund:
    """Money that was asked back; `item_ids` is empty for an amount, or all that is left."""

    refund_id: UUID
    order_id: UUID
    amount: Decimal
    item_ids: list[UUID]
    keep_stock: bool = False
    winds_down: bool = False
    """Asked for because the event was called off."""


def left(order: Order, pending: Sequence[Refund]) -> Decimal:
    """Return what can still be asked back of an order, others being under way.

    Of one that has ended, that is what a bank sent back, or what could not be given back.
    """
    paid = order.status == "CONFIRMED" or (order.status == "CANCELLED" and order.refunds_heard)
    if not paid or order.total_amount is None:
        return Decimal(0)
    under_way = sum((each.amount for each in pending), Decimal(0))
    return order.total_amount - order.refunded_amount - under_way


def asked(order: Order, command: RequestRefund, pending: Sequence[Refund], new: UUID) -> Refund:
    """Return the refund that an organizer asks for, `new` being its id.

    An amount keeps no stock: it gives none back, unless it is the last of the money.

    Raises:
        Refusal: invalid_request, refunded or refund_exceeds_payment.
    """
    if command.amount is not None and command.item_ids is not None:
        raise Refusal("invalid_request", "Say an amount or items, not both.")
    most = left(order, pending)
    if most <= 0:
        raise Refusal("refund_exceeds_payment", "Nothing is left to give back.")
    if command.item_ids is not None and order.ended:
        raise Refusal("refunded", "The order has ended with all its items: say an amount.")
    if command.item_ids is not None:
        amount = _price(order, command.item_ids, pending)
    else:
        amount = most if command.amount is None else _fitting(command.amount, order)
    if amount > most:
        raise Refusal("refund_exceeds_payment", f"{most} {order.currency} are left.")
    return Refund(
        refund_id=new,
        order_id=order.order_id,
        amount=amount,
        item_ids=list(command.item_ids or ()),
        keep_stock=command.keep_stock and command.amount is None,
    )


def _fitting(amount: Decimal, order: Order) -> Decimal:
    try:
        fitting = exact(amount, order.currency or "")
    except (ValueError, ArithmeticError) as error:
        raise Refusal("invalid_request", str(error)) from None
    if fitting <= 0:
        raise Refusal("invalid_request", "An amount is more than nothing.")
    return fitting


def _price(order: Order, item_ids: Sequence[UUID], pending: Sequence[Refund]) -> Decimal:
    """Add up what items cost.

    Raises:
        Refusal: invalid_request or refunded.
    """
    items = {item.id: item for item in order.items}
    if not item_ids or len(set(item_ids)) < len(item_ids) or not items.keys() >= set(item_ids):
        raise Refusal("invalid_request", "Each item is one of the order's, named once.")
    back = {item.id for item in order.items if item.refunded}
    back.update(each for refund in pending for each in refund.item_ids)
    if back & set(item_ids):
        raise Refusal("refunded", "Some of the items were refunded before.")
    chosen = [items[each] for each in item_ids]
    price = sum(((each.unit_price or Decimal(0)) * each.quantity for each in chosen), Decimal(0))
    if price <= 0:
        raise Refusal("invalid_request", "Nothing was paid for these items.")
    return price
