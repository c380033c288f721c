"""Venues, their sections and an organizer's settings."""

from uuid import UUID

from falcon.asgi import Request, Response

from http_edge.gate import asked
from http_edge.problems import refuse
from http_edge.seating_views import SeatingViews
from http_edge.writes import Writes, answer
from schemas.venue import (
    AddSection,
    ChangeSettings,
    CreateVenue,
    EditSection,
    EditVenue,
    RemoveSection,
)


class Venues:
    """At /v1/venues."""

    def __init__(self, views: SeatingViews, writes: Writes) -> None:
        self._views = views
        self._writes = writes

    async def on_get(self, req: Request, resp: Response) -> None:
        """List my venues."""
        this = asked(req)
        answer(resp, await self._views.venues_of(this.user, this.query))

    async def on_post(self, req: Request, resp: Response) -> None:
        """Make a venue."""
        await self._writes.accept(req, resp, CreateVenue(**asked(req).form))


class Venue:
    """At /v1/venues/{venue_id}."""

    def __init__(self, views: SeatingViews, writes: Writes) -> None:
        self._views = views
        self._writes = writes

    async def on_get(self, req: Request, resp: Response, venue_id: UUID) -> None:
        """Show a venue to its organizer."""
        document = await self._views.venue(venue_id, asked(req).user)
        if document is None:
            raise refuse("not_found", "There is no such venue of yours.")
        answer(resp, document)

    async def on_patch(self, req: Request, resp: Response, venue_id: UUID) -> None:
        """Change a venue; whose it is, its owner decides."""
        await self._writes.accept(req, resp, EditVenue(venue_id=venue_id, **asked(req).form))


class VenueSections:
    """At /v1/venues/{venue_id}/sections."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def on_post(self, req: Request, resp: Response, venue_id: UUID) -> None:
        """Add a section."""
        await self._writes.accept(req, resp, AddSection(venue_id=venue_id, **asked(req).form))


class VenueSection:
    """At /v1/venues/{venue_id}/sections/{section_id}."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def on_patch(
        self, req: Request, resp: Response, venue_id: UUID, section_id: UUID
    ) -> None:
        """Change a section."""
        command = EditSection(venue_id=venue_id, section_id=section_id, **asked(req).form)
        await self._writes.accept(req, resp, command)

    async def on_delete(
        self, req: Request, resp: Response, venue_id: UUID, section_id: UUID
    ) -> None:
        """Remove a section."""
        command = RemoveSection(venue_id=venue_id, section_id=section_id)
        await self._writes.accept(req, resp, command)


class OrganizerSettings:
    """At /v1/organizer/settings."""

    def __init__(self, views: SeatingViews, writes: Writes) -> None:
        self._views = views
        self._writes = writes

    async def on_get(self, req: Request, resp: Response) -> None:
        """Show my settings."""
        answer(resp, await self._views.settings_of(asked(req).user))

    async def on_put(self, req: Request, resp: Response) -> None:
        """Change my settings."""
        await self._writes.accept(req, resp, ChangeSettings(**asked(req).form))
