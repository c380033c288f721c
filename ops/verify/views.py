"""The views say what the owners say, row by row; and nothing is left over anywhere."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from ops import letters
from ops.stores import Row, Stores
from ops.verify.finding import Finding, differences, paired

_ORDERS = """
    SELECT o.id AS order_id, o.version AS order_version, o.user_id, o.ticket_id, o.organizer_id,
        o.reservation_id, o.status, o.step, o.cancel_reason, o.seated, o.method, o.total_amount,
        o.currency, o.expires_at, o.created_at, o.updated_at, o.operation_id,
        (SELECT jsonb_agg(jsonb_build_object('id', i.id, 'quantity', i.quantity,
            'unit_price', i.unit_price) ORDER BY i.id)
         FROM order_items i WHERE i.order_id = o.id) AS items
    FROM orders o ORDER BY o.id
"""
_SHOWN_ORDERS = """
    SELECT order_id, order_version, user_id, ticket_id, organizer_id, reservation_id, status, step,
        cancel_reason, seated, method, total_amount, currency, expires_at, created_at, updated_at,
        operation_id,
        (SELECT jsonb_agg(jsonb_build_object('id', i ->> 'id', 'quantity', i -> 'quantity',
            'unit_price', (i ->> 'unit_price')::numeric) ORDER BY i ->> 'id')
         FROM jsonb_array_elements(items) i) AS items
    FROM orders ORDER BY order_id
"""
# Nothing is said of a payment before its intent, nor of a tombstone. Its secret is shown only
# while somebody can pay with it.
_PAYMENTS = """
    SELECT id AS payment_id, version AS payment_version, order_id, order_version, user_id, method,
        amount, currency, status, authorisation, captured_amount, refunded_amount, failure,
        (status = 'PENDING' AND authorisation = 'none' AND client_secret IS NOT NULL) AS payable
    FROM payments WHERE version > 1 ORDER BY id
"""
_SHOWN_PAYMENTS = """
    SELECT payment_id, payment_version, order_id, order_version, user_id, method, amount, currency,
        status, authorisation, captured_amount, refunded_amount, failure,
        client_secret IS NOT NULL AS payable
    FROM payments ORDER BY payment_id
"""
# A payment takes note of these without a word: it says something when the step is done.
_UNSAID = {"order_version"}
_UNSAID_WHILE_PASSING = {*_UNSAID, "payment_version", "authorisation", "status"}
_PASSING = {"capturing", "voiding"}
_SHOWN_TICKETS = """
    SELECT ticket_id, organizer_id, title, price, currency, quota, reserved, sold, max_per_user,
        ticket_type, status, seating_plan_id, version, revision
    FROM tickets ORDER BY ticket_id
"""
_SAME = ("title", "currency", "quota", "reserved", "sold", "max_per_user", "ticket_type", "status",
         "version", "revision")  # fmt: skip


def orders(stores: Stores, finding: Finding) -> None:
    """Compare the orders that are shown with the orders."""
    with stores.stream("order", _ORDERS) as owned, stores.stream("view", _SHOWN_ORDERS) as shown:
        compare("orders", "order_id", _priced(owned), _priced(shown), finding)


def _priced(rows: Iterable[Row]) -> Iterator[Row]:
    """Items as both stores write them."""
    for row in rows:
        items = [{**each, "unit_price": _amount(each["unit_price"])} for each in row["items"] or []]
        yield row | {"items": items}


def _amount(value: object) -> str | None:
    """JSON writes one amount in many ways; the longest currency has three decimals."""
    return None if value is None else format(Decimal(str(value)), ".3f")


def payments(stores: Stores, finding: Finding) -> None:
    """Compare the payments that are shown with the payments."""
    with (
        stores.stream("payment", _PAYMENTS) as owned,
        stores.stream("view", _SHOWN_PAYMENTS) as shown,
    ):
        compare("payments", "payment_id", owned, shown, finding)


def tickets(stores: Stores, finding: Finding) -> None:
    """Compare the catalogue with the tickets."""
    owned = (_ticket(each) for each in stores.mongo.tickets.find({}).sort("_id"))
    with stores.stream("view", _SHOWN_TICKETS) as shown:
        compare("tickets", "ticket_id", owned, shown, finding)


def _ticket(kept: Row) -> Row:
    plan = kept["seating_plan_id"]
    return {name: kept[name] for name in _SAME} | {
        "ticket_id": UUID(kept["_id"]),
        "organizer_id": UUID(kept["organizer_id"]),
        "price": kept["price"].to_decimal(),
        "seating_plan_id": UUID(plan) if plan else None,
    }


def compare(
    what: str,
    key: str,
    owned: Iterator[Row],
    shown: Iterator[Row],
    finding: Finding,
) -> None:
    """Compare two streams of rows that are sorted by their key."""
    for row_id, own, view in paired(owned, shown, key):
        finding.compared[what] += 1
        if own is None:
            finding.fail(row_id, f"is among the {what} shown, and nobody has it")
        elif view is None:
            finding.check(_untold(what, own), row_id, f"is not among the {what} shown")
        else:
            finding.check(not (differ := _differ(what, own, view)), row_id, f"{what}: {differ}")


def _untold(what: str, own: Mapping[str, Any]) -> bool:
    """An order is first told when it has its tickets, or when it has ended."""
    return what == "orders" and own["status"] == "PENDING"


def _differ(what: str, own: Mapping[str, Any], view: Mapping[str, Any]) -> str:
    if what == "payments":
        unsaid = _UNSAID_WHILE_PASSING if own["authorisation"] in _PASSING else _UNSAID
        own = {name: value for name, value in own.items() if name not in unsaid}
    return differences(own, view)


def left_over(stores: Stores, finding: Finding) -> None:
    """Look for dead letters that nobody has explained."""
    explained = letters.explained()
    channel = stores.channel()
    for service in letters.services(stores):
        finding.compared["dead letters"] += stores.waiting(channel, letters.queue_of(service))
    for letter in letters.all_letters(stores):
        if letter.message_id in explained:
            finding.notes.append(f"{letter.message_id}: {explained[letter.message_id]}")
        else:
            finding.fail(
                letter.message_id or letter.type,
                f"{letter.type} died in {letter.queue}: {letter.code} {letter.error}",
            )
