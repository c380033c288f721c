"""Seating plans and the seats in them, as they are asked for."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from falcon.asgi import Request, Response

from http_edge import conditional, sse
from http_edge.gate import asked
from http_edge.layouts import Layouts
from http_edge.notifications import last_event_id
from http_edge.problems import refuse
from http_edge.seat_maps import SeatMaps
from http_edge.sse import Streams
from http_edge.watching import Watchers
from http_edge.writes import Writes
from schemas.ticket import RequestPlan, SeatSpec, SectionSpec, TierSpec
from schemas.venue import (
    ActivatePlan,
    BlockSeats,
    DeactivatePlan,
    EditPlan,
    FreeSeats,
    HoldSeats,
    UnblockSeats,
)


class SeatingPlans:
    """At /v1/seating-plans."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def on_post(self, req: Request, resp: Response) -> None:
        """Make a plan; the ticket's owner looks at it first."""
        await self._writes.accept(req, resp, request_of(asked(req).form))


class SeatingPlan:
    """At /v1/seating-plans/{plan_id}."""

    def __init__(self, layouts: Layouts, writes: Writes) -> None:
        self._layouts = layouts
        self._writes = writes

    async def on_get(self, req: Request, resp: Response, plan_id: UUID) -> None:
        """Show a plan with its seats; a draft to its organizer only."""
        this = asked(req)
        standing = await self._layouts.standing(plan_id)
        is_draft = standing is None or standing["status"] == "draft"
        if standing is None or (is_draft and standing["organizer_id"] != this.user_id):
            raise this.bad_token or _no_such_plan()
        conditional.answer(req, resp, await self._layouts.kept(standing), public=not is_draft)

    async def on_patch(self, req: Request, resp: Response, plan_id: UUID) -> None:
        """Change a plan; what is sold in it, its owner protects."""
        this = asked(req)
        apart = {"version", "ticket_id"}
        command = EditPlan(
            plan_id=plan_id,
            version=this.form["version"],
            shape={name: value for name, value in this.body.items() if name not in apart},
            ticket_id=this.form.get("ticket_id"),
        )
        await self._writes.accept(req, resp, command)


class PlanAvailability:
    """At /v1/seating-plans/{plan_id}/availability."""

    def __init__(self, maps: SeatMaps, watchers: Watchers, streams: Streams) -> None:
        self._maps = maps
        self._watchers = watchers
        self._streams = streams

    async def on_get(self, req: Request, resp: Response, plan_id: UUID) -> None:
        """Show what can be had, a letter for each seat; on demand as it changes."""
        this = asked(req)
        known = await self._maps.look(plan_id)
        if not known.visible_to(this.user_id):
            raise this.bad_token or _no_such_plan()
        if sse.wanted(req):
            heard = last_event_id(req.get_header("Last-Event-ID"))
            # What everybody may watch needs no token, and does not end with one.
            until = this.until if known.status == "draft" else None
            stream = self._watchers.follow(known, heard)
            await self._streams.answer(req, resp, stream, this.who, until)
            return
        conditional.answer(req, resp, known.kept, public=known.status != "draft")


class PlanActivation:
    """At /v1/seating-plans/{plan_id}/activation."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def on_post(self, req: Request, resp: Response, plan_id: UUID) -> None:
        """Put it on sale."""
        await self._writes.accept(req, resp, ActivatePlan(plan_id=plan_id))

    async def on_delete(self, req: Request, resp: Response, plan_id: UUID) -> None:
        """Take it off sale."""
        await self._writes.accept(req, resp, DeactivatePlan(plan_id=plan_id))


class PlanBlocks:
    """At /v1/seating-plans/{plan_id}/blocks."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def on_post(self, req: Request, resp: Response, plan_id: UUID) -> None:
        """Take seats off sale."""
        await self._writes.accept(req, resp, BlockSeats(plan_id=plan_id, **asked(req).form))

    async def on_delete(self, req: Request, resp: Response, plan_id: UUID) -> None:
        """Put seats back on sale."""
        await self._writes.accept(req, resp, UnblockSeats(plan_id=plan_id, **asked(req).form))


class PlanHolds:
    """At /v1/seating-plans/{plan_id}/holds."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def on_post(self, req: Request, resp: Response, plan_id: UUID) -> None:
        """Pick seats."""
        await self._writes.accept(req, resp, HoldSeats(plan_id=plan_id, **asked(req).form))

    async def on_delete(self, req: Request, resp: Response, plan_id: UUID) -> None:
        """Give picked seats back."""
        await self._writes.accept(req, resp, FreeSeats(plan_id=plan_id, **asked(req).form))


def _no_such_plan() -> Exception:
    return refuse("not_found", "There is no such seating plan.")


def request_of(form: Mapping[str, Any]) -> RequestPlan:
    """Make the command that asks for the plan of a form."""
    told = dict(form)
    told["price_tiers"] = [TierSpec(**tier) for tier in form.get("price_tiers", ())]
    told["sections"] = [_section(section) for section in form["sections"]]
    return RequestPlan(**told)


def _section(form: Mapping[str, Any]) -> SectionSpec:
    return SectionSpec(**{**form, "seats": [SeatSpec(**seat) for seat in form.get("seats", ())]})
