"""Where sections are, and what is no place."""

from typing import Any

import pytest

from bus.service import Refusal
from workers.venue.position import Point, Position, point, position, squared_distances


def test_what_is_told_is_read() -> None:
    assert point(None) is None
    assert point({"x": 3, "y": "1.5"}) == Point(3.0, 1.5)
    assert position(None) is None
    assert position({"colour": "red"}) is None
    assert position({"x": 1, "y": -2, "rotation": 90}) == Position(Point(1.0, -2.0), 90.0)


@pytest.mark.parametrize(
    "told",
    [
        {"x": 1},
        {"y": 1},
        {"x": "left", "y": 0},
        {"x": True, "y": 0},
        {"x": None, "y": 0},
        {"x": float("nan"), "y": 0},
        {"x": float("inf"), "y": 0},
        {"x": 0, "y": 1_000_001},
    ],
)
def test_what_is_no_place_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        position(told)
    assert refused.value.code == "invalid_request"
    with pytest.raises(Refusal):
        point(told)


def test_the_middle_of_the_front_is_nearest() -> None:
    grid = [(row, column) for row in (1, 2) for column in (1, 2, 3)]
    million = 1_000_000
    expected = [million, 0, million, 2 * million, million, 2 * million]
    assert squared_distances([(None, grid)], None) == expected


def test_a_section_without_a_position_stands_behind_in_the_middle() -> None:
    front, behind = [(1, column) for column in (1, 2, 3)], [(1, 1)]
    assert squared_distances([(None, front), (None, behind)], None)[3] == 1_000_000


def test_a_section_is_turned_about_its_first_place() -> None:
    turned = Position(Point(0, 0), 90.0)
    assert squared_distances([(turned, [(1, 3), (3, 1)])], Point(0, 2)) == [0, 8_000_000]
