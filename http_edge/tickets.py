"""What is for sale, for buyers and organizers."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from falcon.asgi import Request, Response

from http_edge import views
from http_edge.gate import asked
from http_edge.problems import refuse
from http_edge.views import Views
from http_edge.writes import Writes, answer
from schemas.ticket import CancelTicket, CreateTicket, EditTicket, TicketEvent


class Tickets:
    """At /v1/tickets."""

    def __init__(self, views: Views, writes: Writes) -> None:
        self._views = views
        self._writes = writes

    async def on_get(self, req: Request, resp: Response) -> None:
        """List what is on sale."""
        answer(resp, await self._views.tickets_on_sale(asked(req).query))

    async def on_post(self, req: Request, resp: Response) -> None:
        """Offer a ticket."""
        form = _with_event(asked(req).form)
        await self._writes.accept(req, resp, CreateTicket(**form))


class Ticket:
    """At /v1/tickets/{ticket_id}."""

    def __init__(self, views: Views, writes: Writes) -> None:
        self._views = views
        self._writes = writes

    async def on_get(self, req: Request, resp: Response, ticket_id: UUID) -> None:
        """Show a ticket; a draft to its organizer only."""
        this = asked(req)
        row = await self._views.ticket(ticket_id)
        if row is None or not _is_visible(row, this.user_id):
            raise this.bad_token or _no_such_ticket()
        answer(resp, views.ticket_in_full(row, this.user_id))

    async def on_patch(self, req: Request, resp: Response, ticket_id: UUID) -> None:
        """Change a ticket; whose it is, its owner decides."""
        form = _with_event(asked(req).form)
        await self._writes.accept(req, resp, EditTicket(ticket_id=ticket_id, **form))


class TicketOrders:
    """At /v1/tickets/{ticket_id}/orders."""

    def __init__(self, views: Views) -> None:
        self._views = views

    async def on_get(self, req: Request, resp: Response, ticket_id: UUID) -> None:
        """List the orders of a ticket, for its organizer."""
        this = asked(req)
        row = await self._views.ticket(ticket_id)
        if row is None or not _is_visible(row, this.user):
            raise _no_such_ticket()
        if row["organizer_id"] != this.user:
            raise refuse("forbidden", "Only the ticket's organizer sees its orders.")
        answer(resp, await self._views.orders_of_ticket(ticket_id, this.query))


class TicketCancellation:
    """At /v1/tickets/{ticket_id}/cancellation."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def on_post(self, req: Request, resp: Response, ticket_id: UUID) -> None:
        """Call the event off."""
        await self._writes.accept(req, resp, CancelTicket(ticket_id=ticket_id))


def _is_visible(row: views.Row, reader: UUID | None) -> bool:
    return bool(row["status"] != "draft" or row["organizer_id"] == reader)


def _no_such_ticket() -> Exception:
    return refuse("not_found", "There is no such ticket.")


def _with_event(form: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(form)
    if "event" in told:
        told["event"] = TicketEvent(**told["event"])
    return told
