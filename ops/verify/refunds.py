"""Money that went back: our refunds, and Stripe's own list of them, one by one."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import stripe

from ops.stores import Stores
from ops.verify.finding import Finding
from workers.payment.amounts import from_stripe_units

_REFUNDS = """
    SELECT r.id, r.amount, r.status, r.stripe_refund_id, p.order_id, p.currency,
        p.stripe_payment_intent_id AS intent,
        p.authorisation = 'capturing' OR EXISTS (SELECT FROM gateway_calls c
            WHERE c.payment_id = p.id AND c.state IN ('due', 'running')) AS under_way
    FROM refunds r JOIN payments p ON p.id = r.payment_id ORDER BY r.number
"""
_SUMS = """
    SELECT p.order_id, p.refunded_amount, p.status, p.captured_amount,
        coalesce(sum(r.amount) FILTER (WHERE r.status = 'SUCCEEDED'), 0) AS given_back,
        coalesce(sum(r.amount) FILTER (WHERE r.status <> 'FAILED'), 0) AS promised
    FROM payments p LEFT JOIN refunds r ON r.payment_id = p.id
    WHERE p.captured_amount > 0 GROUP BY p.id
    HAVING p.refunded_amount <> coalesce(sum(r.amount) FILTER (WHERE r.status = 'SUCCEEDED'), 0)
        OR coalesce(sum(r.amount) FILTER (WHERE r.status <> 'FAILED'), 0) > p.captured_amount
        OR (p.status = 'REFUNDED') <> (p.refunded_amount = p.captured_amount)
"""
_STRIPES = {
    "PENDING": {"pending", "requires_action"},
    "SUCCEEDED": {"succeeded"},
    "FAILED": {"failed", "canceled"},
}
_Row = Mapping[str, Any]


def refunds(stores: Stores, finding: Finding) -> None:
    """Compare each refund with Stripe's, and each payment with the sum of its refunds."""
    for row in stores.rows("payment", _SUMS):
        finding.fail(
            row["order_id"],
            f"is {row['status']} with {row['refunded_amount']} refunded of"
            f" {row['captured_amount']}; its refunds come to {row['given_back']},"
            f" those under way included to {row['promised']}",
        )
    listed = {refund.id: refund for refund in _list(stores)}
    with stores.stream("payment", _REFUNDS) as ours:
        for refund in ours:
            finding.compared[f"refunds {refund['status']}"] += 1
            _compare(refund, listed.pop(refund["stripe_refund_id"], None), finding)
    _strays(stores, listed, finding)


def _compare(refund: _Row, theirs: stripe.Refund | None, finding: Finding) -> None:
    what = f"{refund['id']} of order {refund['order_id']}"
    if theirs is None:
        finding.check(
            refund["stripe_refund_id"] is None
            and (refund["status"] == "FAILED" or refund["under_way"]),
            what,
            f"is {refund['status']}, and Stripe does not list it",
        )
        return
    finding.check(
        theirs.status in _STRIPES[refund["status"]],
        what,
        f"is {refund['status']}, at Stripe {theirs.status} ({theirs.id})",
    )
    amount = from_stripe_units(theirs.amount, refund["currency"])
    finding.check(
        amount == refund["amount"] and theirs.payment_intent == refund["intent"],
        what,
        f"is {refund['amount']} of {refund['intent']},"
        f" at Stripe {amount} of {theirs.payment_intent}",
    )


def _strays(stores: Stores, listed: Mapping[str, stripe.Refund], finding: Finding) -> None:
    """What Stripe gave back of a payment of ours, and no refund knows: a failed attempt at most."""
    known = stores.rows(
        "payment",
        "SELECT stripe_payment_intent_id AS intent, order_id FROM payments"
        " WHERE stripe_payment_intent_id = ANY(%(intents)s)",
        {"intents": [str(each.payment_intent) for each in listed.values()]},
    )
    orders = {row["intent"]: row["order_id"] for row in known}
    for each in listed.values():
        if str(each.payment_intent) in orders:
            finding.check(
                each.status in _STRIPES["FAILED"],
                orders[str(each.payment_intent)],
                f"Stripe's refund {each.id} of {each.amount} ({each.status}) is not known here",
            )


def _list(stores: Stores) -> Iterator[stripe.Refund]:
    """List refunds since our first payment."""
    first = stores.rows("payment", "SELECT min(created_at) AS at FROM payments")[0]["at"]
    if first is not None:
        since = int((first - timedelta(minutes=10)).timestamp())
        page = stores.stripe.v1.refunds.list({"limit": 100, "created": {"gte": since}})
        yield from page.auto_paging_iter()
