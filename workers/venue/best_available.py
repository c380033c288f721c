"""Best available: which free seats a party is given.

A party sits in one or several groups of adjacent seats: in one if any row has the place; else in
one section if any has the seats; else across sections. Within that, the best choice has the

1. fewest groups;
2. fewest people in a group of their own;
3. where accessible seats are asked for: fewest seats that are neither accessible nor a companion's;
4. fewest orphans (single seats left, see `orphans.py`);
5. fewest seats with a restricted view;
6. smallest sum of squared distances to the focal point;
7. and of equals, it is the first in the plan's order, compared seat by seat.

Accessible seats are for those who ask: then each group has at least one, and nobody else gets any.

Of more than `EXACT` seats in several groups, what is said of 1 and 2 holds and the rest is sought
group by group, the largest first: the time for the best of all would grow with the party.
"""

from collections.abc import Sequence
from heapq import nsmallest
from itertools import accumulate
from typing import NamedTuple
from uuid import UUID

from workers.venue.hall import FREE, Hall, Reach
from workers.venue.orphans import left_alone

EXACT = 16


class _Split(NamedTuple):
    """A choice in several groups; the smaller is the better."""

    groups: int
    alone: int
    strangers: int
    orphans: int
    cost: int
    picked: tuple[tuple[int, int], ...]
    """Each group's first seat and its size, the size negative: so that the fuller comes first."""


class _Group(NamedTuple):
    """A place for some of a party; the smaller is the better."""

    strangers: int
    orphans: int
    cost: int
    start: int
    size: int


def choose(
    hall: Hall,
    statuses: str,
    quantity: int,
    *,
    section_id: UUID | None = None,
    accessible: bool = False,
) -> list[int] | None:
    """Return the numbers of the best free seats, ascending; None if there is no choice.

    `statuses` has one letter per seat in the plan's order. With a section, its seats alone count.
    """
    reach = Reach(accessible, section_id)
    if quantity < 1 or statuses.count(FREE) < quantity:
        return None
    together = _together(hall, statuses, quantity, reach)
    if together is not None:
        return list(range(together, together + quantity))
    split = _split(hall, statuses, quantity, reach)
    if split is None:
        return None
    return [n for start, size in split.picked for n in range(start, start - size)]


def _together(hall: Hall, statuses: str, quantity: int, reach: Reach) -> int | None:
    """Return the first seat of the best place for all in one row."""
    free = FREE * quantity
    if free not in statuses:
        return None
    first: dict[tuple[int, int], int] = {}
    for start in hall.places(quantity, reach):
        if statuses.startswith(free, start):
            party = range(start, start + quantity)
            count = left_alone(hall, statuses, party)
            first.setdefault((hall.strangers(party, reach), count), start)
            if not count:
                break
    return first[min(first)] if first else None


def _split(hall: Hall, statuses: str, quantity: int, reach: Reach) -> _Split | None:
    """Return the best choice in several groups: in one section, or else across sections."""
    sections = [reach.section_id] if reach.section_id else list(hall.sections)
    within = [Reach(reach.accessible, section_id) for section_id in sections]
    return _best_of(hall, statuses, quantity, within) or _best_of(hall, statuses, quantity, [reach])


def _best_of(hall: Hall, statuses: str, quantity: int, places: Sequence[Reach]) -> _Split | None:
    """Return the best choice in several groups that lies within one of these places."""
    found = []
    for place in places:
        runs = hall.runs(statuses, place)
        groups = _fewest(runs, quantity)
        if groups is not None:
            found.append((groups, hall.least(quantity, place), place, runs))
    best: _Split | None = None
    for groups, least, place, runs in sorted(found, key=lambda one: one[:2]):
        if best and (groups, 0, 0, 0, least) > best[:5]:
            break
        choice = _Search(hall, statuses, place, quantity, groups).best(runs)
        best = min(best, choice) if best else choice
    return best


def _fewest(runs: Sequence[range], quantity: int) -> int | None:
    """Return in how few groups that many fit; no two of them need the same run."""
    longest = sorted(map(len, runs), reverse=True)
    for groups, seats in enumerate(accumulate(longest), start=1):
        if seats >= quantity:
            return groups
    return None


class _Search:
    """The search for the best choice in several groups; as few as can be, each in its own run."""

    def __init__(self, hall: Hall, statuses: str, reach: Reach, quantity: int, groups: int) -> None:
        self.hall, self.statuses, self.reach = hall, statuses, reach
        self.quantity, self.groups = quantity, groups

    def best(self, runs: Sequence[range]) -> _Split:
        """Return the best choice, or above `EXACT` a good one."""
        return self._exactly(runs) if self.quantity <= EXACT else self._roughly(runs)

    def _exactly(self, runs: Sequence[range]) -> _Split:
        """Go through the runs in the plan's order, keeping the best for each count so far.

        Of a size, only the best runs can matter, as many as there are groups: whoever uses a worse
        one could move to one of these that no other group uses.
        """
        longest = max(map(len, runs))
        reached = {(0, 0): _Split(0, 0, 0, 0, 0, ())}
        for options in self._options(runs, longest):
            for (groups, seats), so_far in list(reached.items()):
                for option in options:
                    key = groups + 1, seats + option.size
                    missing = self.quantity - key[1]
                    if not 0 <= missing <= longest * (self.groups - key[0]):
                        continue
                    longer = _with(so_far, option)
                    reached[key] = min(reached.get(key, longer), longer)
        return reached[self.groups, self.quantity]

    def _options(self, runs: Sequence[range], longest: int) -> list[list[_Group]]:
        """Return what is worth trying in each run, run by run in the plan's order."""
        options: dict[int, list[_Group]] = {}
        for size in range(1, min(longest, self.quantity - self.groups + 1) + 1):
            placed = [
                (self._placed(run, size), at) for at, run in enumerate(runs) if len(run) >= size
            ]
            for group, at in nsmallest(self.groups, placed):
                options.setdefault(at, []).append(group)
        return [options[at] for at in sorted(options)]

    def _placed(self, run: range, size: int) -> _Group:
        """Return the best place of a size in a run."""
        parties = (range(start, start + size) for start in range(run.start, run.stop - size + 1))
        return min(
            _Group(
                self.hall.strangers(party, self.reach),
                left_alone(self.hall, self.statuses, party),
                self.hall.cost(party, self.reach),
                party.start,
                size,
            )
            for party in parties
            if self.hall.suits(party, self.reach)
        )

    def _roughly(self, runs: Sequence[range]) -> _Split:
        """Fill the longest runs; nobody sits alone who could be joined by another."""
        by_length = sorted(runs, key=lambda run: (-len(run), self.hall.cost(run, self.reach)))
        sizes = [len(run) for run in by_length[: self.groups]]
        sizes[-1] -= sum(sizes) - self.quantity
        if sizes[-1] == 1 < len(by_length[self.groups - 1]):
            sizes[0], sizes[-1] = sizes[0] - 1, 2
        split = _Split(0, 0, 0, 0, 0, ())
        chosen = sorted(zip(by_length, sizes, strict=False), key=lambda one: one[0].start)
        for run, size in chosen:
            split = _with(split, self._placed(run, size))
        return split


def _with(split: _Split, group: _Group) -> _Split:
    return _Split(
        split.groups + 1,
        split.alone + (group.size == 1),
        split.strangers + group.strangers,
        split.orphans + group.orphans,
        split.cost + group.cost,
        (*split.picked, (group.start, -group.size)),
    )
