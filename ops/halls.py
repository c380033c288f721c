"""Two houses of real size, made from their dimensions: a theatre and an arena.

What comes out is what an organizer would send: the body of `POST /v1/seating-plans`.

    theatre   2,000 seats  stalls whose rows grow to the back, a balcony, ten boxes at the sides;
                           rows lettered, four price tiers, wheelchair places with a companion's
    arena    20,000 seats  sixty blocks in three rings around the stage, twenty a ring

A place is in seats, as the plan's focal point is: x to the right, y away from the stage.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_BLOCKS = 20
"""Of a ring."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A section: its rows from the stage backwards, by their number of seats."""

    name: str
    tier: str
    rows: Sequence[int]
    x: float
    y: float
    """Of the middle of the first row."""
    rotation: float = 0.0
    first_letter: int | None = None
    """Rows are lettered from here on, A being 0, and their seats labelled "AA 12"."""
    wheelchairs: int = 0
    """Places from either end of the last row: accessible ones and companions', by turns."""
    restricted: bool = False
    """The last row does not see the whole stage."""

    def section(self) -> dict[str, Any]:
        """Return the section as the API takes it; shorter rows are in the middle of its grid."""
        widest = max(self.rows)
        turn, half = math.radians(self.rotation), (widest - 1) / 2
        return {
            "name": self.name,
            "type": "seated",
            "row_count": len(self.rows),
            "column_count": widest,
            "price_tier": self.tier,
            "position_json": {
                "x": round(self.x - half * math.cos(turn), 3),
                "y": round(self.y - half * math.sin(turn), 3),
                "rotation": self.rotation,
            },
            "seats": list(self._overrides(widest)),
        }

    def _overrides(self, widest: int) -> Iterator[dict[str, Any]]:
        for row, seats in enumerate(self.rows, start=1):
            before = (widest - seats) // 2
            for column in range(1, widest + 1):
                seat = column - before
                place: dict[str, Any] = {"row": row, "column": column}
                if not 1 <= seat <= seats:
                    yield place | {"missing": True}
                elif special := self._special(row, seat):
                    yield place | special

    def _special(self, row: int, seat: int) -> dict[str, Any]:
        special: dict[str, Any] = {}
        if self.first_letter is not None:
            special["label"] = f"{_letters(self.first_letter + row - 1)} {seat}"
        if row == len(self.rows):
            from_end = min(seat, self.rows[-1] + 1 - seat)
            if from_end <= self.wheelchairs:
                special["attributes"] = {"accessible" if from_end % 2 else "companion": True}
            elif self.restricted:
                special["attributes"] = {"restricted_view": True}
        return special


_STALLS = (
    Part(
        name="Stalls front",
        tier="Premium",
        rows=range(24, 48, 2),
        x=0,
        y=0,
        first_letter=0,
    ),
    Part(
        name="Stalls rear",
        tier="Standard",
        rows=[46] * 6 + [48] * 6 + [50] * 6,
        x=0,
        y=14,
        first_letter=12,
        wheelchairs=8,
    ),
    Part(
        name="Balcony",
        tier="Balcony",
        rows=range(42, 66, 2),
        x=0,
        y=38,
        first_letter=0,
        wheelchairs=4,
    ),
)
_BOXES = tuple(
    Part(
        name=f"Box {2 * pair + side}",
        tier="Box",
        rows=(4, 4),
        x=sign * 28,
        y=2 + 6 * pair,
        rotation=sign * -90.0,
        restricted=pair == 0,
    )
    for pair in range(5)
    for side, sign in ((1, -1), (2, 1))
)
_RINGS = (
    ("Lower", 70.0, (20,) * 15, 4),
    ("Middle", 88.0, (20,) * 16, 0),
    ("Upper", 108.0, (20,) * 19, 0),
)
"""Name and tier, distance of the first row from the stage, rows of a block, wheelchairs."""


def theatre(venue_id: str, ticket_id: str) -> dict[str, Any]:
    """Return the plan of a theatre, whose buyers pick their seats."""
    return {
        "venue_id": venue_id,
        "ticket_id": ticket_id,
        "name": "Grand Theatre",
        "assignment_mode": "manual",
        "pricing_mode": "section",
        "prevent_orphans": True,
        "price_tiers": [
            {"name": "Premium", "price": "95.00"},
            {"name": "Standard", "price": "65.00"},
            {"name": "Balcony", "price": "40.00"},
            {"name": "Box", "price": "120.00"},
        ],
        "focal_point": {"x": 0, "y": -4},
        "sections": [part.section() for part in (*_STALLS, *_BOXES)],
    }


def arena(venue_id: str, ticket_id: str) -> dict[str, Any]:
    """Return the plan of an arena, whose buyers are given the best seats left."""
    return {
        "venue_id": venue_id,
        "ticket_id": ticket_id,
        "name": "Arena",
        "assignment_mode": "auto",
        "pricing_mode": "section",
        "price_tiers": [
            {"name": "Lower", "price": "110.00"},
            {"name": "Middle", "price": "80.00"},
            {"name": "Upper", "price": "50.00"},
        ],
        "focal_point": {"x": 0, "y": 0},
        "sections": [block.section() for block in _blocks()],
    }


def _blocks() -> Iterator[Part]:
    for ring, (name, distance, rows, wheelchairs) in enumerate(_RINGS, start=1):
        for block in range(_BLOCKS):
            degrees = 360 / _BLOCKS * block
            turn = math.radians(degrees)
            yield Part(
                name=f"{name} {ring}{block + 1:02}",
                tier=name,
                rows=rows,
                x=-distance * math.sin(turn),
                y=distance * math.cos(turn),
                rotation=degrees,
                wheelchairs=wheelchairs,
            )


def _letters(number: int) -> str:
    """Return A to Z, then AA to ZZ, as rows are lettered."""
    before, last = divmod(number, 26)
    return chr(ord("A") + last) * (before + 1)
