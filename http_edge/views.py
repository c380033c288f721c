"""Every statement that reads the views, and what their rows look like to clients."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from http_edge import cursors
from http_edge.cursors import Place
from http_edge.database import Database
from schemas.money import exact
from schemas.user import Preferences, Profile

Row = Mapping[str, Any]
Document = dict[str, Any]

_TICKETS = """
    SELECT t.*, m.available AS seats_available
    FROM tickets t LEFT JOIN seat_maps m ON m.plan_id = t.seating_plan_id
"""
_TICKET = """
    SELECT t.*, m.available AS seats_available,
        to_jsonb(e) - 'ticket_id' - 'revision' AS cancellation
    FROM tickets t LEFT JOIN seat_maps m ON m.plan_id = t.seating_plan_id
        LEFT JOIN ticket_endings e ON e.ticket_id = t.ticket_id
    WHERE t.ticket_id = %s
"""
_ON_SALE = f"""
    {_TICKETS}
    WHERE status = 'on_sale' AND (event->>'ends_at')::timestamptz > now()
      AND (starts_at, ticket_id) > (%(after_at)s::timestamptz, %(after_id)s::uuid)
      AND starts_at >= %(from)s::timestamptz AND starts_at <= %(to)s::timestamptz
      AND (title || ' ' || coalesce(event ->> 'title', '')) ILIKE ALL (%(words)s::text[])
    ORDER BY starts_at, ticket_id
    LIMIT %(limit)s
"""
# A list begins after a place that is before all others: a condition that is always a range of
# the index, whatever plan the server keeps. Each listing is a statement of its own, so that the
# planner sees which index serves it.
_ORDER = """
    SELECT o.*, p.payment_id, p.status AS payment_status, p.captured_amount, p.refunded_amount,
        (SELECT coalesce(jsonb_agg(jsonb_build_object('type', t.type, 'at', t.at)
                                   ORDER BY t.at, t.message_id), '[]')
         FROM order_timeline t WHERE t.order_id = o.order_id) AS timeline
    FROM ({orders}) o LEFT JOIN payments p USING (order_id)
    ORDER BY o.created_at DESC, o.order_id DESC
"""
_PAGE = """
    SELECT * FROM orders
    WHERE {owner} = %(owner)s
      AND (created_at, order_id) < (%(after_at)s::timestamptz, %(after_id)s::uuid)
    ORDER BY created_at DESC, order_id DESC
    LIMIT %(limit)s
"""
_ONE_ORDER = _ORDER.format(orders="SELECT * FROM orders WHERE order_id = %s AND user_id = %s")
_ORDERS_BY_ID = _ORDER.format(
    orders="SELECT * FROM orders WHERE order_id = ANY(%s) AND user_id = %s"
)
_ORDERS_OF_USER = _ORDER.format(orders=_PAGE.format(owner="user_id"))
_ORDERS_OF_TICKET = _ORDER.format(orders=_PAGE.format(owner="ticket_id"))
_PAYABLE = """
    SELECT p.payment_id, p.client_secret
    FROM orders o JOIN payments p USING (order_id)
    WHERE o.order_id = %s AND o.user_id = %s
      AND o.status = 'AWAITING_PAYMENT' AND p.status = 'PENDING' AND p.client_secret IS NOT NULL
"""


_ME = """
    SELECT a.user_id, a.email, p.profile, p.preferences, p.billing_address
    FROM accounts a LEFT JOIN people p USING (user_id) WHERE a.user_id = %s
"""


class End(NamedTuple):
    """A place before or after every item, as PostgreSQL writes it."""

    at: str
    id: UUID


FIRST = End("-infinity", UUID(int=0))
LAST = End("infinity", UUID(int=2**128 - 1))


class Views:
    """What the world may read."""

    def __init__(self, database: Database) -> None:
        """Read with `database`; every method raises `ProblemError` when it cannot be reached."""
        self._database = database

    async def me(self, user_id: UUID) -> Document | None:
        """Return what is known of a user; the rest of it follows the account by a moment."""
        rows = await self._database.fetch(_ME, (user_id,))
        return me_document(rows[0]) if rows else None

    async def ticket(self, ticket_id: UUID) -> Row | None:
        """Return a ticket's row, whatever its status."""
        return next(iter(await self._database.fetch(_TICKET, (ticket_id,))), None)

    async def tickets_on_sale(self, query: Row) -> Document:
        """Return a page of what can be bought, soonest first."""
        words = [f"%{_escaped(word)}%" for word in query.get("q", "").split()]
        asked = {
            **after(query, FIRST),
            "from": query.get("starts_from", FIRST.at),
            "to": query.get("starts_to", LAST.at),
            "words": words or ["%"],
        }
        rows = await self._database.fetch(_ON_SALE, asked)
        return page("tickets", rows, query, "starts_at", "ticket_id", ticket_document)

    async def order(self, order_id: UUID, buyer: UUID) -> Document | None:
        """Return an order of this buyer."""
        rows = await self._database.fetch(_ONE_ORDER, (order_id, buyer))
        return order_document(rows[0]) if rows else None

    async def orders_by_id(self, buyer: UUID, order_ids: Sequence[UUID]) -> Mapping[UUID, Document]:
        """Return those of a buyer's orders."""
        if not order_ids:
            return {}
        rows = await self._database.fetch(_ORDERS_BY_ID, (list(order_ids), buyer))
        return {row["order_id"]: order_document(row) for row in rows}

    async def orders_of_user(self, buyer: UUID, query: Row) -> Document:
        """Return a page of a buyer's orders, newest first."""
        rows = await self._database.fetch(_ORDERS_OF_USER, {"owner": buyer, **after(query, LAST)})
        return page("orders", rows, query, "created_at", "order_id", order_document)

    async def orders_of_ticket(self, ticket_id: UUID, query: Row) -> Document:
        """Return a page of the orders of a ticket, for its organizer."""
        asked = {"owner": ticket_id, **after(query, LAST)}
        rows = await self._database.fetch(_ORDERS_OF_TICKET, asked)
        return page("ticket orders", rows, query, "created_at", "order_id", organizer_document)

    async def payable(self, order_id: UUID, buyer: UUID) -> Row | None:
        """Return the payment of an order that can be paid, its client secret still sealed."""
        return next(iter(await self._database.fetch(_PAYABLE, (order_id, buyer))), None)


def money(amount: Decimal | str | None, currency: str | None) -> str | None:
    """Write an amount with exactly its currency's decimals."""
    if amount is None or currency is None:
        return None
    return str(exact(Decimal(amount), currency))


def utc(text: str) -> str:
    """Write a time that the database wrote in UTC as the API writes times."""
    return text.replace("+00:00", "Z")


def ticket_document(row: Row) -> Document:
    """Show a ticket."""
    return {
        "id": row["ticket_id"],
        "title": row["title"],
        "price": money(row["price"], row["currency"]),
        "currency": row["currency"],
        "ticket_type": row["ticket_type"],
        "status": row["status"],
        "available": _available(row),
        "max_per_user": row["max_per_user"],
        "version": row["version"],
        "event": _event(row["event"]),
    }


def me_document(row: Row) -> Document:
    """Show somebody to themselves."""
    return {
        "id": row["user_id"],
        "email": row["email"],
        "profile": row["profile"] or Profile(),
        "preferences": row["preferences"] or Preferences(),
        "billing_address": row["billing_address"],
    }


def _available(row: Row) -> int:
    """Return what is left: of the quota, and of the seats, some of which may be picked already."""
    left: int = row["quota"] - row["reserved"] - row["sold"]
    seats = row["seats_available"]
    return max(left if seats is None else min(left, seats), 0)


def _event(event: Row) -> Document:
    times = {name: utc(event[name]) for name in ("starts_at", "ends_at")}
    return {"title": event["title"], **times, "venue": event.get("venue")}


def ticket_in_full(row: Row, reader: UUID | None) -> Document:
    """Show a ticket by itself; its counters, and how far it is called off, to its organizer."""
    document = ticket_document(row) | {"seating_plan_id": row["seating_plan_id"]}
    if reader == row["organizer_id"]:
        document |= {name: row[name] for name in ("quota", "reserved", "sold")}
        if row["cancellation"]:
            document["cancellation"] = row["cancellation"]
    return document


def order_document(row: Row) -> Document:
    """Show an order to its buyer."""
    currency = row["currency"]
    return {
        "id": row["order_id"],
        "status": row["status"],
        "cancel_reason": row["cancel_reason"],
        "ticket_id": row["ticket_id"],
        "items": [
            {
                "id": item["id"],
                "section_id": item.get("section_id"),
                "seat_id": item.get("seat_id"),
                "seat_label": item.get("seat_label"),
                "quantity": item["quantity"],
                "unit_price": money(item.get("unit_price"), currency),
            }
            for item in row["items"]
        ],
        "total_amount": money(row["total_amount"], currency),
        "currency": currency,
        "method": row["method"],
        "expires_at": row["expires_at"],
        "created_at": row["created_at"],
        "payment": None
        if row["payment_id"] is None
        else {
            "id": row["payment_id"],
            "status": row["payment_status"],
            "captured_amount": money(row["captured_amount"], currency),
            "refunded_amount": money(row["refunded_amount"], currency),
        },
        "timeline": [{"type": each["type"], "at": utc(each["at"])} for each in row["timeline"]],
    }


def organizer_document(row: Row) -> Document:
    """Show an order to the organizer of its ticket."""
    return order_document(row) | {"user_id": row["user_id"]}


def after(query: Row, start: End) -> Document:
    """Return the parameters of a listing; one row more than the limit tells of a next page."""
    place: Place | End = query["after"] or start
    return {"after_at": place.at, "after_id": place.id, "limit": query["limit"] + 1}


def page(  # noqa: PLR0913, PLR0917  # A listing is told by all of these.
    listing: str,
    rows: Sequence[Row],
    query: Row,
    at: str,
    id_: str,
    show: Callable[[Row], Document],
) -> Document:
    """Show the rows, one more of which than the limit was asked for."""
    shown = rows[: query["limit"]]
    more = len(rows) > len(shown)
    place = Place(shown[-1][at], shown[-1][id_]) if more else None
    return {
        "items": [show(row) for row in shown],
        "next_cursor": place and cursors.write(listing, place),
    }


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
