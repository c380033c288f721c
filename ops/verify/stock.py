"""What is sold: quotas, reservations, limits."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ops.stores import Row, Stores
from ops.verify.finding import Finding, paired

_LIVE = {"$in": ["HELD", "FINALIZED"]}
_LEFT = {"$subtract": ["$quantity", "$released"]}
_HELD: Mapping[str, Any] = {"$sum": {"$cond": [{"$eq": ["$status", "HELD"]}, "$quantity", 0]}}
_SOLD: Mapping[str, Any] = {"$sum": {"$cond": [{"$eq": ["$status", "FINALIZED"]}, _LEFT, 0]}}

# What an order's reservation must be; a refused order has none, a tombstone is RELEASED.
_FITTING: dict[str, set[str | None]] = {
    "PENDING": {None, "HELD"},
    "AWAITING_PAYMENT": {"HELD"},
    "CONFIRMED": {"FINALIZED"},
    "CANCELLED": {None, "RELEASED"},
    "EXPIRED": {"EXPIRED", "RELEASED"},
}


def quotas(stores: Stores, finding: Finding) -> None:
    """Compare each ticket's counters with the sums over its reservations, in one snapshot."""
    with stores.mongo.client.start_session(snapshot=True) as session:
        sums = {
            row["_id"]: row
            for row in stores.mongo.reservations.aggregate(
                [
                    {"$match": {"status": _LIVE}},
                    {
                        "$group": {
                            "_id": "$ticket_id",
                            "reserved": _HELD,
                            "sold": _SOLD,
                            "count": {"$sum": 1},
                        }
                    },
                ],
                session=session,
                allowDiskUse=True,
            )
        }
        for ticket in stores.mongo.tickets.find({}, session=session):
            summed = sums.pop(ticket["_id"], {"reserved": 0, "sold": 0, "count": 0})
            _quota(ticket, summed, finding)
    for ticket_id in sums:
        finding.fail(ticket_id, "has reservations, and there is no such ticket")


def _quota(ticket: Row, summed: Row, finding: Finding) -> None:
    finding.compared["tickets"] += 1
    finding.compared["live reservations"] += summed["count"]
    finding.compared["reserved or sold"] += ticket["reserved"] + ticket["sold"]
    taken = ticket["reserved"] + ticket["sold"]
    finding.check(
        taken <= ticket["quota"], ticket["_id"], f"{taken} reserved or sold of {ticket['quota']}"
    )
    for counter in ("reserved", "sold"):
        finding.check(
            ticket[counter] == summed[counter],
            ticket["_id"],
            f"{counter} is {ticket[counter]}, its reservations say {summed[counter]}",
        )


def limits(stores: Stores, finding: Finding) -> None:
    """Compare what each user has of a ticket with the counter and with the limit."""
    with stores.mongo.client.start_session(snapshot=True) as session:
        tickets = {
            each["_id"]: each
            for each in stores.mongo.tickets.find(
                {}, {"max_per_user": True, "version": True}, session=session
            )
        }
        counted = iter(
            {"id": row["_id"], "counted": row["quantity"], "ticket_id": row["ticket_id"]}
            for row in stores.mongo.user_counts.find(
                {"quantity": {"$ne": 0}}, session=session
            ).sort("_id")
        )
        summed = iter(
            {"id": row["_id"], "live": row["live"], "ticket_id": row["ticket_id"]}
            for row in stores.mongo.reservations.aggregate(
                [
                    {"$match": {"status": _LIVE}},
                    {
                        "$group": {
                            "_id": {"$concat": ["$ticket_id", ":", "$user_id"]},
                            "ticket_id": {"$first": "$ticket_id"},
                            "live": {"$sum": _LEFT},
                        }
                    },
                    {"$match": {"live": {"$ne": 0}}},
                    {"$sort": {"_id": 1}},
                ],
                session=session,
                allowDiskUse=True,
            )
        )
        for key, counter, reserved in paired(counted, summed, "id"):
            finding.compared["users with tickets"] += 1
            has = reserved["live"] if reserved else 0
            says = counter["counted"] if counter else 0
            finding.check(has == says, key, f"the counter says {says}, the reservations {has}")
            ticket = tickets.get((reserved or counter or {})["ticket_id"])
            if ticket and has > ticket["max_per_user"]:
                _too_many(key, has, ticket, finding)


def _too_many(key: str, has: int, ticket: Row, finding: Finding) -> None:
    """An organizer may lower a limit below what somebody bought before."""
    words = f"has {has}; the limit is {ticket['max_per_user']}"
    if ticket["version"] == 1:
        finding.fail(key, words)
    else:
        finding.notes.append(f"{key} {words}, which may have been higher")


def reservations(stores: Stores, finding: Finding) -> None:
    """Compare each order with its reservation: who, what, how many, and how far both are."""
    statement = (
        "SELECT o.id AS order_id, o.reservation_id, o.ticket_id, o.user_id, o.status,"
        " i.quantity::int, coalesce(i.sold, 0)::int AS sold"
        " FROM orders o LEFT JOIN LATERAL (SELECT sum(quantity) AS quantity,"
        "  sum(quantity) FILTER (WHERE kept OR o.status = 'CONFIRMED' AND NOT refunded) AS sold"
        "  FROM order_items WHERE order_id = o.id) i ON true ORDER BY o.id"
    )
    kept = (
        {**row, "order_id": UUID(row["order_id"])}
        for row in stores.mongo.reservations.find({}).sort("order_id")
    )
    with stores.stream("order", statement) as orders:
        for order_id, order, reservation in paired(orders, kept, "order_id"):
            finding.compared["orders"] += order is not None
            finding.compared["reservations"] += reservation is not None
            if order is None:
                finding.fail(order_id, "has a reservation, and there is no such order")
            else:
                _reserved(order, reservation, finding)


def _reserved(order: Mapping[str, Any], kept: Mapping[str, Any] | None, finding: Finding) -> None:
    status = kept["status"] if kept else None
    fits = status in ({"FINALIZED"} if order["sold"] else _FITTING[order["status"]])
    finding.check(
        fits,  # What was refunded and kept stays sold, whatever became of the order.
        order["order_id"],
        f"is {order['status']}, its reservation is {status or 'missing'}",
    )
    if kept is None:
        return
    for name in ("reservation_id", "ticket_id", "user_id"):
        theirs = kept["_id" if name == "reservation_id" else name]
        finding.check(
            str(order[name]) == theirs,
            order["order_id"],
            f"has {name} {order[name]}, its reservation {theirs}",
        )
    left = kept["quantity"] - kept["released"]
    finding.check(
        not fits or status != "FINALIZED" or left == order["sold"],
        order["order_id"],
        f"has {order['sold']} sold, its reservation {left}",
    )
    finding.check(
        not kept["quantity"] or order["quantity"] == kept["quantity"],  # A tombstone has none.
        order["order_id"],
        f"is for {order['quantity']}, its reservation for {kept['quantity']}",
    )
