"""What an id leads to."""

from uuid import UUID

from ops.stores import Stores


def find(stores: Stores, wanted: str) -> tuple[UUID | None, list[UUID]]:
    """Return the order that an id leads to, and the operations that are about it."""
    order_id = _order_of(stores, wanted)
    known = [
        row["id"]
        for row in stores.rows(
            "view",
            "SELECT id FROM operations WHERE id = %(wanted)s OR id = %(placed)s"
            " OR (type LIKE 'orders.%%' AND command ->> 'subject' = %(order)s)",
            {
                "wanted": _uuid(wanted),
                "placed": _placed_by(stores, order_id),
                "order": str(order_id),
            },
        )
    ]
    return order_id, known


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _placed_by(stores: Stores, order_id: UUID | None) -> UUID | None:
    found = stores.rows(
        "order", "SELECT operation_id FROM orders WHERE id = %(id)s", {"id": order_id}
    )
    return found[0]["operation_id"] if found else None


def _order_of(stores: Stores, wanted: str) -> UUID | None:
    """Whatever the id names: an order, its operation, its reservation, its payment or intent."""
    found = stores.rows(
        "order",
        "SELECT id FROM orders WHERE %(id)s IN (id, operation_id, reservation_id)",
        {"id": _uuid(wanted)},
    ) or stores.rows(
        "payment",
        "SELECT order_id AS id FROM payments"
        " WHERE id = %(id)s OR stripe_payment_intent_id = %(text)s",
        {"id": _uuid(wanted), "text": wanted},
    )
    if found:
        order_id: UUID = found[0]["id"]
        return order_id
    about = stores.rows(
        "view",
        "SELECT command ->> 'subject' AS subject FROM operations"
        " WHERE id = %(id)s AND type LIKE 'orders.%%' AND type <> 'orders.order.place'",
        {"id": _uuid(wanted)},
    )
    return _uuid(about[0]["subject"]) if about else None
