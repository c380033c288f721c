"""Halls drawn as text, and halls at random.

One line is a row: `.` a seat, `x` one that is taken, `a` an accessible one (`A` taken), `c` a
companion's, `v` a restricted view, a blank a missing place.
"""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple
from uuid import UUID

from workers.venue.hall import Hall, Seat, Section
from workers.venue.position import Point, Position

_MARKS = ".xaAcv"


class Drawing(NamedTuple):
    """What was drawn: as told, and as built."""

    sections: Sequence[Section]
    focal_point: Point | None
    hall: Hall
    statuses: str


def drawn(
    *sections: Sequence[str],
    positions: Sequence[Position | None] | None = None,
    focal_point: Point | None = None,
) -> Drawing:
    """Return the hall in the drawing."""
    laid, letters, seats = [], "", 0
    for number, rows in enumerate(sections):
        marks = [
            (row, column, mark)
            for row, line in enumerate(rows, start=1)
            for column, mark in enumerate(line, start=1)
            if mark in _MARKS
        ]
        section = Section(
            section_id=UUID(int=1_000_000 + number),
            position=positions[number] if positions else None,
            seats=[
                Seat(
                    seat_id=UUID(int=at),
                    row=row,
                    column=column,
                    accessible=mark in "aA",
                    companion=mark == "c",
                    restricted_view=mark == "v",
                )
                for at, (row, column, mark) in enumerate(marks, start=seats)
            ],
        )
        laid.append(section)
        letters += "".join("S" if mark in "xA" else "A" for _, _, mark in marks)
        seats += len(marks)
    return Drawing(laid, focal_point, Hall(laid, focal_point), letters)


def small(random: Random) -> Drawing:
    """Return a hall of one to three sections and at most sixteen places, at random."""
    marks = random.choice(["....x ", "..xx ", "...xaAcv ", "..xx", "aacc. .", ".xx"])
    sections = [
        ["".join(random.choice(marks) for _ in range(random.randint(1, 6))) for _ in range(rows)]
        for rows in random.choice([(1,), (2,), (3,), (1, 1), (2, 1), (1, 1, 1)])
    ]
    positions = [
        random.choice([None, Position(Point(random.randint(-4, 4), random.randint(0, 4)), turn)])
        for turn in random.choices([0.0, 0.0, 90.0, 33.0], k=len(sections))
    ]
    focal = random.choice([None, Point(random.randint(-3, 6), random.randint(-2, 3))])
    return drawn(*sections, positions=positions, focal_point=focal)


def arena(blocks: int = 60, columns: int = 19, seats: int = 20_000) -> Hall:
    """Return a large hall: blocks in a ring around the stage."""
    left, sections = seats, []
    for block in range(blocks):
        size = left // (blocks - block)
        left -= size
        grid = [(1 + at // columns, 1 + at % columns) for at in range(size)]
        sections.append(
            Section(
                section_id=UUID(int=1_000_000 + block),
                position=Position(Point(25.0, 0.0), 360 / blocks * block),
                seats=[
                    Seat(seat_id=UUID(int=block * 1_000 + at), row=row, column=column)
                    for at, (row, column) in enumerate(grid)
                ],
            )
        )
    return Hall(sections, Point(0.0, 0.0))
