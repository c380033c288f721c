"""Lists of parts are read the same, whichever way is taken."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError, fields

from schemas.many import Many
from schemas.message import schema_of
from schemas.ticket import SeatSpec, SectionSpec
from schemas.venue import AreaChange, LaidRow, LaidSeat, ReservedItem, SeatChange, Tier

PARTS = [LaidSeat, LaidRow, ReservedItem, SeatChange, AreaChange, Tier, SeatSpec, SectionSpec]
SEAT_ID = str(uuid4())
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([1.0, 1.5, "", "A", "A 12", "a\nb", "x" * 201, "1", "1.50", "NaN", "1e400"]),
    st.sampled_from([SEAT_ID, SEAT_ID.upper(), f"{{{SEAT_ID}}}", SEAT_ID[:-1], "AVAILABLE"]),
    st.sampled_from([{}, {"accessible": True}, {"a": {"b": [1]}}, [], [{}]]),
)


def read(field: fields.Field[Any], told: object) -> object:
    """Return what comes of it: the parts, or what is wrong with them."""
    try:
        return field.deserialize(told)
    except ValidationError as error:
        return error.messages


@pytest.mark.parametrize("part", PARTS)
@given(data=st.data())
def test_both_ways_come_to_the_same(part: type[Any], data: st.DataObject) -> None:
    names = list(schema_of(part).fields)
    told = data.draw(
        st.lists(
            st.dictionaries(st.sampled_from([*names, "else"]), VALUES, min_size=1) | VALUES,
            max_size=3,
        )
        | VALUES
    )
    inner = fields.Nested(schema_of(part))
    assert read(Many(inner, part), told) == read(fields.List(inner), told)


@given(
    label=st.sampled_from(["A 1", "", "a\nb"]),
    column=st.sampled_from([1, True, 1.0, "1"]),
    price=st.sampled_from(["10.00", "1e3", " 1 ", "Infinity", 10, "x"]),
    attributes=st.sampled_from([None, {}, {"accessible": True}, []]),
    more=st.sampled_from([{}, {"unknown": 1}]),
)
def test_a_seat_is_read_alike(
    label: object, column: object, price: object, attributes: object, more: dict[str, object]
) -> None:
    seat = {
        "seat_id": SEAT_ID,
        "label": label,
        "column": column,
        "price": price,
        "attributes": attributes,
    } | more
    inner = fields.Nested(schema_of(LaidSeat))
    assert read(Many(inner, LaidSeat), [seat]) == read(fields.List(inner), [seat])
