"""Every MongoDB call of the ticket service.

A batch is a unit of work: a ticket and its users' counts are read once for each transaction, the
handlers decide on what was read, and all changes are written together before the commit. The
bus's lock document keeps other batches away from the same ticket meanwhile, and MongoDB itself
aborts whoever would write what another has written since.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID

from bson.decimal128 import Decimal128
from pymongo import InsertOne, ReplaceOne, UpdateOne

from bus.service import Transaction
from bus.stores.mongo import Documents
from schemas.order import OrderState
from schemas.ticket import HoldReservation, ReleaseReservation, TicketEvent
from workers.ticket.plan import Plan
from workers.ticket.reservation import Reservation
from workers.ticket.ticket import Ticket

Document = dict[str, Any]
_ABOUT_AN_ORDER = (HoldReservation, ReleaseReservation, OrderState)


@dataclass
class _Page:
    """What this transaction has read and changed."""

    tickets: dict[UUID, Ticket | None] = field(default_factory=dict)
    reservations: dict[UUID, Reservation | None] = field(default_factory=dict)
    counts: dict[tuple[UUID, UUID], int] = field(default_factory=dict)
    new_tickets: set[UUID] = field(default_factory=set)
    new_reservations: set[UUID] = field(default_factory=set)
    changed_tickets: set[UUID] = field(default_factory=set)
    changed_reservations: set[UUID] = field(default_factory=set)
    changed_counts: dict[tuple[UUID, UUID], int] = field(default_factory=dict)


def load(tx: Transaction[Documents], ticket_id: UUID) -> Ticket | None:
    """Return a ticket as this transaction sees it."""
    page = _page(tx)
    if ticket_id not in page.tickets:
        found = tx.db.database.tickets.find_one({"_id": str(ticket_id)}, session=tx.db.session)
        page.tickets[ticket_id] = _ticket(found) if found else None
    return page.tickets[ticket_id]


def reservation_of(tx: Transaction[Documents], order_id: UUID) -> Reservation | None:
    """Return an order's reservation as this transaction sees it."""
    page = _page(tx)
    if order_id not in page.reservations:
        found = tx.db.database.reservations.find_one(
            {"order_id": str(order_id)}, session=tx.db.session
        )
        page.reservations[order_id] = _reservation(found) if found else None
    return page.reservations[order_id]


def held_by(tx: Transaction[Documents], ticket_id: UUID, user_id: UUID) -> int:
    """Return how many of a ticket a user has, held or bought."""
    page, key = _page(tx), (ticket_id, user_id)
    if key not in page.counts:
        found = tx.db.database.user_counts.find_one({"_id": _count_id(key)}, session=tx.db.session)
        page.counts[key] = found["quantity"] if found else 0
    return page.counts[key]


def insert(tx: Transaction[Documents], ticket: Ticket) -> None:
    """Keep a new ticket."""
    page = _page(tx)
    page.tickets[ticket.ticket_id] = ticket
    page.new_tickets.add(ticket.ticket_id)


def save(tx: Transaction[Documents], ticket: Ticket) -> None:
    """Keep a changed ticket."""
    page = _page(tx)
    page.tickets[ticket.ticket_id] = ticket
    page.changed_tickets.add(ticket.ticket_id)


def insert_reservation(tx: Transaction[Documents], reservation: Reservation) -> None:
    """Keep a new reservation, and count it for its user."""
    page = _page(tx)
    page.reservations[reservation.order_id] = reservation
    page.new_reservations.add(reservation.order_id)
    _count(tx, reservation, reservation.live)


def save_reservation(tx: Transaction[Documents], before: Reservation, after: Reservation) -> None:
    """Keep a changed reservation, and count the difference for its user."""
    page = _page(tx)
    page.reservations[after.order_id] = after
    page.changed_reservations.add(after.order_id)
    _count(tx, after, after.live - before.live)


def page_after(tx: Transaction[Documents], after: str, limit: int) -> list[Ticket]:
    """Return up to `limit` tickets whose ids follow `after`."""
    rows = (
        tx.db.database.tickets.find({"_id": {"$gt": after}}, session=tx.db.session)
        .sort("_id")
        .limit(limit)
    )
    return [_ticket(row) for row in rows]


def _page(tx: Transaction[Documents]) -> _Page:
    page: _Page | None = tx.memory.get(_Page)
    if page is None:
        page = tx.memory[_Page] = _read_ahead(tx)
        tx.before_commit(lambda: _write(tx.db, tx.memory[_Page]))
    return page


def _read_ahead(tx: Transaction[Documents]) -> _Page:
    """Read what the whole batch will ask for: two calls instead of two for each message."""
    page = _Page()
    about = [each for each in tx.batch if isinstance(each, _ABOUT_AN_ORDER)]
    if about:
        page.reservations = dict.fromkeys(each.order_id for each in about)
        wanted = {"order_id": {"$in": [str(each) for each in page.reservations]}}
        for row in tx.db.database.reservations.find(wanted, session=tx.db.session):
            found = _reservation(row)
            page.reservations[found.order_id] = found
        page.counts = dict.fromkeys(((each.ticket_id, each.user_id) for each in about), 0)
        wanted = {"_id": {"$in": [_count_id(key) for key in page.counts]}}
        for row in tx.db.database.user_counts.find(wanted, session=tx.db.session):
            page.counts[UUID(row["ticket_id"]), UUID(row["user_id"])] = row["quantity"]
    return page


def _count(tx: Transaction[Documents], reservation: Reservation, difference: int) -> None:
    if not difference:
        return
    page, key = _page(tx), (reservation.ticket_id, reservation.user_id)
    page.counts[key] = held_by(tx, *key) + difference
    page.changed_counts[key] = page.changed_counts.get(key, 0) + difference


def _write(db: Documents, page: _Page) -> None:
    for collection, writes in (
        (db.database.tickets, list(_ticket_writes(page))),
        (db.database.reservations, list(_reservation_writes(page))),
        (
            db.database.user_counts,
            [
                UpdateOne(
                    {"_id": _count_id(key)},
                    {
                        "$inc": {"quantity": difference},
                        "$setOnInsert": {"ticket_id": str(key[0]), "user_id": str(key[1])},
                    },
                    upsert=True,
                )
                for key, difference in page.changed_counts.items()
            ],
        ),
    ):
        if writes:
            collection.bulk_write(writes, session=db.session, ordered=True)


def _ticket_writes(page: _Page) -> Iterator[InsertOne[Document] | ReplaceOne[Document]]:
    for ticket_id in page.new_tickets | page.changed_tickets:
        ticket = page.tickets[ticket_id]
        assert ticket is not None  # noqa: S101  # Only kept ones are marked.
        document = _ticket_document(ticket)
        if ticket_id in page.new_tickets:
            yield InsertOne(document)
        else:
            yield ReplaceOne({"_id": document["_id"]}, document)


def _reservation_writes(page: _Page) -> Iterator[InsertOne[Document] | UpdateOne]:
    for order_id in page.new_reservations | page.changed_reservations:
        reservation = page.reservations[order_id]
        assert reservation is not None  # noqa: S101  # Only kept ones are marked.
        document = _reservation_document(reservation)
        if order_id in page.new_reservations:
            yield InsertOne(document)
        else:
            changed = {
                name: document[name]
                for name in ("status", "order_version", "released", "expires_at")
            }
            yield UpdateOne({"_id": document["_id"]}, {"$set": changed})


def _count_id(key: tuple[UUID, UUID]) -> str:
    return f"{key[0]}:{key[1]}"


def _ticket_document(ticket: Ticket) -> Document:
    event = ticket.event
    return {
        **{each.name: getattr(ticket, each.name) for each in fields(ticket)[1:]},
        "_id": str(ticket.ticket_id),
        "id": str(ticket.ticket_id),
        "organizer_id": str(ticket.organizer_id),
        "price": Decimal128(ticket.price),
        "seating_plan_id": str(ticket.seating_plan_id) if ticket.seating_plan_id else None,
        "plans": [vars(each) | {"plan_id": str(each.plan_id)} for each in ticket.plans],
        "event": {
            "title": event.title,
            "startsAt": event.starts_at,
            "endsAt": event.ends_at,
            "venue": event.venue,
        },
    }


def _ticket(row: Document) -> Ticket:
    event = row["event"]
    known = {each.name for each in fields(Ticket)}
    return Ticket(
        **{name: value for name, value in row.items() if name in known}
        | {
            "ticket_id": UUID(row["_id"]),
            "organizer_id": UUID(row["organizer_id"]),
            "price": row["price"].to_decimal(),
            "seating_plan_id": UUID(row["seating_plan_id"]) if row["seating_plan_id"] else None,
            "plans": tuple(  # A ticket that was kept before there were plans has none.
                Plan(**each | {"plan_id": UUID(each["plan_id"])}) for each in row.get("plans", ())
            ),
            "event": TicketEvent(
                title=event["title"],
                starts_at=event["startsAt"],
                ends_at=event["endsAt"],
                venue=event["venue"],
            ),
        }
    )


def _reservation_document(reservation: Reservation) -> Document:
    return {
        "_id": str(reservation.reservation_id),
        "id": str(reservation.reservation_id),
        "ticket_id": str(reservation.ticket_id),
        "order_id": str(reservation.order_id),
        "order_version": reservation.order_version,
        "user_id": str(reservation.user_id),
        "quantity": reservation.quantity,
        "released": reservation.released,
        "status": reservation.status,
        "expires_at": reservation.expires_at,
        "created_at": reservation.created_at,
    }


def _reservation(row: Document) -> Reservation:
    return Reservation(
        reservation_id=UUID(row["_id"]),
        ticket_id=UUID(row["ticket_id"]),
        order_id=UUID(row["order_id"]),
        order_version=row["order_version"],
        user_id=UUID(row["user_id"]),
        quantity=row["quantity"],
        released=row["released"],
        status=row["status"],
        expires_at=row["expires_at"],
        created_at=row["created_at"],
    )
