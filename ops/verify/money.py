"""Money: orders, payments, and Stripe's own list."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import stripe

from ops.stores import Stores
from ops.verify.finding import Finding, paired
from workers.payment.amounts import from_stripe_units

_PAYMENTS = """
    SELECT p.order_id, p.id, p.amount, p.currency, p.status, p.authorisation, p.captured_amount,
        p.refunded_amount, p.stripe_payment_intent_id AS intent,
        p.refunded_amount + coalesce((SELECT sum(r.amount) FROM refunds r
            WHERE r.payment_id = p.id AND r.status = 'PENDING' AND r.stripe_refund_id IS NOT NULL
        ), 0) AS back_at_stripe,
        EXISTS (SELECT FROM gateway_calls c
            WHERE c.payment_id = p.id AND c.state IN ('due', 'running')) AS under_way
    FROM payments p
"""
_ORDERS = """
    SELECT o.id AS order_id, o.status, o.step, o.total_amount, o.currency FROM orders o
    ORDER BY o.id
"""
_OPEN = {"requires_payment_method", "requires_confirmation", "requires_action", "processing"}
# How far Stripe may be with the intent of a payment that is this far.
_STRIPES = {
    "none": _OPEN,
    "authorized": {"requires_capture"},
    "capturing": {"requires_capture", "succeeded"},
    "captured": {"succeeded"},
    "capture_failed": {"canceled", "requires_payment_method"},
    "voiding": {*_OPEN, "requires_capture", "canceled"},
    "voided": {"canceled"},
    "refused": {"canceled"},
}
_Payment = Mapping[str, Any]


def payments(stores: Stores, finding: Finding) -> None:
    """Compare each order with its payment."""
    doubled = stores.rows(
        "order", "SELECT reservation_id FROM orders GROUP BY 1 HAVING count(*) > 1"
    )
    for row in doubled:
        finding.fail(row["reservation_id"], "is the reservation of two orders")
    with (
        stores.stream("order", _ORDERS) as orders,
        stores.stream("payment", f"{_PAYMENTS} ORDER BY p.order_id") as paid,
    ):
        for order_id, order, payment in paired(orders, paid, "order_id"):
            finding.compared["orders"] += order is not None
            finding.compared["payments"] += payment is not None
            if order is None:
                finding.fail(order_id, "has a payment, and there is no such order")
            elif order["status"] == "CONFIRMED" and order["total_amount"] > 0:
                finding.compared["confirmed and to be paid"] += 1
                _confirmed(order, payment, finding)
            else:
                _unconfirmed(order, payment, finding)


def _confirmed(order: _Payment, payment: _Payment | None, finding: Finding) -> None:
    order_id = order["order_id"]
    if payment is None:
        finding.fail(order_id, "is CONFIRMED, and there is no payment")
        return
    finding.check(
        payment["authorisation"] == "captured"
        or (payment["authorisation"] == "capturing" and payment["under_way"]),
        order_id,
        f"is CONFIRMED, its payment is {payment['authorisation']}",
    )
    finding.check(
        payment["status"] != "REFUNDED", order_id, "is CONFIRMED, and all of it was given back"
    )
    finding.check(
        (payment["amount"], payment["currency"]) == (order["total_amount"], order["currency"]),
        order_id,
        f"costs {order['total_amount']} {order['currency']},"
        f" its payment is {payment['amount']} {payment['currency']}",
    )


def _unconfirmed(order: _Payment, payment: _Payment | None, finding: Finding) -> None:
    """Nobody else's money is kept, and nobody can pay any more for what has ended."""
    if payment is None:
        return
    kept = payment["captured_amount"] - payment["refunded_amount"]
    finding.check(
        kept == 0, order["order_id"], f"is {order['status']}, and {kept} of its money is kept"
    )
    open_states = {"none", "authorized", "capturing", "voiding"}
    ended = order["status"] in {"CANCELLED", "EXPIRED"}
    finding.check(
        not ended or payment["authorisation"] not in open_states or payment["under_way"],
        order["order_id"],
        f"is {order['status']}, its payment is still {payment['authorisation']}",
    )


def stripes_list(stores: Stores, finding: Finding) -> None:
    """Compare the sums of orders, of payments and of Stripe's list, and every intent by itself."""
    orders = _sums(
        stores,
        "order",
        "SELECT currency, sum(total_amount) AS amount FROM orders"
        " WHERE status = 'CONFIRMED' AND total_amount > 0 GROUP BY 1",
    )
    refunds = _sums(  # Of orders that stay confirmed: a refund that reaches the total ends one.
        stores,
        "payment",
        "SELECT currency, sum(refunded_amount) AS amount FROM payments"
        " WHERE refunded_amount < captured_amount GROUP BY 1",
    )
    books = _sums(
        stores,
        "payment",
        "SELECT currency, sum(captured_amount - refunded_amount) AS amount"
        " FROM payments GROUP BY 1",
    )
    stripes = _intents(stores, finding)
    for currency in sorted(orders.keys() | books.keys() | stripes.keys()):
        expected = orders[currency] - refunds[currency]
        finding.check(
            books[currency] == expected == stripes[currency],
            currency,
            f"confirmed orders less refunds {expected}, payments {books[currency]},"
            f" Stripe {stripes[currency]}",
        )
        finding.notes.append(f"{books[currency]} {currency} kept, as Stripe says")


def _sums(stores: Stores, service: str, statement: str) -> dict[str, Decimal]:
    found = stores.rows(service, statement)
    sums = defaultdict(Decimal, {row["currency"]: row["amount"] for row in found})
    return defaultdict(Decimal, {name: amount for name, amount in sums.items() if amount})


def _intents(stores: Stores, finding: Finding) -> dict[str, Decimal]:
    """Compare every payment's intent; return what Stripe has kept, by currency.

    Intents are few enough to be held by id; payments are streamed past them.
    """
    kept: dict[str, Decimal] = defaultdict(Decimal)  # What is pending has yet to go back.
    listed = {intent["id"]: intent for intent in _list(stores)}
    with stores.stream("payment", f"{_PAYMENTS} ORDER BY p.order_id") as payments:
        for payment in payments:
            finding.compared["payments"] += 1
            intent = listed.pop(payment["intent"], None) if payment["intent"] else None
            if intent is not None:
                finding.compared["Stripe's intents"] += 1
                kept[payment["currency"]] += _compare(payment, intent, finding)
            else:
                finding.check(
                    payment["intent"] is None and payment["captured_amount"] == 0,
                    payment["id"],
                    f"Stripe does not list its intent {payment['intent']}",
                )
    for intent in listed.values():
        _stray(intent, finding)
    return kept


def _list(stores: Stores) -> Iterator[dict[str, Any]]:
    """List intents since our first payment; an account of one's own may have older ones."""
    first = stores.rows("payment", "SELECT min(created_at) AS at FROM payments")[0]["at"]
    if first is None:
        return
    since = int((first - timedelta(minutes=10)).timestamp())
    page = stores.stripe.v1.payment_intents.list(
        {"limit": 100, "created": {"gte": since}, "expand": ["data.latest_charge"]}
    )
    for intent in page.auto_paging_iter():
        if "payment_id" in intent.metadata:
            yield _slim(intent)


def _slim(intent: stripe.PaymentIntent) -> dict[str, Any]:
    charge = intent.latest_charge
    captured = charge if isinstance(charge, stripe.Charge) and charge.captured else None
    return {
        "id": intent.id,
        "status": intent.status,
        "amount": intent.amount,
        "currency": intent.currency.upper(),
        "received": intent.amount_received,
        "refunded": captured.amount_refunded if captured else 0,
        "payment_id": intent.metadata["payment_id"],
    }


def _compare(payment: _Payment, intent: _Payment, finding: Finding) -> Decimal:
    """Compare a payment with its intent; return what Stripe has kept of it."""
    what, currency = payment["id"], payment["currency"]

    def amount(name: str) -> Decimal:
        return from_stripe_units(intent[name], currency)

    finding.check(
        intent["status"] in _STRIPES[payment["authorisation"]],
        what,
        f"is {payment['authorisation']}, at Stripe {intent['status']} ({intent['id']})",
    )
    finding.check(
        intent["currency"] == currency and amount("amount") == payment["amount"],
        what,
        f"is {payment['amount']} {currency}, at Stripe {amount('amount')} {intent['currency']}",
    )
    for ours, theirs in (("captured_amount", "received"), ("back_at_stripe", "refunded")):
        finding.check(
            payment[ours] == amount(theirs),
            what,
            f"{ours} is {payment[ours]}, at Stripe {amount(theirs)}",
        )
    finding.check(
        intent["payment_id"] == str(what), what, f"its intent is for {intent['payment_id']}"
    )
    pending = payment["back_at_stripe"] - payment["refunded_amount"]
    return amount("received") - amount("refunded") + Decimal(pending)


def _stray(intent: _Payment, finding: Finding) -> None:
    """An intent that no payment knows holds nobody's money."""
    finding.compared["intents of nobody"] += 1
    finding.check(
        intent["status"] not in {"requires_capture", "succeeded"},
        intent["id"],
        f"is {intent['status']} at Stripe, and no payment knows it ({intent['payment_id']})",
    )


def recorded_once(stores: Stores, finding: Finding) -> None:
    """Look for what is there twice; constraints forbid it, and this is how they are trusted."""
    for table, column, what in (
        ("payment_webhooks", "stripe_event_id", "is recorded twice"),
        ("payments", "stripe_payment_intent_id", "belongs to two payments"),
        ("payments", "order_id", "has two payments"),
    ):
        counted = stores.rows("payment", f"SELECT count({column}) AS n FROM {table}")  # noqa: S608  # Our own names.
        finding.compared[f"{table}.{column}"] += counted[0]["n"]
        twice = stores.rows(
            "payment",
            f"SELECT {column} AS id FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608  # Our own names.
            " GROUP BY 1 HAVING count(*) > 1",
        )
        for row in twice:
            finding.fail(row["id"], what)
