"""Every choice there is, weighed as the rule is stated: slow, and sure.

It knows nothing of runs, of places in order or of sums kept: only seats, one by one.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from uuid import UUID

from tests.unit.venue.halls import Drawing
from workers.venue.hall import Seat, Section

Place = tuple[int, int, int]


class Exhaustive:
    """A small hall, and every choice in it."""

    def __init__(self, drawing: Drawing) -> None:
        """Look at a drawing's seats one by one."""
        self.seats = [(at, s) for at, one in enumerate(drawing.sections) for s in one.seats]
        self.free = [letter == "A" for letter in drawing.statuses]
        self.section_ids = [section.section_id for section in drawing.sections]
        self.distances = _distances(drawing)
        self.at = {self.place(n): n for n in range(len(self.seats))}

    def place(self, number: int) -> Place:
        """Return a seat's section, row and column."""
        section, seat = self.seats[number]
        return section, seat.row, seat.column

    def beside(self, number: int) -> Iterator[int]:
        """Go through the seats to the left and right."""
        section, row, column = self.place(number)
        for other in (column - 1, column + 1):
            if (section, row, other) in self.at:
                yield self.at[section, row, other]

    def seat(self, number: int) -> Seat:
        """Return a seat."""
        return self.seats[number][1]

    def single(self, number: int, free: Sequence[bool]) -> bool:
        """Whether an ordinary seat is free and has no free ordinary neighbour."""
        return (
            free[number]
            and not self.seat(number).accessible
            and not any(free[n] and not self.seat(n).accessible for n in self.beside(number))
        )

    def orphans(self, choice: Sequence[int]) -> list[int]:
        """Return who is single after a choice and was not before."""
        after = [free and n not in choice for n, free in enumerate(self.free)]
        before = [free or n in choice for n, free in enumerate(self.free)]
        return [
            n
            for n in range(len(self.seats))
            if self.single(n, after) and not self.single(n, before)
        ]

    def groups(self, choice: Sequence[int], *, ordinary: bool) -> list[list[int]]:
        """Return the groups that a choice sits in; `ordinary`: an accessible seat parts them."""
        groups: list[list[int]] = []
        for number in choice:
            left = [n for n in self.beside(number) if groups and n == groups[-1][-1]]
            if left and not (ordinary and any(self.seat(n).accessible for n in (*left, number))):
                groups[-1].append(number)
            else:
                groups.append([number])
        return groups

    def weigh(self, choice: Sequence[int], *, accessible: bool) -> tuple[object, ...]:
        """Return what the rule compares, the first first."""
        groups = self.groups(choice, ordinary=not accessible)
        sections = {self.seats[n][0] for n in choice}
        return (
            len(groups) > 1,
            len(sections) > 1,
            len(groups),
            sum(len(group) == 1 for group in groups),
            accessible and sum(self.is_for_anybody(n) for n in choice),
            len(self.orphans(choice)),
            sum(self.seat(n).restricted_view for n in choice),
            sum(self.distances[n] for n in choice),
            tuple(choice),
        )

    def is_for_anybody(self, number: int) -> bool:
        """Whether a seat is neither accessible nor a companion's."""
        return not (self.seat(number).accessible or self.seat(number).companion)

    def choices(
        self, quantity: int, section_id: UUID | None, *, accessible: bool
    ) -> Iterator[tuple[int, ...]]:
        """Go through all choices that may be made."""
        open_to = [
            n
            for n in range(len(self.seats))
            if self.free[n]
            and (accessible or not self.seat(n).accessible)
            and section_id in (None, self.section_ids[self.seats[n][0]])
        ]
        for choice in combinations(open_to, quantity):
            groups = self.groups(choice, ordinary=not accessible)
            if not accessible or all(
                any(self.seat(n).accessible for n in group) for group in groups
            ):
                yield choice

    def best(
        self, quantity: int, section_id: UUID | None = None, *, accessible: bool = False
    ) -> list[int] | None:
        """Return the best choice there is."""
        best = min(
            self.choices(quantity, section_id, accessible=accessible),
            key=lambda choice: self.weigh(choice, accessible=accessible),
            default=None,
        )
        return None if best is None else list(best)


def _distances(drawing: Drawing) -> list[int]:
    """Return squared distances in square thousandths of a seat, as they are stated."""
    laid: list[tuple[int, int]] = []
    for section in drawing.sections:
        laid += _laid(section, laid)
    if not laid:
        return []
    xs, ys = [x for x, _ in laid], [y for _, y in laid]
    focal = drawing.focal_point
    x = round(focal.x * 1000) if focal else round((min(xs) + max(xs)) / 2)
    y = round(focal.y * 1000) if focal else min(ys)
    return [(px - x) ** 2 + (py - y) ** 2 for px, py in laid]


def _laid(section: Section, before: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    if section.position:
        x, y = section.position.origin
        turn = math.radians(section.position.rotation)
    else:
        widest = max((seat.column for seat in section.seats), default=1)
        xs, ys = [x for x, _ in before], [y for _, y in before]
        x = ((min(xs) + max(xs)) / 2000 if before else 0) - (widest - 1) / 2
        y, turn = (max(ys) / 1000 + 1 if before else 0), 0.0
    for seat in section.seats:
        right, back = seat.column - 1, seat.row - 1
        yield (
            round(1000 * (x + right * math.cos(turn) - back * math.sin(turn))),
            round(1000 * (y + right * math.sin(turn) + back * math.cos(turn))),
        )
