"""Streams: what is sent, when, and when they end."""

import asyncio
import gc

import pytest
from falcon import testing
from falcon.asgi import Request, Response

from http_edge import sse
from http_edge.database import unavailable
from http_edge.problems import ProblemError
from http_edge.sse import Stream, Streams


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


async def silence() -> bytes:
    return b""


async def test_a_silent_stream_says_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE_SEC", 0.01)
    stream = Stream(silence)
    await anext(stream)
    assert [await anext(stream) for _ in range(2)] == [b": still here\n\n"] * 2


async def test_views_that_are_away_end_a_stream() -> None:
    async def read() -> bytes:
        raise unavailable()

    assert await rest_of(Stream(read)) == []


async def nothing() -> dict[str, object]:
    return {"type": "http.request"}


async def test_a_client_has_so_many_places_and_gives_them_back() -> None:
    streams = Streams({"user": 2})
    req, told = Request(testing.create_scope(), nothing), []

    async def follow(*who: str) -> Stream:
        stream = Stream(silence)
        stream.on_close(lambda: told.append(who))
        await streams.answer(req, Response(), stream, (who[0], who[1]), None)
        return stream

    first, _ = await follow("user", "ann"), await follow("user", "ann")
    with pytest.raises(ProblemError, match="2 streams are open already") as refused:
        await follow("user", "ann")
    assert (refused.value.code, refused.value.headers["Retry-After"]) == ("rate_limited", "15")
    assert told == [("user", "ann")], "what was refused is closed"
    await follow("user", "bob")
    for _ in range(3):
        await follow("address", "::1")
    await first.close()
    await first.close()
    await follow("user", "ann")
    with pytest.raises(ProblemError):
        await follow("user", "ann")


async def test_all_are_let_go_when_the_process_stops_and_each_is_closed_once() -> None:
    closed: list[int] = []
    gc.collect()  # Other tests' streams, so that none of them goes meanwhile.
    before = sse.open_streams()
    streams = [Stream(silence) for _ in range(3)]
    assert sse.open_streams() == before + 3
    sse.end_all()
    for each in streams:
        each.on_close(lambda: closed.append(1))
        assert await rest_of(each) == []
        await each.close()
        await each.close()
    assert sse.open_streams() == before
    assert closed == [1, 1, 1]
