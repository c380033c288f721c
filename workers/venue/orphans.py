"""Orphans: free seats that a choice leaves without a free neighbour and that had one before.

Neighbours are adjacent in a row, with no missing place between them. An accessible seat is neither
an orphan nor a neighbour here: it is not for those who are given the seats around it.
"""

from collections.abc import Iterable, Sequence

from workers.venue.hall import FREE, Hall, Reach

_GROUPS = 10
"""In how many groups another choice is sought; a buyer who picks more is not held to the rule."""


def left_alone(hall: Hall, statuses: Sequence[str], party: range) -> int:
    """Count the orphans that free adjacent seats leave when they are taken: one a side at most."""
    count, near = 0, party.start - 1
    if hall.company(near) and statuses[near] == FREE:
        count += not (hall.company(near - 1) and statuses[near - 1] == FREE)
    near = party.stop
    if hall.company(near - 1) and statuses[near] == FREE:
        count += not (hall.company(near) and statuses[near + 1] == FREE)
    return count


def orphans(hall: Hall, statuses: str, picked: Iterable[int], own: Iterable[int] = ()) -> list[int]:
    """Return the seats that a choice by hand leaves alone; none where it could not do better.

    It could do better where as many seats, in no more groups, are free in the same section and
    leave no orphan: nobody is sent to another part of the house, and friends are not parted. What
    is picked counts as free before, whatever its letter: a buyer may hold it already. What is their
    own besides counts as free before and after: they do not take it.
    """
    chosen = sorted(set(picked))
    letters = list(statuses)
    for number in {*chosen, *own}:
        letters[number] = FREE
    before = "".join(letters)
    left: list[int] = []
    for section_id, seats in hall.sections.items():
        here = Reach(section_id=section_id)
        mine = [n for n in chosen if n in seats and hall.suits(range(n, n + 1), here)]
        alone = _alone(hall, before, mine) if mine else []
        if alone and _fits_without(hall, before, mine, here):
            left += alone
    return left


def _alone(hall: Hall, before: str, mine: Sequence[int]) -> list[int]:
    after = list(before)
    for number in mine:
        after[number] = ""
    beside = {n - 1 for n in mine if hall.company(n - 1)} | {n + 1 for n in mine if hall.company(n)}
    return [
        number
        for number in sorted(beside)
        if after[number] == FREE
        and not (hall.company(number - 1) and after[number - 1] == FREE)
        and not (hall.company(number) and after[number + 1] == FREE)
    ]


def _fits_without(hall: Hall, before: str, mine: Sequence[int], here: Reach) -> bool:
    """Whether as many people could sit in the section, in no more groups, and leave no orphan.

    A group leaves none if it fills its run of free seats, or if it starts at one end and leaves two
    seats or more. Two groups in one run would never do where one does not.
    """
    wanted = len(mine)
    groups = sum(not (hall.company(n - 1) and n - 1 in mine) for n in mine)
    if groups > _GROUPS:
        return False
    reached = [1] + [0] * groups
    """By number of groups: a bit for each number of people that fits."""
    for run in hall.runs(before, here):
        for count in reversed(range(groups)):
            for size in range(1, min(len(run), wanted) + 1):
                if size != len(run) - 1:
                    reached[count + 1] |= reached[count] << size
        if any(people >> wanted & 1 for people in reached):
            return True
    return False
