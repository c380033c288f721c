"""Cursors: opaque, and of one list only."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from http_edge.cursors import Place, read, write


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_comes_back_as_the_place_it_was_made_of(at: datetime, id_: object) -> None:
    place = Place(at, id_)  # type: ignore[arg-type]
    cursor = write("orders", place)
    assert cursor.isascii()
    assert read("orders", cursor) == place
    with pytest.raises(ValidationError):
        read("tickets", cursor)


@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda each: each.hex()))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        read("orders", text)


def test_a_time_without_an_offset_is_refused() -> None:
    naive = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    with pytest.raises(ValidationError):
        read("orders", write("orders", Place(naive, uuid4())))
