"""What a signed-in user is told, as it happens: how their orders change, how their writes end.

The view service numbers what it tells each user in the order of its commits. A stream reads on
from the number that its client last saw, so that it skips nothing, however often the client was
away or the bell was not heard.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from falcon.asgi import Request, Response

from http_edge import sse
from http_edge.bell import NEWS, Bell
from http_edge.database import Database, unavailable
from http_edge.gate import asked
from http_edge.gather import Gatherer, Group
from http_edge.problems import refuse
from http_edge.reading import Reader
from http_edge.sse import Stream, Streams
from http_edge.views import Views

_GROUP_MOST = 200
_AT_ONCE = 50
_DEADLINE_SEC = 1.9
_LARGEST = 2**63 - 1

_SINCE = f"""
    SELECT asked.user_id, asked.after, told.number, told.kind, told.about
    FROM unnest(%s::uuid[], %s::bigint[]) AS asked (user_id, after)
    CROSS JOIN LATERAL (
        SELECT number, kind, about FROM notifications
        WHERE user_id = asked.user_id AND number > asked.after ORDER BY number LIMIT {_AT_ONCE}
    ) AS told
    ORDER BY told.number
"""  # noqa: S608  # Our own number.
_STANDING = """
    SELECT coalesce((SELECT last FROM notified WHERE user_id = %(user)s), 0) AS last,
        (SELECT min(number) FROM notifications WHERE user_id = %(user)s) AS oldest
"""


class Place(NamedTuple):
    """Where somebody stands in what they are told."""

    user_id: UUID
    number: int


class Notifications:
    """At /v1/notifications."""

    def __init__(
        self, database: Database, views: Views, reader: Reader, bell: Bell, streams: Streams
    ) -> None:
        self._database = database
        self._views = views
        self._reader = reader
        self._bell = bell
        self._streams = streams
        self._gatherer: Gatherer[Place, Sequence[Any]] = Gatherer(self._read, _GROUP_MOST)

    async def on_get(self, req: Request, resp: Response) -> None:
        """Tell a user what happens from now on, or what has happened since they last heard."""
        this = asked(req)
        user = this.user
        heard = last_event_id(req.get_header("Last-Event-ID"))
        (standing,) = await self._database.fetch(_STANDING, {"user": user})
        last, oldest = standing["last"], standing["oldest"] or standing["last"] + 1
        following = _Following(self, user, last if heard is None else min(heard, last))
        if heard is not None and not oldest - 1 <= heard <= last:
            following.missed = True
        stream = following.stream
        stream.on_close(self._bell.subscribe(NEWS, user, stream.wake))
        await self._streams.answer(req, resp, stream, this.who, this.until)

    async def since(self, place: Place) -> Sequence[Any]:
        """Return what comes after a place, the oldest first, and not all at once.

        Raises:
            ProblemError: the views cannot be reached.
        """
        try:
            async with asyncio.timeout(_DEADLINE_SEC):
                return await self._gatherer.ask(place)
        except TimeoutError:
            raise unavailable() from None

    async def frames(self, user: UUID, told: Sequence[Any]) -> bytes:
        """Write what is told as events, each thing as it is now."""
        orders = await self._views.orders_by_id(
            user, [each["about"] for each in told if each["kind"] == "order"]
        )
        frames = []
        for each in told:
            shown = orders.get(each["about"])
            if each["kind"] == "operation":
                row = await self._reader.read(each["about"])
                shown = row and await self._reader.document(row)
            number = str(each["number"])
            frames.append(sse.frame(each["kind"], shown, number) if shown else sse.place(number))
        return b"".join(frames)

    async def _read(self, group: Group[Place, Sequence[Any]]) -> None:
        places = {place for place, _ in group}
        rows = await self._database.fetch(
            _SINCE, ([each.user_id for each in places], [each.number for each in places])
        )
        found = defaultdict(list)
        for row in rows:
            found[Place(row["user_id"], row["after"])].append(row)
        for place, answer in group:
            if not answer.done():
                answer.set_result(found[place])


class _Following:
    """One stream's place in what its user is told."""

    __slots__ = ("_notifications", "_place", "_told_place", "missed", "stream")

    def __init__(self, notifications: Notifications, user: UUID, number: int) -> None:
        self._notifications = notifications
        self._place = Place(user, number)
        self._told_place = False
        self.missed = False
        """Whether there was more than is still known since the client last heard."""
        self.stream = Stream(self.read)

    async def read(self) -> bytes:
        frames = b""
        if not self._told_place:  # Who hears nothing before the line breaks comes back to here.
            self._told_place = True
            number = str(self._place.number)
            frames = sse.frame("missed", {}, number) if self.missed else sse.place(number)
        user = self._place.user_id
        if told := await self._notifications.since(self._place):
            frames += await self._notifications.frames(user, told)
            self._place = Place(user, told[-1]["number"])
            if len(told) == _AT_ONCE:
                self.stream.wake()
        return frames


def last_event_id(text: str | None) -> int | None:
    """Return the number that the client saw last; None when it comes for the first time.

    Raises:
        ProblemError: it is none of ours.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or int(text[:20]) > _LARGEST:
        raise refuse("malformed", "Last-Event-ID is not one that was sent from here.")
    return int(text)
