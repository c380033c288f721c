"""Watching a plan's seats change: one reader for all who watch a plan in this process.

What changed is written once as a frame, at most every 100 ms, and kept for a while; each stream
sends the frames that come after the place where its client stands. A client that stands before
the oldest frame is sent the whole map again, so a slow one costs nothing and skips nothing.
"""

import asyncio
from collections import deque
from typing import NamedTuple
from uuid import UUID  # noqa: TC003  # Local annotations; one style for all.

import orjson

from http_edge import sse
from http_edge.bell import SEATS, Bell
from http_edge.problems import ProblemError
from http_edge.seat_map import Change, merged
from http_edge.seat_maps import Known
from http_edge.sse import Stream

_BATCH_SEC = 0.1
_TRY_AGAIN_SEC = 1.0
_FRAMES_KEPT = 100
_RESUME_MOST = 5_000
"""Changes since a client last heard; with more, the whole map is shorter."""


class Told(NamedTuple):
    """What a client is sent, and the revision that it knows after that."""

    text: bytes
    revision: int


class Frame(NamedTuple):
    """What changed from one revision to another."""

    after: int
    until: int
    text: bytes


class Watch:
    """All who watch one plan."""

    def __init__(self, known: Known, bell: Bell) -> None:
        """Hear of every change of the map from now on, and look whenever `bell` rings."""
        self.known = known
        self.watching: set[_Watching] = set()
        self._frames: deque[Frame] = deque(maxlen=_FRAMES_KEPT)
        self._told = known.map.revision
        self._news: list[Change] = []
        self._flushed_at = 0.0
        self._flushing: asyncio.Task[None] | None = None
        self._again = False
        known.on_change = self._on_change
        self._unsubscribe = bell.subscribe(SEATS, known.plan_id, self.poke)

    def poke(self) -> None:
        """Look for what is new, as soon as the last batch is long enough ago."""
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        else:  # It may have begun to look before this.
            self._again = True

    def close(self) -> None:
        """Stop: nobody watches any more."""
        self._unsubscribe()
        if self._flushing is not None:
            self._flushing.cancel()
        self.known.on_change = None

    async def since(self, revision: int | None) -> Told:
        """Return what a client that comes with this revision, or with none, must hear first."""
        changes = None
        if revision is not None and revision <= self.known.map.revision:
            changes = await self.known.since(revision)
        if changes is None or len(changes) > _RESUME_MOST:
            return self._snapshot()
        now = self.known.map.revision
        if not changes:
            return Told(sse.place(str(now)), now)
        return Told(_change(changes, now), now)

    def after(self, revision: int) -> Told:
        """Return what comes after a revision that was told before."""
        if self._told <= revision:
            return Told(b"", revision)
        frames = [each for each in self._frames if each.until > revision]
        if not frames or frames[0].after > revision:
            return self._snapshot()
        return Told(b"".join(each.text for each in frames), self._told)

    def _on_change(self, changes: list[Change] | None) -> None:
        if changes is None:  # Whoever stands before it is sent the whole map.
            self._frames.clear()
            self._news.clear()
            self._tell()
            return
        self._news += changes
        if self._flushing is None:
            self.poke()

    def _tell(self) -> None:
        self._told = self.known.map.revision
        for each in self.watching:
            each.stream.wake()

    async def _flush(self) -> None:
        now = asyncio.get_running_loop().time
        try:
            await asyncio.sleep(max(self._flushed_at + _BATCH_SEC - now(), 0))
            self._again = False
            await self.known.catch_up()
        except ProblemError:  # The bell rings when the views are back; it may be long until then.
            self._again = True
            await asyncio.sleep(_TRY_AGAIN_SEC)
        finally:
            self._flushing = None
        self._flushed_at = now()
        if self._news:
            until = self.known.map.revision
            self._frames.append(Frame(self._told, until, _change(self._news, until)))
            self._news.clear()
            self._tell()
        if self._again:
            self.poke()

    def _snapshot(self) -> Told:
        now = self.known.map
        return Told(
            sse.frame("snapshot", orjson.Fragment(now.body), str(now.revision)), now.revision
        )


class _Watching:
    """Where one client stands."""

    __slots__ = ("_heard", "_revision", "_watch", "stream")

    def __init__(self, watch: Watch, heard: int | None) -> None:
        self._watch = watch
        self._heard = heard
        """The revision that it comes with."""
        self._revision: int | None = None
        self.stream = Stream(self.read)

    async def read(self) -> bytes:
        if self._revision is None:
            told = await self._watch.since(self._heard)
        else:
            told = self._watch.after(self._revision)
        self._revision = told.revision
        return told.text


class Watchers:
    """Everybody who watches anything in this process."""

    def __init__(self, bell: Bell) -> None:
        """Look when `bell` rings."""
        self._bell = bell
        self._watches: dict[UUID, Watch] = {}

    def follow(self, known: Known, heard: int | None) -> Stream:
        """Return what tells of every change from the revision `heard`, or the whole map, on."""
        watch = self._watches.get(known.plan_id)
        if watch is None:
            watch = self._watches[known.plan_id] = Watch(known, self._bell)
        watching = _Watching(watch, heard)
        watch.watching.add(watching)
        watching.stream.on_close(lambda: self._leave(watch, watching))
        # What changed between the look at the map and the bell's first ring is looked for once.
        watch.poke()
        return watching.stream

    def _leave(self, watch: Watch, watching: _Watching) -> None:
        watch.watching.discard(watching)
        if not watch.watching:
            self._watches.pop(watch.known.plan_id, None)
            watch.close()


def _change(changes: list[Change], revision: int) -> bytes:
    return sse.frame("change", merged(changes), str(revision))
