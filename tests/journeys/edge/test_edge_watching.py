"""Those who watch seats, in this process: who is slow, who leaves, and when the line breaks."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import pytest

from http_edge import watching
from http_edge.bell import SEATS, Bell
from http_edge.database import Database
from http_edge.seat_maps import Known, SeatMaps
from http_edge.sse import Stream
from http_edge.watching import Watchers
from schemas.venue import PlanCreated
from tests.journeys.edge.parts import DEADLINE_SEC
from tests.journeys.edge.seats import Views, show
from tests.unit.view.halls import Hall

pytestmark = pytest.mark.stack


class Audience:
    """A process's maps and watchers, and the streams that they answer with."""

    def __init__(self, maps: SeatMaps, bell: Bell) -> None:
        """Watch what `maps` show."""
        self.maps = maps
        self.watchers = Watchers(bell)

    async def watch(self, hall: Hall, heard: int | None = None) -> tuple[Known, Stream]:
        """Come as a client does."""
        known = await self.maps.look(hall.plan_id)
        stream = self.watchers.follow(known, heard)
        assert (await anext(stream)).startswith(b"retry:")
        return known, stream


@asynccontextmanager
async def audience(known: Mapping[str, str]) -> AsyncIterator[Audience]:
    """Connect as the edge does."""
    database = Database(known["FOYER_EDGE_DATABASE_URL"], size=2)
    bell = Bell(known["FOYER_EDGE_DATABASE_URL"])
    listening, connected = asyncio.create_task(bell.listen()), asyncio.Event()
    unsubscribe = bell.subscribe(SEATS, uuid4(), connected.set)
    try:
        async with asyncio.timeout(DEADLINE_SEC):
            await connected.wait()
        unsubscribe()
        yield Audience(SeatMaps(database), bell)
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        await database.close()


async def next_of(stream: Stream) -> bytes:
    async with asyncio.timeout(DEADLINE_SEC):
        return await anext(stream)


async def test_a_slow_client_is_sent_the_whole_map(
    known: Mapping[str, str], views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_FRAMES_KEPT", 3)
    monkeypatch.setattr(watching, "_BATCH_SEC", 0.0)
    hall = Hall()
    show(views, hall.plan(PlanCreated))
    async with audience(known) as here:
        (_, slow), (_, quick) = await here.watch(hall), await here.watch(hall)
        for each in (slow, quick):
            assert b"event: snapshot" in await next_of(each)
        for at, seat in enumerate(hall.seats[:5]):
            show(views, hall.held([seat]))
            told = await next_of(quick)
            assert b"event: change" in told
            assert b'%d,"H"]' % at in told
        told = await next_of(slow)
        assert b"event: snapshot" in told
        assert b"HHHHHA" in told
        show(views, hall.held(hall.seats[5:]))
        assert (await next_of(slow)).startswith(b"id: 7\nevent: change")


async def test_many_changes_are_one_batch(known: Mapping[str, str], views: Views) -> None:
    hall = Hall()
    show(views, hall.plan(PlanCreated))
    async with audience(known) as here:
        _, stream = await here.watch(hall)
        await next_of(stream)
        show(views, hall.held(hall.seats[:1], 1))
        first = await next_of(stream)
        for revision, seat in enumerate(hall.seats[1:4], 1):
            show(views, hall.held([seat], revision))
        second = await next_of(stream)
        while not second.startswith(b"id: 5\n"):
            second = await next_of(stream)
        assert first.count(b'"H"') == 1
        assert b"event: change" in second


async def test_a_question_is_a_look_for_those_who_watch(
    known: Mapping[str, str], views: Views
) -> None:
    """Even if the bell is not heard: whoever asks has looked for everybody."""
    hall = Hall()
    show(views, hall.plan(PlanCreated))
    async with audience(known) as here:
        seen, stream = await here.watch(hall)
        await next_of(stream)
        here.watchers._bell._waiters.clear()
        show(views, hall.held(hall.seats[:1]))
        await here.maps.look(hall.plan_id)
        assert b"event: change" in await next_of(stream)
        assert seen.map.revision == 2


async def test_nobody_looks_when_nobody_watches(known: Mapping[str, str], views: Views) -> None:
    hall = Hall()
    show(views, hall.plan(PlanCreated))
    async with audience(known) as here:
        (seen, first), (_, second) = await here.watch(hall), await here.watch(hall)
        watched = []
        for each in (first, second):
            watched.append(seen.on_change is not None)
            await each.close()
        assert watched == [True, True]
        assert seen.on_change is None
        assert not here.watchers._watches
        assert not here.watchers._bell._waiters


async def test_after_a_broken_line_everything_is_looked_for(
    known: Mapping[str, str], views: Views
) -> None:
    hall = Hall()
    show(views, hall.plan(PlanCreated))
    async with audience(known) as here:
        _, stream = await here.watch(hall)
        await next_of(stream)
        views.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'edge' AND query LIKE 'LISTEN%'"
        )
        show(views, hall.held(hall.seats[:1]))
        assert b"event: change" in await next_of(stream)
