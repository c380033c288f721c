"""The lines that must never break, checked over one world at rest."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from schemas.order import PlaceOrder
from tests.driven import mongo, redis
from tests.saga import seats
from tests.saga.world import World
from workers.expiration import timers
from workers.payment.amounts import from_stripe_units

Row = dict[str, Any]
PLACED = PlaceOrder.TYPE
RESERVED = {
    "CONFIRMED": {"FINALIZED"},
    "AWAITING_PAYMENT": {"HELD"},
    "EXPIRED": {"EXPIRED", "RELEASED"},  # Released: taken again, and in vain.
    "CANCELLED": {"RELEASED", "FINALIZED"},  # Finalized: refunded, and what was kept stays sold.
}


def check(world: World) -> Counter[str]:
    """Check every line; return how many orders ended in each way."""
    orders = world.rows("order", "SELECT * FROM orders WHERE user_id = ANY(%s)", world.buyers)
    paid = {row["order_id"]: row for row in world.payments()}
    _check_bags(world)
    _check_ends(world, orders)
    items = defaultdict(list)
    for item in world.items():
        items[item["order_id"]].append(item)
    _check_items(orders, items)
    _check_stock(world, orders)
    seats.check(world, orders, items)
    _check_money(world, orders, paid)
    _check_stripe(world, orders, paid)
    _check_timers(orders)
    _check_views(world, orders, paid)
    return Counter(f"{row['status']} {row['cancel_reason'] or ''}".strip() for row in orders)


def _check_bags(world: World) -> None:
    """Nothing is left anywhere."""
    assert all(not bag.waiting and not bag.late for bag in world.bags.values())
    open_calls = world.rows(
        "payment",
        "SELECT * FROM gateway_calls WHERE state IN ('due', 'running') AND payment_id = ANY(%s)",
        [row["id"] for row in world.payments()],
    )
    assert open_calls == []


def _check_ends(world: World, orders: list[Row]) -> None:
    """Every order has ended or waits before its deadline, and every operation has ended."""
    now = datetime.now(UTC)
    for row in orders:
        if row["status"] == "AWAITING_PAYMENT":
            assert row["expires_at"] > now, row
            assert row["step"] == "payable", row
        elif row["status"] == "CONFIRMED":
            assert row["step"] == "settled", row
        else:
            assert row["status"] in {"CANCELLED", "EXPIRED"}, row
            assert row["step"] in {"settled", "voided"}, row
    operations = world.rows(
        "view",
        "SELECT id, type, status, error ->> 'code' AS code FROM operations WHERE id = ANY(%s)",
        list(world.operations),
    )
    assert len(operations) == len(world.operations)
    assert [each for each in operations if each["status"] == "pending"] == []
    called_off = [row for row in orders if UUID(str(row["ticket_id"])) in world.called_off]
    assert [row for row in called_off if row["status"] not in {"CANCELLED", "EXPIRED"}] == []
    placed = {row["operation_id"] for row in orders}
    refused = [each for each in operations if each["code"] == "event_cancelled"]
    assert len(placed | {each["id"] for each in refused if each["type"] == PLACED}) == world.asked


def _check_items(orders: list[Row], items: Mapping[Any, list[Row]]) -> None:
    """A total is the sum of its items; what was refunded whole was refunded item by item."""
    for row in orders:
        if row["total_amount"] is not None:
            total = sum(each["unit_price"] * each["quantity"] for each in items[row["id"]])
            assert row["total_amount"] == total, row
        if row["cancel_reason"] == "refunded":
            assert all(each["refunded"] for each in items[row["id"]]), row


def _check_stock(world: World, orders: list[Row]) -> None:
    """Counters are the sums of their reservations; nobody has more than they may."""
    database = mongo().database
    status_of = {str(row["id"]): row for row in orders}
    sold_of = _sold(world)
    for ticket_id in map(str, world.tickets):
        ticket = database.tickets.find_one({"_id": ticket_id})
        assert ticket
        reserved = sold = 0
        users: Counter[str] = Counter()
        for each in database.reservations.find({"ticket_id": ticket_id}):
            order = status_of[each["order_id"]]
            assert each["status"] in RESERVED[order["status"]], (each, order)
            assert each["_id"] == str(order["reservation_id"])
            assert (each["status"] == "FINALIZED") == (sold_of[order["id"]] > 0), (each, order)
            if each["status"] == "FINALIZED":
                assert each["quantity"] - each["released"] == sold_of[order["id"]], (each, order)
            reserved += each["quantity"] if each["status"] == "HELD" else 0
            sold += each["quantity"] - each["released"] if each["status"] == "FINALIZED" else 0
            if each["status"] in {"HELD", "FINALIZED"}:
                users[each["user_id"]] += each["quantity"] - each["released"]
        assert (ticket["reserved"], ticket["sold"]) == (reserved, sold)
        assert reserved + sold <= ticket["quota"]
        counts = {
            each["user_id"]: each["quantity"]
            for each in database.user_counts.find({"ticket_id": ticket_id, "quantity": {"$gt": 0}})
        }
        assert counts == dict(users)
        assert all(each <= ticket["max_per_user"] for each in users.values())
    held = [str(row["id"]) for row in orders if row["status"] in {"CONFIRMED", "AWAITING_PAYMENT"}]
    assert database.reservations.count_documents({"order_id": {"$in": held}}) == len(held)


def _sold(world: World) -> dict[Any, int]:
    """Return how many tickets of each order are sold, as its items say."""
    rows = world.rows(
        "order",
        "SELECT o.id, coalesce(sum(i.quantity) FILTER (WHERE CASE o.status"
        " WHEN 'CONFIRMED' THEN NOT i.refunded OR i.kept"
        " WHEN 'CANCELLED' THEN i.kept ELSE false END), 0)::integer AS sold"
        " FROM orders o JOIN order_items i ON i.order_id = o.id"
        " WHERE o.user_id = ANY(%s) GROUP BY 1",
        world.buyers,
    )
    return {row["id"]: row["sold"] for row in rows}


def _check_money(world: World, orders: list[Row], paid: Mapping[Any, Row]) -> None:
    """A confirmed order that costs something is paid in full, once; no other order's is kept."""
    for order in orders:
        payment = paid.get(order["id"])
        if order["status"] == "CONFIRMED" and order["total_amount"]:
            assert payment, order
            assert payment["captured_amount"] == payment["amount"] == order["total_amount"]
            assert (payment["status"], payment["authorisation"]) == ("SUCCEEDED", "captured")
            assert payment["currency"] == order["currency"]
            assert payment["refunded_amount"] == order["refunded_amount"]
        elif payment:
            assert payment["captured_amount"] == payment["refunded_amount"], (order, payment)
        if payment and order["status"] in {"CANCELLED", "EXPIRED"}:
            assert payment["authorisation"] in ENDS[payment["status"]], (order, payment)
    ids = [row["id"] for row in paid.values()]
    doubled = world.rows(
        "payment",
        "SELECT payment_id, event_type, count(*) AS n FROM payment_records"
        " WHERE payment_id = ANY(%s) AND event_type IN ('authorized', 'captured', 'voided')"
        " GROUP BY 1, 2 HAVING count(*) > 1",
        ids,
    )
    assert doubled == [], "something was recorded twice"
    _check_refunds(world, ids)


ENDS = {"FAILED": {"voided", "refused", "capture_failed"}, "REFUNDED": {"captured"}}
"""How the payment of an order that has ended may have ended."""


def _check_refunds(world: World, ids: list[Any]) -> None:
    """Every refund has ended, and those that were made come to what was given back."""
    wrong = world.rows(
        "payment",
        "SELECT p.id, p.refunded_amount, array_agg(r.status || ' ' || r.amount) AS refunds"
        " FROM payments p JOIN refunds r ON r.payment_id = p.id WHERE p.id = ANY(%s)"
        " GROUP BY p.id HAVING p.refunded_amount <>"
        " coalesce(sum(r.amount) FILTER (WHERE r.status = 'SUCCEEDED'), 0)"
        " OR bool_or(r.status = 'PENDING')",
        ids,
    )
    assert wrong == []


def _check_stripe(world: World, orders: list[Row], paid: Mapping[Any, Row]) -> None:
    """Stripe has exactly the money of the confirmed orders, and holds nothing for ended ones."""
    ours = {str(row["id"]): row for row in orders}
    taken: Counter[str] = Counter()
    made: Counter[str] = Counter()
    for intent in world.stripe.intents(world.since):
        order = ours.get(intent["metadata"].get("order_id"))
        if order is None:
            continue
        made[str(order["id"])] += 1
        payment, currency = paid[order["id"]], intent["currency"].upper()
        amount = from_stripe_units(intent["captured"], currency)
        back = from_stripe_units(intent["refunded"], currency)
        assert (payment["captured_amount"], payment["refunded_amount"]) == (amount, back), intent
        assert payment["stripe_payment_intent_id"] == intent["id"]
        if amount > back:
            assert order["status"] == "CONFIRMED", (order, intent)
            assert amount == order["total_amount"], (order, intent)
            taken[str(order["id"])] += 1
        assert intent["held"] == 0, (order, intent, payment)
    assert all(times == 1 for times in made.values()), "an intent was made twice"
    due = {
        order_id
        for order_id, row in ours.items()
        if row["status"] == "CONFIRMED" and row["total_amount"] > Decimal(0)
    }
    assert set(taken) == due


def _check_timers(orders: list[Row]) -> None:
    """Every open order has the timer of its latest arming."""
    client = redis().client
    for row in orders:
        if row["status"] == "AWAITING_PAYMENT":
            key = timers.key_of(row["id"])
            score = client.zscore(timers.TIMERS, key)
            assert score, row
            assert abs(float(str(score)) - row["expires_at"].timestamp()) < 0.01, row


def _check_views(world: World, orders: list[Row], paid: Mapping[Any, Row]) -> None:
    """The views say what the owners say."""
    shown = {
        row["order_id"]: row
        for row in world.rows("view", "SELECT * FROM orders WHERE user_id = ANY(%s)", world.buyers)
    }
    assert shown.keys() == {row["id"] for row in orders}
    for row in orders:
        _same(row, shown[row["id"]], ORDER_COLUMNS)
        assert row["version"] == shown[row["id"]]["order_version"], row
    payments = world.rows("view", "SELECT * FROM payments WHERE user_id = ANY(%s)", world.buyers)
    for each in payments:
        _same(paid[each["order_id"]], each, PAYMENT_COLUMNS)
    unseen = paid.keys() - {each["order_id"] for each in payments}
    assert all(paid[each]["amount"] == 0 for each in unseen), "only tombstones are not shown"
    database = mongo().database
    for each in world.rows(
        "view", "SELECT * FROM tickets WHERE ticket_id = ANY(%s)", world.tickets
    ):
        owned = database.tickets.find_one({"_id": str(each["ticket_id"])})
        assert owned
        _same(owned, each, TICKET_COLUMNS)


ORDER_COLUMNS = (
    *("status", "step", "cancel_reason", "total_amount", "currency", "expires_at"),
    *("seated", "refunded_amount", "released_version"),
)
PAYMENT_COLUMNS = (
    *("status", "authorisation", "captured_amount", "refunded_amount", "amount", "currency"),
)
TICKET_COLUMNS = ("reserved", "sold", "quota", "version", "revision", "max_per_user", "status")


def _same(owned: Row, shown: Row, columns: tuple[str, ...]) -> None:
    def told(row: Row) -> Iterator[tuple[str, Any]]:
        yield from ((name, row[name]) for name in columns)

    assert dict(told(owned)) == dict(told(shown))
