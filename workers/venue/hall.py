"""A hall: a plan's seats, which are next to each other, and how good each is.

A hall is built once for a version of a plan and kept; what changes, a letter per seat, is passed
in beside it: `A` is free, any other is not. Seats are known here by their number, their place in
the plan's order, from 0; the seats of a party are a range of numbers.
"""

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple
from uuid import UUID

from workers.venue.position import Point, Position, squared_distances

FREE = "A"
_RUNS = re.compile(f"{FREE}+")
_RESTRICTED = 10**30
"""More than the squared distances of any hall together."""
_STRANGER = 10**40
"""More than a hall of restricted views."""


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A seat as a hall needs to know it; rows and columns count from 1."""

    seat_id: UUID
    row: int
    column: int
    accessible: bool = False
    companion: bool = False
    restricted_view: bool = False

    def beside(self, other: "Seat") -> bool:
        """Whether the other is the next in the row."""
        return self.row == other.row and self.column + 1 == other.column


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section and its seats by row and column; a missing place parts its neighbours."""

    section_id: UUID
    position: Position | None
    seats: Sequence[Seat]


class Reach(NamedTuple):
    """For whom seats are looked for, and where: in the whole hall unless a section is named."""

    accessible: bool = False
    section_id: UUID | None = None


class Hall:
    """The seats of one version of a plan, in the plan's order."""

    def __init__(self, sections: Sequence[Section], focal_point: Point | None = None) -> None:
        """Lay the sections out around the focal point: the middle of the front unless given."""
        seats = [seat for section in sections for seat in section.seats]
        self.seat_ids = [seat.seat_id for seat in seats]
        self.number = {seat_id: number for number, seat_id in enumerate(self.seat_ids)}
        limits = list(accumulate((len(s.seats) for s in sections), initial=0))
        self.sections = {
            section.section_id: range(*ends)
            for section, ends in zip(sections, pairwise(limits), strict=True)
        }
        self._joined = _joined(sections)
        self._accessible_before = list(accumulate((s.accessible for s in seats), initial=0))
        grids = [(s.position, [(seat.row, seat.column) for seat in s.seats]) for s in sections]
        distances = squared_distances(grids, focal_point)
        self._costs = {wanted: _costs(seats, distances, wanted) for wanted in (False, True)}
        self._costs_before = {
            wanted: list(accumulate(costs, initial=0)) for wanted, costs in self._costs.items()
        }
        self._stretches: dict[Reach, list[range]] = {}
        self._least: dict[tuple[Reach, int], int] = {}
        self._places: dict[tuple[Reach, int], array[int]] = {}

    def company(self, number: int) -> bool:
        """Whether a seat and the next are adjacent, and neither is an accessible one.

        Before the first seat (-1) there is none.
        """
        return self._joined[False][number] == 1

    def cost(self, party: range, reach: Reach) -> int:
        """Return how bad adjacent seats are: by strangers, restricted views, squared distances."""
        before = self._costs_before[reach.accessible]
        return before[party.stop] - before[party.start]

    def strangers(self, party: range, reach: Reach) -> int:
        """Count seats neither accessible nor a companion's, where accessible ones are asked for."""
        return self.cost(party, reach) // _STRANGER

    def suits(self, party: range, reach: Reach) -> bool:
        """Whether adjacent seats have an accessible one if that is asked for, or else none."""
        before = self._accessible_before
        return (before[party.stop] > before[party.start]) == reach.accessible

    def least(self, size: int, reach: Reach) -> int:
        """Return what no choice of that many seats can cost less than."""
        key = (reach, size)
        if key not in self._least:
            seats = self._seats(reach)
            costs = self._costs[reach.accessible][seats.start : seats.stop]
            self._least[key] = sum(sorted(costs)[:size])
        return self._least[key]

    def stretches(self, reach: Reach) -> list[range]:
        """Return the longest series of adjacent seats, in the plan's order."""
        if reach not in self._stretches:
            seats, joined = self._seats(reach), self._joined[reach.accessible]
            ends = [number + 1 for number in seats if not joined[number]]
            self._stretches[reach] = [
                stretch
                for stretch in (range(*limits) for limits in pairwise([seats.start, *ends]))
                if self.suits(stretch, reach)
            ]
        return self._stretches[reach]

    def runs(self, statuses: str, reach: Reach) -> list[range]:
        """Return the longest series of adjacent seats that are free, in the plan's order."""
        runs = [
            range(*match.span())
            for stretch in self.stretches(reach)
            for match in _RUNS.finditer(statuses, stretch.start, stretch.stop)
        ]
        return [run for run in runs if self.suits(run, reach)] if reach.accessible else runs

    def places(self, size: int, reach: Reach) -> "array[int]":
        """Return the first seat of each place for that many together, the best place first."""
        key = (reach, size)
        if key not in self._places:
            starts = [
                start
                for stretch in self.stretches(reach)
                for start in range(stretch.start, stretch.stop - size + 1)
                if self.suits(range(start, start + size), reach)
            ]
            starts.sort(key=lambda start: self.cost(range(start, start + size), reach))
            self._places[key] = array("l", starts)
        return self._places[key]

    def _seats(self, reach: Reach) -> range:
        if reach.section_id is None:
            return range(len(self.seat_ids))
        return self.sections[reach.section_id]


def _joined(sections: Sequence[Section]) -> dict[bool, bytes]:
    """Say for each seat whether the next is adjacent: any seat, or none but ordinary ones."""
    joined: dict[bool, list[bool]] = {False: [], True: []}
    for section in sections:
        for seat, following in pairwise(section.seats):
            beside = seat.beside(following)
            joined[True].append(beside)
            joined[False].append(beside and not (seat.accessible or following.accessible))
        if section.seats:
            joined[True].append(False)
            joined[False].append(False)
    return {wanted: bytes(seats) for wanted, seats in joined.items()}


def _costs(seats: Sequence[Seat], distances: Sequence[int], accessible: bool) -> list[int]:  # noqa: FBT001  # What is asked for.
    """Return squared distances, and above all of these what is worse than being far away."""
    return [
        distance
        + _RESTRICTED * seat.restricted_view
        + _STRANGER * (accessible and not (seat.accessible or seat.companion))
        for seat, distance in zip(seats, distances, strict=True)
    ]
