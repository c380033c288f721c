"""Best available: what it may never do, that it finds the best, and how fast."""

from random import Random
from statistics import quantiles
from time import thread_time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.venue.halls import Drawing, arena, drawn, small
from tests.unit.venue.search import Exhaustive
from workers.venue.best_available import EXACT, choose
from workers.venue.hall import Hall

HALLS = st.integers(0, 1_000_000).map(lambda seed: small(Random(seed)))  # noqa: S311  # A drawing.
SECTION = UUID(int=1_000_000)
PARTIES = range(1, 9)


def picks(*rows: str, quantity: int, accessible: bool = False) -> list[int] | None:
    """Choose in a hall of one section."""
    drawing = drawn(rows)
    return choose(drawing.hall, drawing.statuses, quantity, accessible=accessible)


def test_the_middle_of_the_front_is_best() -> None:
    assert picks(".......", ".......", quantity=3) == [2, 3, 4]


def test_a_worse_place_that_leaves_no_orphan_is_better() -> None:
    assert picks("..x...", quantity=2) == [0, 1]
    assert picks("...", "....", quantity=2) == [3, 4]


def test_an_orphan_is_left_where_nothing_else_is_free() -> None:
    assert picks("...", quantity=2) == [0, 1]


def test_a_missing_place_parts_neighbours() -> None:
    assert picks(".. ..", "xx...", quantity=3) == [6, 7, 8]


def test_nobody_sits_alone_who_need_not() -> None:
    assert picks("...x.", "x..x.", quantity=4) == [1, 2, 6, 7]
    assert picks(".x.x.", "xxxxx", quantity=2) == [0, 2]


def test_accessible_seats_are_for_those_who_ask() -> None:
    assert picks("a.", quantity=2) is None
    assert picks("..", quantity=1, accessible=True) is None
    assert picks("...ac.", quantity=2, accessible=True) == [3, 4]
    assert picks("..aa..", quantity=2, accessible=True) == [2, 3]
    assert picks("...a..", quantity=2, accessible=True) == [2, 3]


def test_a_restricted_view_is_a_last_resort() -> None:
    assert picks("vvv", "xxx", "...", quantity=2) == [6, 7]
    assert picks("vvv", "xxx", quantity=2) == [0, 1]


def test_a_section_that_is_named_is_kept_to() -> None:
    drawing = drawn(["..."], ["..."])
    assert choose(drawing.hall, drawing.statuses, 3) == [0, 1, 2]
    behind = UUID(int=1_000_001)
    assert choose(drawing.hall, drawing.statuses, 3, section_id=behind) == [3, 4, 5]
    assert choose(drawing.hall, drawing.statuses, 4, section_id=behind) is None


@pytest.mark.parametrize("seed", range(200))
def test_it_is_the_best_of_all_choices(seed: int) -> None:
    random = Random(seed)  # noqa: S311  # A drawing.
    drawing = small(random)
    search = Exhaustive(drawing)
    for quantity in range(1, 6):
        for section_id in (None, SECTION):
            for accessible in (False, True):
                assert choose(
                    drawing.hall,
                    drawing.statuses,
                    quantity,
                    section_id=section_id,
                    accessible=accessible,
                ) == search.best(quantity, section_id, accessible=accessible)


@given(drawing=HALLS, quantity=st.integers(1, 8), accessible=st.booleans())
def test_what_it_gives_may_be_given(drawing: Drawing, quantity: int, accessible: bool) -> None:  # noqa: FBT001  # Drawn.
    chosen = choose(drawing.hall, drawing.statuses, quantity, accessible=accessible)
    if chosen is None:
        return
    search = Exhaustive(drawing)
    assert len(chosen) == len(set(chosen)) == quantity
    assert chosen == sorted(chosen)
    assert all(drawing.statuses[number] == "A" for number in chosen)
    assert any(search.seat(number).accessible for number in chosen) == accessible


@given(drawing=HALLS, quantity=st.integers(1, 6))
def test_nobody_is_parted_or_refused_who_fits(drawing: Drawing, quantity: int) -> None:
    search = Exhaustive(drawing)
    groups = [
        search.groups(choice, ordinary=True)
        for choice in search.choices(quantity, None, accessible=False)
    ]
    chosen = choose(drawing.hall, drawing.statuses, quantity)
    assert (chosen is None) == (not groups)
    if chosen and min(map(len, groups)) == 1:
        assert len(search.groups(chosen, ordinary=True)) == 1
        orphans = [search.orphans(one[0]) for one in groups if len(one) == 1]
        assert bool(search.orphans(chosen)) == all(orphans)


@pytest.mark.parametrize("quantity", [EXACT, EXACT + 1, 40])
def test_a_coach_party_keeps_to_the_fewest_groups(quantity: int) -> None:
    rows = ["..........x..x.x"] * 6
    chosen = picks(*rows, quantity=quantity)
    assert chosen
    search = Exhaustive(drawn(rows))
    groups = search.groups(chosen, ordinary=True)
    assert len(chosen) == len(set(chosen)) == quantity
    assert len(groups) == -(-quantity // 10)
    assert min(map(len, groups)) > 1


def test_an_arena_is_searched_in_time() -> None:
    """Half sold at random, for 1 to 8 together; the best of three runs is for a busy machine."""
    random, hall = Random(1), arena()  # noqa: S311  # A drawing.
    for quantity in PARTIES:  # The first of a size puts the places in order, once.
        assert choose(hall, "A" * len(hall.seat_ids), quantity)
    assert min(_slowest_but_few(hall, random) for _ in range(3)) < 0.015


def _slowest_but_few(hall: Hall, random: Random) -> float:
    """Return the 95th percentile of the seconds that a search takes."""
    took = []
    for _ in range(9):
        statuses = "".join(random.choices("AS", k=len(hall.seat_ids)))
        for quantity in PARTIES:
            started = thread_time()
            assert choose(hall, statuses, quantity)
            took.append(thread_time() - started)
    return quantiles(took, n=20)[-1]


@pytest.mark.parametrize("free", [0.3, 0.1, 0.02])
def test_a_nearly_full_arena_is_searched_in_time(free: float) -> None:
    """Where parties are split; a second is far above what it takes."""
    random, hall = Random(2), arena()  # noqa: S311  # A drawing.
    statuses = "".join(random.choices("AS", weights=[free, 1 - free], k=len(hall.seat_ids)))
    started = thread_time()
    assert choose(hall, statuses, 8)
    assert thread_time() - started < 1
