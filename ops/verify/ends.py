"""Ends: every operation and every order comes to one."""

from collections.abc import Iterator

from ops.stores import Stores
from ops.verify.finding import Finding

GRACE_SEC = 30
"""How long after its deadline an order may still be open: a clock may be starting again."""

_CALLED_OFF = """
    SELECT t.operation_ids, array_agg(o.id) AS waiting
    FROM cancelled_tickets t JOIN orders o USING (ticket_id)
    WHERE t.operation_ids && %(ids)s::uuid[]
    AND (o.status IN ('PENDING', 'AWAITING_PAYMENT', 'CONFIRMED') OR o.step = 'retaking')
    AND NOT EXISTS (SELECT FROM order_refunds r WHERE r.order_id = o.id AND r.winds_down
        GROUP BY r.order_id HAVING every(r.status = 'FAILED'))
    GROUP BY t.ticket_id
"""
"""The events that operations are calling off, and the orders that have not ended or failed."""


def ends(stores: Stores, finding: Finding) -> None:
    """Look for operations and orders that are open and should not be."""
    _operations(stores, finding)
    for row in stores.rows("order", "SELECT status, count(*) AS n FROM orders GROUP BY 1"):
        finding.compared[f"orders {row['status']}"] += row["n"]
    overdue = stores.rows(
        "order",
        "SELECT id, status, expires_at FROM orders WHERE status IN ('PENDING', 'AWAITING_PAYMENT')"
        " AND (expires_at IS NULL OR expires_at < now() - make_interval(secs => %(grace)s))",
        {"grace": GRACE_SEC},
    )
    for row in overdue:
        finding.fail(row["id"], f"is {row['status']}, and was to end at {row['expires_at']}")
    stuck = stores.rows(
        "order",
        "SELECT id, status, step FROM orders WHERE (status = 'CONFIRMED' AND step <> 'settled')"
        " OR step = 'retaking'",
    )
    for row in stuck:
        finding.fail(row["id"], f"is {row['status']}, and its step is {row['step']}")


def _operations(stores: Stores, finding: Finding) -> None:
    counted = stores.rows("view", "SELECT status, count(*) AS n FROM operations GROUP BY 1")
    for row in counted:
        finding.compared[f"operations {row['status']}"] += row["n"]
    pending = stores.rows(
        "view", "SELECT id, type, submitted_at FROM operations WHERE status = 'pending'"
    )
    ids: list[object] = [row["id"] for row in pending]
    excuses = dict.fromkeys(_waiting_for_an_order(stores, ids), "an open order")
    excuses |= dict.fromkeys(_waiting_for_a_bank(stores, ids), "a refund at the bank")
    for row in pending:
        if excuse := excuses.get(row["id"]):
            finding.compared[f"pending with {excuse}"] += 1
        else:
            finding.fail(row["id"], f"{row['type']} is pending since {row['submitted_at']}")


def _waiting_for_an_order(stores: Stores, operations: list[object]) -> set[object]:
    """Return those whose order is PENDING before its deadline: it ends them, whatever happens."""
    found = stores.rows(
        "order",
        "SELECT operation_id FROM orders WHERE operation_id = ANY(%(ids)s)"
        " AND status = 'PENDING' AND expires_at > now()",
        {"ids": operations},
    )
    return {row["operation_id"] for row in found}


def _waiting_for_a_bank(stores: Stores, operations: list[object]) -> Iterator[object]:
    """Return those that asked for a refund, or called an event off, and a bank takes days over it.

    An event is off when each of its orders has ended: a bank has to have all that are left.
    """
    at_the_bank = stores.rows(
        "payment",
        "SELECT r.operation_id, p.order_id FROM refunds r JOIN payments p ON p.id = r.payment_id"
        " WHERE r.status = 'PENDING' AND r.stripe_refund_id IS NOT NULL",
    )
    yield from {row["operation_id"] for row in at_the_bank} & set(operations)
    orders = {row["order_id"] for row in at_the_bank}
    called_off = stores.rows("order", _CALLED_OFF, {"ids": operations})
    for row in called_off:
        if orders.issuperset(row["waiting"]):
            yield from row["operation_ids"]
