"""Maps of seats and the bytes that are kept of them."""

import gzip

import orjson
import pytest
from falcon import testing
from falcon.asgi import Request, Response
from hypothesis import given
from hypothesis import strategies as st

from http_edge import conditional
from http_edge.conditional import Kept
from http_edge.seat_map import Change, SeatMap, merged

SEATS = 8
CHANGES = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, SEATS - 1), st.sampled_from("AHRSB"))
)


def test_a_map_is_letters_and_what_is_left() -> None:
    body = orjson.loads(SeatMap(3, 2, {"a": b"AHR"}, {"floor": 5, "pit": -1}).body)
    assert body == {
        "revision": 3,
        "version": 2,
        "sections": {"a": "AHR", "floor": {"available": 5}, "pit": {"available": 0}},
    }


def test_a_change_makes_another_map() -> None:
    before = SeatMap(1, 2, {"a": b"AAA", "b": b"A"}, {"floor": 5})
    after = before.changed(2, [("a", 1, "H"), ("a", 2, "S"), ("a", 1, "R"), ("floor", None, 4)])
    assert orjson.loads(after.body)["sections"] == {"a": "ARS", "b": "A", "floor": {"available": 4}}
    assert orjson.loads(after.body)["version"] == 2
    assert orjson.loads(before.body)["sections"]["a"] == "AAA"


@given(CHANGES)
def test_the_last_change_of_each_seat_is_enough(changes: list[Change]) -> None:
    whole = SeatMap(1, 2, {"a": b"A" * SEATS, "b": b"A" * SEATS}, {})
    short = merged(changes)
    assert whole.changed(2, changes).body == whole.changed(2, short).body
    assert len({(section, index) for section, index, _ in short}) == len(short)


def answered(kept: Kept, **headers: str) -> Response:
    scope = testing.create_scope(
        headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    resp = Response()

    async def nothing() -> dict[str, object]:
        return {"type": "http.request"}

    conditional.answer(Request(scope, nothing), resp, kept, public=True)
    return resp


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*;q=0.5, gzip;q=0", False),
        ("*;q=0", False),
        ("identity", False),
        ("", False),
    ],
)
def test_gzip_is_for_who_takes_it(accepted: str, *, packed: bool) -> None:
    kept = Kept(b"x" * 100, "plan-1")
    resp = answered(kept, Accept_Encoding=accepted)
    assert (resp.get_header("Content-Encoding") == "gzip") is packed
    assert (gzip.decompress(resp.data or b"") if packed else resp.data) == kept.body
    assert resp.get_header("ETag") == ('"plan-1-gzip"' if packed else '"plan-1"')


@pytest.mark.parametrize("told", ['"plan-1"', '"plan-1-gzip"', 'W/"plan-1"', '"x", "plan-1"', "*"])
def test_what_is_known_is_not_sent_again(told: str) -> None:
    resp = answered(Kept(b"x", "plan-1"), If_None_Match=told)
    assert (resp.status_code, resp.data) == (304, None)


@pytest.mark.parametrize("told", ['"plan-10"', "plan-1", '"plan-2-gzip"', '""'])
def test_what_is_not_known_is_sent(told: str) -> None:
    resp = answered(Kept(b"x", "plan-1"), If_None_Match=told)
    assert (resp.status_code, resp.data) == (200, b"x")
