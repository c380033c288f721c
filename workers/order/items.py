"""What an order is for, line by line: a quantity, or seats, one line each."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

from bus.service import Refusal
from schemas.order import OrderItem, PlaceOrder
from schemas.venue import ReservedItem

Items = Sequence[OrderItem]
NewId = Callable[[], UUID]


def asked(command: PlaceOrder, new_id: NewId) -> list[OrderItem]:
    """Return the lines of a new order, without prices; seats chosen by quantity share one.

    Raises:
        Refusal: invalid_request, unless it asks in exactly one way.
    """
    seats, quantity = command.seat_ids, command.quantity
    if seats is not None:
        if quantity is not None or command.section_id is not None:
            raise Refusal("invalid_request", "Seats are ordered without quantity and section.")
        if not seats or len(set(seats)) < len(seats):
            raise Refusal("invalid_request", "Each seat is named once.")
        return [OrderItem(id=new_id(), quantity=1, unit_price=None, seat_id=each) for each in seats]
    if quantity is None or quantity < 1:
        raise Refusal("invalid_request", "An order says how many, or which seats.")
    item = OrderItem(id=new_id(), quantity=quantity, unit_price=None, section_id=command.section_id)
    return [item]


def seated(items: Items, reserved: Sequence[ReservedItem], new_id: NewId) -> list[OrderItem]:
    """Return one line for each seat at its price, under the same id where it was asked for."""
    known = {item.seat_id: item.id for item in items if item.seat_id}
    return [
        OrderItem(
            id=known[each.seat_id] if each.seat_id in known else new_id(),
            quantity=each.quantity,
            unit_price=each.unit_price,
            seat_id=each.seat_id,
            seat_label=each.seat_label,
            section_id=each.section_id,
        )
        for each in reserved
    ]


def refunded(items: Items, ids: set[UUID], *, kept: bool) -> list[OrderItem]:
    """Note whose price was given back; what was given back before is not kept any more."""
    return [
        replace(item, refunded=True, kept=kept) if item.id in ids and not item.refunded else item
        for item in items
    ]


def given_back(items: Items) -> list[OrderItem]:
    """Return those that were refunded and are on sale again."""
    return [item for item in items if item.refunded and not item.kept]


def seats_of(items: Items) -> list[UUID]:
    """Return the seats among them."""
    return [item.seat_id for item in items if item.seat_id]


def count(items: Items) -> int:
    """Return how many tickets they are for."""
    return sum(item.quantity for item in items)
