"""The maps of seats that this process knows, and how it keeps up with the views.

A map is read once in full; after that only its changes are. Whoever asks waits for one look at the
views that began after the question, together with everybody else who asks meanwhile: a client that
was told of a change sees it here, and hundreds of questions a second are a few statements.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from http_edge.conditional import Kept
from http_edge.database import Database
from http_edge.gather import Gatherer, Group
from http_edge.seat_map import Change, SeatMap

_GROUP_MOST = 10_000
_MAPS_MOST = 200
_WHOLE = """
    SELECT m.revision,
        coalesce((SELECT version FROM plan_layouts WHERE plan_id = m.plan_id), 0) AS version,
        (SELECT coalesce(jsonb_object_agg(section_id, letters), '{}') FROM (
            SELECT section_id, string_agg(status, '' ORDER BY index) AS letters FROM seats
            WHERE plan_id = m.plan_id AND section_id IS NOT NULL GROUP BY section_id) s) AS seated,
        (SELECT coalesce(jsonb_object_agg(section_id, capacity - reserved - sold), '{}') FROM areas
         WHERE plan_id = m.plan_id AND capacity IS NOT NULL) AS areas
    FROM seat_maps m WHERE m.plan_id = %s
"""
_SINCE = """
    SELECT m.revision, p.status, p.organizer_id,
        (SELECT coalesce(jsonb_agg(jsonb_build_array(c.revision, c.changes) ORDER BY c.revision),
                         '[]')
         FROM seat_map_changes c WHERE c.plan_id = m.plan_id AND c.revision > %s) AS changes
    FROM seat_maps m JOIN plans p USING (plan_id) WHERE m.plan_id = %s
"""

Row = Mapping[str, Any]


class Known:
    """A plan's map in this process."""

    def __init__(self, plan_id: UUID, database: Database) -> None:
        """Know nothing yet."""
        self.plan_id = plan_id
        self.map = SeatMap(0, 0, {}, {})
        self.status: str | None = None
        """The plan's; None when there is no such plan."""
        self.organizer_id: UUID | None = None
        self.on_change: Callable[[list[Change] | None], None] | None = None
        """Told what has changed each time something has; None: everything may have."""
        self._database = database
        self._kept: Kept | None = None
        self._gatherer: Gatherer[None, None] = Gatherer(self._look, _GROUP_MOST)

    async def catch_up(self) -> None:
        """Bring the map to what the views show now.

        Raises:
            ProblemError: the views cannot be reached.
        """
        await self._gatherer.ask(None)

    def visible_to(self, reader: UUID | None) -> bool:
        """Whether somebody may see it: a draft is its organizer's own."""
        return self.status is not None and (self.status != "draft" or reader == self.organizer_id)

    @property
    def kept(self) -> Kept:
        """The map as it is answered, made once for each revision."""
        if self._kept is None or self._kept.body is not self.map.body:
            self._kept = Kept(self.map.body, f"{self.plan_id}.{self.map.revision}")
        return self._kept

    async def since(self, revision: int) -> list[Change] | None:
        """Return the changes from `revision` to the map's; None when they are no longer known."""
        row = await self._read_changes(revision)
        return None if row is None else _every_change(row, revision, self.map.revision)

    async def _look(self, group: Group[None, None]) -> None:
        row = await self._read_changes(self.map.revision)
        self.status = row["status"] if row else None
        self.organizer_id = row["organizer_id"] if row else None
        if row is not None and row["revision"] != self.map.revision:
            changes = _every_change(row, self.map.revision, row["revision"])
            if changes is None:
                await self._read_whole()
            else:
                self.map = self.map.changed(row["revision"], changes)
            if self.on_change:
                self.on_change(changes)
        for _, answer in group:
            if not answer.done():
                answer.set_result(None)

    async def _read_changes(self, revision: int) -> Row | None:
        rows = await self._database.fetch(_SINCE, (revision, self.plan_id))
        return rows[0] if rows else None

    async def _read_whole(self) -> None:
        rows = await self._database.fetch(_WHOLE, (self.plan_id,))
        row = rows[0]
        seated = {name: letters.encode() for name, letters in row["seated"].items()}
        self.map = SeatMap(row["revision"], row["version"], seated, row["areas"])


class SeatMaps:
    """The maps that were asked for lately."""

    def __init__(self, database: Database) -> None:
        """Read with `database`."""
        self._database = database
        self._known: OrderedDict[UUID, Known] = OrderedDict()

    async def look(self, plan_id: UUID) -> Known:
        """Return a plan's map as the views show it now; it has no status when there is none.

        Raises:
            ProblemError: the views cannot be reached.
        """
        known = self._known.get(plan_id) or Known(plan_id, self._database)
        # Remembered at once, so that all who ask meanwhile look together.
        self._known[plan_id] = known
        self._known.move_to_end(plan_id)
        if len(self._known) > _MAPS_MOST:
            self._forget_one()
        await known.catch_up()
        if known.status is None:
            self._known.pop(plan_id, None)
        return known

    def _forget_one(self) -> None:
        """Forget the map that was asked for longest ago; those that are watched are kept."""
        for plan_id, known in self._known.items():
            if known.on_change is None:
                del self._known[plan_id]
                return


def _every_change(row: Row, after: int, until: int) -> list[Change] | None:
    """Return all changes of these revisions; None when one is missing or is not told one by one."""
    told = [(revision, changes) for revision, changes in row["changes"] if revision <= until]
    if [revision for revision, _ in told] != list(range(after + 1, until + 1)):
        return None
    if any(changes is None for _, changes in told):
        return None
    return [tuple(change) for _, changes in told for change in changes]
