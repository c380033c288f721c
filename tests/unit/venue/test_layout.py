"""A plan's layout: every place once, named as the organizer says, kept through edits."""

from dataclasses import replace
from itertools import count
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.service import Refusal
from schemas.ticket import SeatSpec, SectionSpec
from workers.venue.layout import PlanSection, build, rebuilt

SIDE = st.integers(1, 6)
PLACE = st.tuples(SIDE, SIDE)


def made(rows: int, columns: int, *special: SeatSpec, name: str = "A") -> list[PlanSection]:
    numbers = count(1)
    spec = SectionSpec(
        name=name, type="seated", row_count=rows, column_count=columns, seats=list(special)
    )
    return build([spec], {}, ["gold"], lambda: UUID(int=next(numbers)))


@given(rows=SIDE, columns=SIDE, missing=st.sets(PLACE), gold=st.sets(PLACE))
def test_every_place_that_is_not_missing_has_one_seat(
    rows: int, columns: int, missing: set[tuple[int, int]], gold: set[tuple[int, int]]
) -> None:
    grid = {(row, column) for row in range(1, rows + 1) for column in range(1, columns + 1)}
    missing, gold = missing & grid, gold & grid
    special = [
        SeatSpec(row=r, column=c, missing=(r, c) in missing, price_tier="gold")
        for r, c in sorted(missing | gold)
    ]
    if missing == grid:
        with pytest.raises(Refusal) as refused:
            made(rows, columns, *special)
        assert refused.value.code == "plan_incomplete"
        return
    (section,) = made(rows, columns, *special)
    assert [(seat.row, seat.column) for seat in section.seats] == sorted(grid - missing)
    assert len({seat.seat_id for seat in section.seats}) == len(section.seats)
    assert {seat.label for seat in section.seats} == {f"R{r}S{c}" for r, c in grid - missing}
    assert {(s.row, s.column) for s in section.seats if s.tier == "gold"} == gold - missing


def test_a_plan_has_fifty_thousand_seats_however_many_places_are_missing() -> None:
    missing = [SeatSpec(row=row, column=1, missing=True) for row in range(1, 301)]
    (section,) = made(300, 167, *missing)
    assert len(section.seats) == 300 * 166
    for rows, columns, told in ((300, 168, "50000 seats"), (1000, 101, "100000 places")):
        with pytest.raises(Refusal, match=told):
            made(rows, columns, *missing)


@given(
    before=st.tuples(SIDE, SIDE),
    after=st.tuples(SIDE, SIDE),
    busy=st.sets(PLACE, max_size=3),
)
def test_an_edit_keeps_what_stays_and_never_loses_what_somebody_has(
    before: tuple[int, int], after: tuple[int, int], busy: set[tuple[int, int]]
) -> None:
    (old,) = made(*before)
    seats = [
        replace(seat, status="SOLD") if (seat.row, seat.column) in busy else seat
        for seat in old.seats
    ]
    old = replace(old, seats=seats)
    taken = {seat.seat_id: seat for seat in seats if seat.busy}
    wanted = [replace(each, seats=[replace(s, seat_id=UUID(int=900 + n)) for n, s in
              enumerate(each.seats)]) for each in made(*after)]  # fmt: skip
    lost = any(seat.row > after[0] or seat.column > after[1] for seat in taken.values())
    if lost:
        with pytest.raises(Refusal) as refused:
            rebuilt([old], wanted)
        assert refused.value.code == "seats_unavailable"
        return
    (new,) = rebuilt([old], wanted)
    kept = {(seat.row, seat.column): seat for seat in new.seats}
    assert new.section_id == old.section_id
    assert taken == {seat.seat_id: seat for seat in new.seats if seat.busy}
    for seat in seats:
        same = kept.get((seat.row, seat.column))
        assert same is None or same.seat_id == seat.seat_id


def test_a_section_is_the_same_by_its_name() -> None:
    (old,), (other,) = made(1, 1), made(1, 1, name="B")
    (new,) = rebuilt([old], [replace(other, section_id=UUID(int=50))])
    assert new.section_id == UUID(int=50)


def test_a_refused_edit_names_the_seats_that_are_in_its_way_but_not_a_whole_house() -> None:
    (old,) = made(30, 10)
    busy = [replace(seat, status="SOLD") for seat in old.seats]
    for wanted in (made(1, 1, name="B"), made(30, 10, SeatSpec(row=1, column=1, label="X"))):
        with pytest.raises(Refusal) as refused:
            rebuilt([replace(old, seats=busy)], wanted)
        named = refused.value.more["seat_ids"]
        expected = 200 if wanted[0].name == "B" else 1
        assert named == [seat.seat_id for seat in busy[:expected]]
