"""Seats that a choice by hand leaves alone."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.venue.halls import Drawing, drawn, small
from tests.unit.venue.search import Exhaustive
from workers.venue.best_available import choose
from workers.venue.orphans import orphans

HALLS = st.integers(0, 1_000_000).map(lambda seed: small(Random(seed)))  # noqa: S311  # A drawing.


def left(*rows: str, picked: list[int]) -> list[int]:
    """Pick in a hall of one section."""
    drawing = drawn(rows)
    return orphans(drawing.hall, drawing.statuses, picked)


def test_seats_left_alone_are_named() -> None:
    assert left("......", picked=[1, 2]) == [0]
    assert left("......", picked=[1, 2, 4]) == [0, 3, 5]
    assert left(".....", ".....", picked=[1, 6]) == [0, 5]


def test_a_choice_that_leaves_none_is_free() -> None:
    assert left("......", picked=[0, 1]) == []
    assert left("......", picked=[2, 3]) == []
    assert left("......", picked=[]) == []


def test_a_seat_that_was_alone_before_is_no_orphan() -> None:
    assert left(".x....", picked=[2, 3]) == []
    assert left(".. ....", picked=[2, 3]) == []
    assert left(".a....", picked=[1]) == []


def test_an_accessible_seat_is_neither_an_orphan_nor_company() -> None:
    assert left("a.....", picked=[1, 2]) == []
    assert left("a.......", picked=[2, 3]) == [1]


def test_it_blocks_nobody_who_has_no_better_choice() -> None:
    assert left("...", picked=[0, 1]) == []
    assert left("...x...", picked=[0, 1]) == []
    assert left("...x..", picked=[0, 1]) == [2]


def test_friends_are_not_parted_to_avoid_an_orphan() -> None:
    assert left("...x.x.", picked=[0, 1]) == []
    assert left("...x.x.", picked=[0, 2]) == [1]


def test_another_section_is_no_better_choice() -> None:
    drawing = drawn(["..."], ["....."])
    assert orphans(drawing.hall, drawing.statuses, [0, 1]) == []


def test_seats_that_the_buyer_holds_already_count_as_free_before() -> None:
    drawing = drawn(["......"])
    assert orphans(drawing.hall, "AHAAAA", [1, 2]) == [0]
    assert orphans(drawing.hall, "HAAAAA", [0, 1]) == []
    assert orphans(drawing.hall, "AHAAAA", [2, 3]) == []


def test_seats_that_the_buyer_holds_besides_count_as_free_after_too() -> None:
    drawing = drawn(["......"])
    assert orphans(drawing.hall, "HHHAAA", [1, 2]) == []
    assert orphans(drawing.hall, "HHHAAA", [1, 2], own=[0, 1, 2]) == [0]
    assert orphans(drawing.hall, "HHHAAA", [0, 1], own=[0, 1, 2]) == []


@given(drawing=HALLS, quantity=st.integers(1, 4), held=st.integers(0, 3), data=st.data())
def test_what_a_buyer_holds_besides_is_judged_as_if_nobody_had_it(
    drawing: Drawing, quantity: int, held: int, data: st.DataObject
) -> None:
    free = [number for number, letter in enumerate(drawing.statuses) if letter == "A"]
    mixed = data.draw(st.permutations(free))
    picked, own = mixed[:quantity], mixed[: quantity + held]
    letters = "".join("H" if n in own else each for n, each in enumerate(drawing.statuses))
    found = orphans(drawing.hall, letters, picked, own)
    assert found == orphans(drawing.hall, drawing.statuses, picked)


@given(drawing=HALLS, quantity=st.integers(1, 4), data=st.data())
def test_it_blocks_what_leaves_an_orphan_if_there_is_better(
    drawing: Drawing, quantity: int, data: st.DataObject
) -> None:
    search = Exhaustive(drawing)
    choices = list(search.choices(quantity, None, accessible=False))
    if not choices:
        return
    picked = data.draw(st.sampled_from(choices))
    found = orphans(drawing.hall, drawing.statuses, picked)
    assert set(found) <= set(search.orphans(picked))
    if len({search.place(number)[0] for number in picked}) == 1:
        section = search.section_ids[search.place(picked[0])[0]]
        groups = len(search.groups(picked, ordinary=True))
        better = any(
            not search.orphans(choice) and len(search.groups(choice, ordinary=True)) <= groups
            for choice in search.choices(quantity, section, accessible=False)
        )
        assert found == (search.orphans(picked) if better else [])


@given(drawing=HALLS, quantity=st.integers(1, 6))
def test_what_best_available_gives_in_one_row_is_never_blocked_there(
    drawing: Drawing, quantity: int
) -> None:
    chosen = choose(drawing.hall, drawing.statuses, quantity)
    if chosen and len(Exhaustive(drawing).groups(chosen, ordinary=True)) == 1:
        assert orphans(drawing.hall, drawing.statuses, chosen) == []
