"""Log lines: JSON, whatever is in them."""

import json

import pytest

from bus import log


def _nested(levels: int) -> list[object]:
    return [_nested(levels - 1)] if levels else []


@pytest.mark.parametrize("value", ["\ud800", 2**64, {1: {2: 3}}, _nested(500)])
def test_what_json_has_no_words_for_stops_no_line(value: object) -> None:
    """The line of a death must not be what brings the message back."""
    line = json.loads(log._written({"event": "dead-lettered", "told": value}))
    assert "dead-lettered" in line["event"]
    assert line["told"] == repr(value)
