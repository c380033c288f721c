"""Keys, waiting and tracing, as clients write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_edge.headers import idempotency_key, trace, wait_sec
from http_edge.problems import ProblemError

_VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (None, None),
        ("", None),
        ('""', None),
        ("abc", "abc"),
        ('"abc"', "abc"),
        (' "a b" ', "a b"),
        (r'"a\"b\\c"', r"a\"b\c".replace(r"\"", '"')),
        ('"', '"'),
        ("x" * 255, "x" * 255),
    ],
)
def test_a_key_is_bare_or_quoted(text: str | None, key: str | None) -> None:
    assert idempotency_key(text) == key


@pytest.mark.parametrize("text", ["x" * 256, "schlüssel", "a\tb", "a\x00b"])
def test_a_key_that_cannot_be_one_is_refused(text: str) -> None:
    with pytest.raises(ProblemError) as refused:
        idempotency_key(text)
    assert refused.value.code == "malformed"


@given(_VISIBLE)
def test_a_quoted_key_is_the_same_key(key: str) -> None:
    quoted = '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert idempotency_key(quoted) == key


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, None),
        ("", None),
        ("wait=5", 5),
        ("wait=0", 0),
        ("Wait=5", 5),
        ("respond-async, wait=3", 3),
        ("wait=3; foo=bar", 3),
        ('wait="4"', 4),
        ("wait = 4", 4),
        ("wait=60", 10),
        ("wait=999999", 10),
        ("wait=-1", None),
        ("wait=x", None),
        ("wait=1.5", None),
        ("wait", None),
        ("wait=2, wait=7", 2),
        ("return=minimal", None),
    ],
)
def test_a_wish_to_wait_is_capped_and_nonsense_ignored(
    prefer: str | None, seconds: int | None
) -> None:
    assert wait_sec(prefer) == seconds


def test_a_trace_is_followed_or_begun() -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert trace("abc", parent) == ("abc", parent)
    assert trace(None, parent).request_id == "0af7651916cd43dd8448eb211c80319c"
    for bad in (None, "", "00-x-y-01", f"00-{'0' * 32}-b7ad6b7169203331-01"):
        begun = trace("not an id", bad)
        assert begun.traceparent.startswith(f"00-{begun.request_id}-")
    assert trace(None, None) != trace(None, None)
