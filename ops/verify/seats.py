"""Seats: what they say, what the ledger says, and what the orders say."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ops.stores import Stores
from ops.verify.finding import Finding, paired

OVERDUE_SEC = 60
"""How long after its time a hold may still be there: a clock may be starting again."""

_SEATS = """
    SELECT s.id, s.status, count(i.seat_id) AS live, string_agg(r.status, ', ') AS ledger
    FROM seats s LEFT JOIN seat_reservation_items i ON i.seat_id = s.id AND i.live
    LEFT JOIN seat_reservations r ON r.id = i.reservation_id
    GROUP BY s.id
    HAVING count(i.seat_id) <> (s.status IN ('RESERVED', 'SOLD'))::int
        OR coalesce(bool_or(r.status <> s.status), false)
"""
_AREAS = """
    SELECT s.id, s.reserved, s.sold, coalesce(l.reserved, 0) AS l_reserved,
        coalesce(l.sold, 0) AS l_sold
    FROM sections s LEFT JOIN (
        SELECT i.section_id,
            sum(i.quantity - i.released) FILTER (WHERE r.status = 'RESERVED') AS reserved,
            sum(i.quantity - i.released) FILTER (WHERE r.status = 'SOLD') AS sold
        FROM seat_reservation_items i JOIN seat_reservations r ON r.id = i.reservation_id
        WHERE i.live AND NOT i.seated GROUP BY 1) l ON l.section_id = s.id
    WHERE s.type = 'ga' AND (s.reserved, s.sold)
        IS DISTINCT FROM (coalesce(l.reserved, 0), coalesce(l.sold, 0))
"""
_SELLABLE = """
    SELECT p.id, p.sellable, s.seats + a.capacity AS counted FROM seating_plans p,
    LATERAL (SELECT count(*) AS seats FROM seats WHERE plan_id = p.id AND status <> 'BLOCKED') s,
    LATERAL (SELECT coalesce(sum(capacity), 0) AS capacity FROM sections WHERE plan_id = p.id) a
    WHERE p.sellable <> s.seats + a.capacity
"""
_OVERDUE = """
    SELECT id, held_by, held_until FROM seats WHERE status = 'HELD'
    AND held_until < now() - make_interval(secs => %(late)s)
"""
_COUNTS = """
    SELECT (SELECT count(*) FROM seats) AS seats,
        (SELECT count(*) FROM seats WHERE status = 'HELD') AS held,
        (SELECT count(*) FROM sections WHERE type = 'ga') AS areas,
        (SELECT count(*) FROM seating_plans) AS plans,
        (SELECT count(*) FROM seat_reservation_items WHERE live) AS live
"""
_TOO_MANY = """
    SELECT 'held by ' || s.held_by AS who, p.id, p.version, p.max_seats_per_order AS most,
        count(*) AS has
    FROM seats s JOIN seating_plans p ON p.id = s.plan_id WHERE s.status = 'HELD'
    AND s.held_until > now() GROUP BY s.held_by, p.id HAVING count(*) > p.max_seats_per_order
    UNION ALL
    SELECT 'order ' || r.order_id, p.id, p.version, p.max_seats_per_order, r.quantity
    FROM seat_reservations r JOIN seating_plans p ON p.id = r.plan_id
    WHERE r.quantity > p.max_seats_per_order
"""
# What is left of an order: what was refunded is gone, unless it was kept.
_ORDERS = """
    SELECT o.id AS order_id, o.reservation_id, o.ticket_id, o.user_id, o.status, o.step, o.seated,
        coalesce(i.seats, '{}') AS seats, coalesce(i.places, 0)::int AS places,
        coalesce(i.prices, '{}') AS prices, coalesce(i.kept, false) AS kept
    FROM orders o LEFT JOIN (
        SELECT order_id, bool_or(kept) AS kept,
            array_agg(seat_ids ORDER BY seat_ids)
                FILTER (WHERE seat_ids IS NOT NULL AND (kept OR NOT refunded)) AS seats,
            sum(quantity) FILTER (WHERE seat_ids IS NULL AND (kept OR NOT refunded)) AS places,
            jsonb_object_agg(seat_ids, trim_scale(unit_price)::text)
                FILTER (WHERE seat_ids IS NOT NULL AND unit_price IS NOT NULL) AS prices
        FROM order_items GROUP BY 1) i ON i.order_id = o.id
    ORDER BY o.id
"""
_LEDGER = """
    SELECT r.order_id, r.id AS reservation_id, r.ticket_id, r.user_id, r.status, r.plan_id,
        coalesce(i.seats, '{}') AS seats, coalesce(i.places, 0)::int AS places,
        coalesce(i.prices, '{}') AS prices
    FROM seat_reservations r LEFT JOIN (
        SELECT reservation_id,
            array_agg(seat_id::text ORDER BY seat_id::text) FILTER (WHERE live AND seated) AS seats,
            sum(quantity - released) FILTER (WHERE live AND NOT seated) AS places,
            jsonb_object_agg(seat_id, trim_scale(price)::text)
                FILTER (WHERE seat_id IS NOT NULL) AS prices
        FROM seat_reservation_items GROUP BY 1) i ON i.reservation_id = r.id
    ORDER BY r.order_id
"""
# What a seated order's reservation must be; a refused order has none, a tombstone is RELEASED.
_FITTING: dict[str, set[str | None]] = {
    "PENDING": {None, "RESERVED"},
    "AWAITING_PAYMENT": {"RESERVED"},
    "CONFIRMED": {"SOLD"},
    "CANCELLED": {None, "RELEASED"},
    "EXPIRED": {"EXPIRED", "RELEASED"},
}
_LIVE = {"AWAITING_PAYMENT", "CONFIRMED"}

Compared = Mapping[str, Any]


def ledger(stores: Stores, finding: Finding) -> None:
    """Compare each seat, each area and each plan with the ledger, as of one moment each."""
    (counts,) = stores.rows("venue", _COUNTS)
    finding.compared += {name: count for name, count in counts.items() if name != "held"}
    for row in stores.rows("venue", _SEATS):
        finding.fail(
            row["id"], f"is {row['status']}, in {row['live']} live reservations: {row['ledger']}"
        )
    for row in stores.rows("venue", _AREAS):
        counted = f"{row['reserved']} reserved and {row['sold']} sold"
        summed = f"{row['l_reserved']} and {row['l_sold']}"
        finding.fail(row["id"], f"counts {counted}, its reservations say {summed}")
    for row in stores.rows("venue", _SELLABLE):
        finding.fail(row["id"], f"says {row['sellable']} can be sold, it has {row['counted']}")


def holds(stores: Stores, finding: Finding) -> None:
    """Look for holds whose time has long been over."""
    (counts,) = stores.rows("venue", _COUNTS)
    finding.compared["held seats"] += counts["held"]
    for row in stores.rows("venue", _OVERDUE, {"late": OVERDUE_SEC}):
        finding.fail(row["id"], f"is held by {row['held_by']} since {row['held_until']} no longer")


def limits(stores: Stores, finding: Finding) -> None:
    """Look for users and orders that have more seats of a plan than one may."""
    (counts,) = stores.rows("venue", _COUNTS)
    finding.compared["held seats"] += counts["held"]
    for row in stores.rows("venue", _TOO_MANY):
        words = f"has {row['has']} seats ({row['who']}); the limit is {row['most']}"
        if row["version"] == 1:
            finding.fail(row["id"], words)
        else:
            finding.notes.append(f"{row['id']} {words}, which may have been higher")


def reservations(stores: Stores, finding: Finding) -> None:
    """Compare each seated order with its reservation: who, how far, which seats and places."""
    with _orders_and_ledger(stores) as pairs:
        for order_id, order, kept in pairs:
            finding.compared["seat reservations"] += kept is not None
            if order is None:
                finding.fail(order_id, "has a seat reservation, and there is no such order")
            elif order["seated"]:
                _seated(order, kept, finding)
            elif kept is not None and order["status"] != "PENDING":
                finding.check(
                    kept["status"] in {"RELEASED", "EXPIRED"},
                    order_id,
                    f"has no seats, and its seat reservation is {kept['status']}",
                )


def prices(stores: Stores, finding: Finding) -> None:
    """Compare what each seat costs its order with the price at the time of reserving."""
    with _orders_and_ledger(stores) as pairs:
        for order_id, order, kept in pairs:
            if order is None or kept is None:
                continue
            for seat_id in order["prices"].keys() & kept["prices"].keys():
                finding.compared["prices of seats"] += 1
                asked, reserved = order["prices"][seat_id], kept["prices"][seat_id]
                finding.check(
                    asked == reserved,
                    order_id,
                    f"pays {asked} for {seat_id}, which was reserved at {reserved}",
                )


@contextmanager
def _orders_and_ledger(
    stores: Stores,
) -> Iterator[Iterator[tuple[Any, Compared | None, Compared | None]]]:
    with stores.stream("order", _ORDERS) as orders, stores.stream("venue", _LEDGER) as kept:
        yield paired(orders, kept, "order_id")


def _seated(order: Compared, kept: Compared | None, finding: Finding) -> None:
    finding.compared["seated orders"] += 1
    status = kept["status"] if kept else None
    fitting = _FITTING[order["status"]] | ({"SOLD"} if order["kept"] else set())
    fitting |= {"RESERVED"} if order["step"] == "retaking" else set()
    finding.check(
        status in fitting,
        order["order_id"],
        f"is {order['status']}, its seat reservation is {status or 'missing'}",
    )
    if kept is None:
        return
    for name in ("reservation_id", "ticket_id", "user_id"):
        finding.check(
            order[name] == kept[name],
            order["order_id"],
            f"has {name} {order[name]}, its seat reservation {kept[name]}",
        )
    if order["status"] in _LIVE:
        for name in ("seats", "places"):
            finding.check(
                order[name] == kept[name],
                order["order_id"],
                f"has {name} {order[name]}, its seat reservation {kept[name]}",
            )
