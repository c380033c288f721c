"""Where the places of a plan are, and how far from the focal point.

Lengths are in seats and kept as whole thousandths, so that distances add up exactly and equal
choices are really equal. A section lies in its own rows (y grows away from the stage) and columns
(x grows to the right), moved to its position and turned about its first place.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bus.service import Refusal

_FINE = 1_000
_FARTHEST = 1_000_000


class Point(NamedTuple):
    """A place, in seats; as the hall keeps it, in thousandths of one."""

    x: float
    y: float


@dataclass(frozen=True)
class Position:
    """Where a section's row 1, column 1 is, and by how many degrees it is turned."""

    origin: Point
    rotation: float = 0.0

    def places(self, grid: Sequence[tuple[int, int]]) -> list[Point]:
        """Return where the places of a section are, given as row and column."""
        turn = math.radians(self.rotation)
        cos, sin = math.cos(turn), math.sin(turn)
        return [
            Point(
                round(_FINE * (self.origin.x + (column - 1) * cos - (row - 1) * sin)),
                round(_FINE * (self.origin.y + (column - 1) * sin + (row - 1) * cos)),
            )
            for row, column in grid
        ]


def point(told: dict[str, Any] | None) -> Point | None:
    """Read a focal point: x and y, in seats.

    Raises:
        Refusal: `invalid_request`, it is no place.
    """
    return None if told is None else Point(_length(told, "x"), _length(told, "y"))


def position(told: dict[str, Any] | None) -> Position | None:
    """Read a section's position: x and y in seats, rotation in degrees (0 unless given).

    What else an editor keeps there is its own. Without an x and a y there is no position.

    Raises:
        Refusal: `invalid_request`, it is no place.
    """
    if told is None or not {"x", "y"} & told.keys():
        return None
    origin = Point(_length(told, "x"), _length(told, "y"))
    return Position(origin, _length(told, "rotation") if "rotation" in told else 0.0)


def squared_distances(
    sections: Sequence[tuple[Position | None, Sequence[tuple[int, int]]]], focal: Point | None
) -> list[int]:
    """Return every place's squared distance to the focal point, or else to the front's middle.

    A section without a position stands behind what comes before it, in the middle.
    """
    laid: list[Point] = []
    for where, grid in sections:
        laid += (where or _behind(laid, grid)).places(grid)
    if not laid:
        return []
    x, y = (round(_FINE * length) for length in focal) if focal else _front(laid)
    return [int((place.x - x) ** 2 + (place.y - y) ** 2) for place in laid]


def _front(laid: Sequence[Point]) -> tuple[int, int]:
    return round(_middle(laid)), round(min(place.y for place in laid))


def _behind(laid: Sequence[Point], grid: Sequence[tuple[int, int]]) -> Position:
    widest = max((column for _, column in grid), default=1)
    middle = _middle(laid) / _FINE if laid else 0.0
    back = max(place.y for place in laid) / _FINE + 1 if laid else 0.0
    return Position(Point(middle - (widest - 1) / 2, back))


def _middle(laid: Sequence[Point]) -> float:
    return (min(place.x for place in laid) + max(place.x for place in laid)) / 2


def _length(told: dict[str, Any], name: str) -> float:
    length = told.get(name)
    if isinstance(length, bool) or not isinstance(length, int | float | str):
        raise Refusal("invalid_request", f"A position needs a number as {name}.")
    try:
        number = float(length)
    except ValueError:
        raise Refusal("invalid_request", f"A position needs a number as {name}.") from None
    if not abs(number) <= _FARTHEST:  # Which no NaN is.
        raise Refusal("invalid_request", f"{name} is too far away.")
    return number
