"""Streams: what is sent, when, and when they end."""

import asyncio
import gc

import pytest

from http_edge import sse
from http_edge.database import unavailable
from http_edge.sse import Feed, Stream


async def rest_of(stream: Stream) -> list[bytes]:
    """Return everything after the greeting, until the stream ends."""
    assert (await anext(stream)).startswith(b"retry: ")
    return [frames async for frames in stream]


def test_a_frame_is_one_event_whatever_its_text() -> None:
    written = sse.frame("step", {"text": "a\nb\r\nid: 9"}, "7")
    assert written == b'id: 7\nevent: step\ndata: {"text":"a\\nb\\r\\nid: 9"}\n\n'
    assert sse.frame("end", None) == b"event: end\ndata: null\n\n"


async def test_a_stream_reads_at_first_and_whenever_it_is_woken() -> None:
    said = [b"a", b"", b"b", b"last"]

    async def read() -> bytes:
        frames = said.pop(0)
        stream.end() if frames == b"last" else stream.wake()
        return frames

    stream = Stream(read)
    async with asyncio.timeout(20):
        assert await rest_of(stream) == [b"a", b"b", b"last"]


async def test_a_silent_stream_says_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE_SEC", 0.01)
    feed = Feed()
    await anext(feed)
    feed.push(b"a")
    assert [await anext(feed) for _ in range(3)] == [b"a", b": still here\n\n", b": still here\n\n"]


async def test_what_is_pushed_comes_in_order_and_together() -> None:
    feed = Feed()
    await anext(feed)
    for each in (b"a", b"b"):
        feed.push(each)
    assert await anext(feed) == b"ab"
    feed.push(b"c")
    assert await anext(feed) == b"c"


async def test_a_client_that_is_far_behind_begins_again() -> None:
    feed = Feed()
    for _ in range(300):
        feed.push(b"x" * 1024)
    assert await rest_of(feed) == []


async def test_views_that_are_away_end_a_stream() -> None:
    async def read() -> bytes:
        raise unavailable()

    assert await rest_of(Stream(read)) == []


async def test_all_are_let_go_when_the_process_stops_and_each_is_closed_once() -> None:
    closed: list[int] = []
    gc.collect()  # Other tests' streams, so that none of them goes meanwhile.
    before = sse.open_streams()
    feeds = [Feed() for _ in range(3)]
    assert sse.open_streams() == before + 3
    sse.end_all()
    for feed in feeds:
        feed.on_close(lambda: closed.append(1))
        assert await rest_of(feed) == []
        await feed.close()
        await feed.close()
    assert sse.open_streams() == before
    assert closed == [1, 1, 1]
