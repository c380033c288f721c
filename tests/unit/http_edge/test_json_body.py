"""Strict JSON, and what no store should hold."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_edge import json_body
from http_edge.json_body import DEPTH, check_media_type, has_controls, parse, raw
from http_edge.problems import ProblemError

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def code_of(body: bytes) -> str:
    with pytest.raises(ProblemError) as refused:
        parse(body)
    return refused.value.code


def test_an_object_is_read() -> None:
    assert parse(b'{"a": [1, 2.5, "\\u00e9", null, true]}') == {"a": [1, 2.5, "é", None, True]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":NaN}',
        b'{"a":"\\ud800"}',
        b"\xff",
    ],
)
def test_what_is_not_an_object_in_strict_json_is_malformed(body: bytes) -> None:
    assert code_of(body) == "malformed"


def test_what_nests_too_deep_is_refused_with_its_place() -> None:
    fine: Any = 1
    for _ in range(DEPTH):
        fine = {"a": fine}
    assert parse(orjson.dumps(fine)) == fine
    with pytest.raises(ProblemError) as refused:
        parse(orjson.dumps({"a": fine}))
    assert refused.value.faults[0].pointer == "/a" * DEPTH


@pytest.mark.parametrize("text", ["\x00", "a\nb", "\x7f", "\x85", "\x9f"])
def test_control_characters_are_found(text: str) -> None:
    assert has_controls(text)
    assert code_of(orjson.dumps({"a": [text]})) == "invalid_request"
    assert code_of(orjson.dumps({"b": {text: 1}})) == "invalid_request"


@pytest.mark.parametrize("text", ["", "Grüße", "日本", "a\u00a0b", "👩‍🎤", "\u200f"])
def test_other_characters_are_welcome(text: str) -> None:
    assert not has_controls(text)


@given(_VALUES)
def test_every_body_is_read_or_refused(value: object) -> None:
    body = json.dumps(value).encode()
    try:
        assert isinstance(parse(body), dict)
    except ProblemError as refused:
        assert refused.code in {"malformed", "invalid_request"}  # noqa: PT017


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        'application/json; charset="UTF-8"',
    ],
)
def test_json_in_utf_8_is_accepted(content_type: str) -> None:
    check_media_type(content_type)


async def test_a_body_that_does_not_come_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(_: int) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(json_body, "SLOWEST_SEC", 0.01)
    request = SimpleNamespace(content_length=9, stream=SimpleNamespace(read=read))
    with pytest.raises(ProblemError) as refused:
        await raw(cast("Any", request))
    assert refused.value.code == "malformed"
