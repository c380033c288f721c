"""The lines about seats: one owner each, and every book says the same of them."""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tests.driven import mongo
from tests.saga.halls import Hall
from tests.saga.world import World

Row = dict[str, Any]
LEDGER = {
    "CONFIRMED": {"SOLD"},
    "AWAITING_PAYMENT": {"RESERVED"},
    "EXPIRED": {"EXPIRED", "RELEASED"},  # Released: taken again, and in vain.
    "CANCELLED": {"RELEASED", "SOLD"},  # Sold: refunded, and some of it kept.
}


def check(world: World, orders: list[Row], items: Mapping[Any, list[Row]]) -> None:
    """Check every hall of a world."""
    for hall in world.halls.values():
        of_it = {row["id"]: row for row in orders if row["ticket_id"] == hall.ticket_id}
        _check_ledger(world, hall, of_it, items)
        _check_counters(world, hall)
        _check_map(world, hall)


def _check_ledger(
    world: World, hall: Hall, orders: Mapping[Any, Row], items: Mapping[Any, list[Row]]
) -> None:
    """Whose a seat is, the ledger, the seat and the order say alike."""
    ledger = world.rows(
        "venue",
        "SELECT r.order_id, r.status, i.seat_id, i.seated, i.quantity - i.released AS quantity"
        " FROM seat_reservations r LEFT JOIN seat_reservation_items i"
        " ON i.reservation_id = r.id AND i.live WHERE r.ticket_id = %s",
        hall.ticket_id,
    )
    owned: Counter[tuple[Any, Any]] = Counter()
    statuses = {}
    for each in ledger:
        order = orders[each["order_id"]]
        assert each["status"] in LEDGER[order["status"]], (each, order)
        if each["quantity"]:
            owned[each["order_id"], each["seat_id"]] += each["quantity"]
            assert each["status"] in {"RESERVED", "SOLD"}, each
            if each["seat_id"]:
                assert each["seat_id"] not in statuses, "a seat of two orders"
                statuses[each["seat_id"]] = each["status"]
    assert owned == _expected(orders, items)
    for seat in world.rows("venue", "SELECT * FROM seats WHERE plan_id = %s", hall.plan_id):
        if seat["status"] in {"RESERVED", "SOLD"} or seat["id"] in statuses:
            assert statuses.get(seat["id"]) == seat["status"], seat


def _expected(
    orders: Mapping[Any, Row], items: Mapping[Any, list[Row]]
) -> Counter[tuple[Any, Any]]:
    """Return what seats and places the orders think that they have."""
    expected: Counter[tuple[Any, Any]] = Counter()
    for order in orders.values():
        for item in items[order["id"]]:
            alive = order["status"] in {"AWAITING_PAYMENT", "CONFIRMED"} and not item["refunded"]
            if alive or item["kept"]:
                seat = UUID(item["seat_ids"]) if item["seat_ids"] else None
                expected[order["id"], seat] += item["quantity"]
    return expected


def _check_counters(world: World, hall: Hall) -> None:
    """What the ticket counts, the hall counts, and no hall sells more than it has."""
    (counted,) = world.rows(
        "venue",
        "SELECT count(*) FILTER (WHERE s.status = 'RESERVED')"
        "  + (SELECT sum(reserved) FROM sections WHERE plan_id = %s) AS reserved,"
        " count(*) FILTER (WHERE s.status = 'SOLD')"
        "  + (SELECT sum(sold) FROM sections WHERE plan_id = %s) AS sold,"
        " count(*) FILTER (WHERE s.status <> 'BLOCKED')"
        "  + (SELECT sum(capacity) FROM sections WHERE plan_id = %s) AS sellable"
        " FROM seats s WHERE s.plan_id = %s",
        *[hall.plan_id] * 4,
    )
    ticket = mongo().database.tickets.find_one({"_id": str(hall.ticket_id)})
    assert ticket
    assert (ticket["reserved"], ticket["sold"]) == (counted["reserved"], counted["sold"])
    assert ticket["quota"] == counted["sellable"]


def _check_map(world: World, hall: Hall) -> None:
    """The views show each seat as its owner knows it."""
    kept = world.rows("venue", "SELECT id, status FROM seats WHERE plan_id = %s", hall.plan_id)
    seen = world.rows("view", "SELECT seat_id, status FROM seats WHERE plan_id = %s", hall.plan_id)
    assert {row["id"]: row["status"][0] for row in kept} == {
        row["seat_id"]: row["status"] for row in seen
    }
