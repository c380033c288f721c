"""A seat's moves, its holds and their times."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args
from uuid import uuid4

import pytest

from bus.service import Refusal
from schemas.venue import SeatStatus
from workers.venue.seat import GRACE, MOVES, Area, Hold, Seat, promised

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
TTL = timedelta(seconds=100)
ADA, BOB = uuid4(), uuid4()
STATUSES: tuple[SeatStatus, ...] = get_args(SeatStatus)


def seat(status: SeatStatus = "AVAILABLE", hold: Hold | None = None) -> Seat:
    return Seat(
        seat_id=uuid4(),
        plan_id=uuid4(),
        section_id=uuid4(),
        label="R1S1",
        seat_tier=None,
        section_tier=None,
        status=status,
        hold=hold,
        revision=4,
    )


def held(until: float, started: float = 0, generation: int = 1, party: int | None = 1) -> Seat:
    hold = Hold(
        user_id=ADA,
        until=NOW + timedelta(seconds=until),
        started_at=NOW + timedelta(seconds=started),
        generation=generation,
        party=party,
    )
    return seat("HELD", hold)


@pytest.mark.parametrize(("before", "after"), list(product(STATUSES, STATUSES)))
def test_a_seat_moves_as_the_table_says(before: SeatStatus, after: SeatStatus) -> None:
    if after in MOVES[before]:
        moved = seat(before).moved(after)
        assert (moved.status, moved.revision, moved.hold) == (after, 5, None)
        return
    with pytest.raises(ValueError, match="cannot become"):
        seat(before).moved(after)


def test_every_status_has_its_moves_and_none_is_a_dead_end() -> None:
    assert set(MOVES) == set(STATUSES)
    assert all(MOVES.values())


@pytest.mark.parametrize(
    ("until", "adas", "anybodys"),
    [(1, True, False), (0, True, False), (-4.9, True, False), (-5, False, True)],
)
def test_a_hold_keeps_others_away_until_its_grace_is_over(
    until: float, *, adas: bool, anybodys: bool
) -> None:
    found = held(until)
    assert found.held_by(ADA, NOW) is adas
    assert found.free(NOW) is anybodys
    assert found.free_for(ADA, NOW)
    assert found.free_for(BOB, NOW) is anybodys
    assert not found.held_by(BOB, NOW)


@pytest.mark.parametrize("status", ["RESERVED", "SOLD", "BLOCKED"])
def test_what_somebody_has_is_nobody_elses(status: SeatStatus) -> None:
    assert not seat(status).free_for(ADA, NOW)


def test_a_first_hold_starts_now() -> None:
    hold = seat().held(ADA, NOW, TTL, generation=7, party=1).hold
    assert hold == Hold(user_id=ADA, until=NOW + TTL, started_at=NOW, generation=7, party=1)


def test_a_hold_that_is_taken_again_goes_on_from_its_start() -> None:
    hold = held(10, started=-90).held(ADA, NOW, TTL, generation=8, party=1).hold
    assert hold
    assert (hold.until, hold.started_at, hold.generation) == (
        NOW + TTL,
        NOW - timedelta(seconds=90),
        8,
    )
    last = held(10, started=-290).held(ADA, NOW, TTL, generation=8, party=1).hold
    assert last
    assert last.until == NOW + timedelta(seconds=10), "three times 100 s from the start"


def test_a_shorter_time_does_not_cut_a_hold_short() -> None:
    hold = held(90).held(ADA, NOW, timedelta(seconds=5), generation=8, party=1).hold
    assert hold
    assert hold.until == NOW + timedelta(seconds=90)
    hold = held(400, started=-200).held(ADA, NOW, timedelta(seconds=5), generation=8, party=1).hold
    assert hold
    assert hold.until == NOW + timedelta(seconds=400)


def test_nobody_holds_for_ever() -> None:
    with pytest.raises(Refusal) as refused:
        held(-1, started=-301).held(ADA, NOW, TTL, generation=8, party=1)
    assert refused.value.code == "hold_expired"


def test_a_hold_after_anothers_is_a_new_one() -> None:
    hold = (
        held(-GRACE.total_seconds(), started=-400).held(BOB, NOW, TTL, generation=9, party=1).hold
    )
    assert hold == Hold(user_id=BOB, until=NOW + TTL, started_at=NOW, generation=9, party=1)


def test_the_newest_hold_says_how_many_were_granted_together() -> None:
    first, second = held(10, generation=1, party=1), held(10, generation=2, party=2)
    assert promised([first], ADA, NOW)
    assert promised([second, first], ADA, NOW)
    assert not promised([second], ADA, NOW)
    assert not promised([first, second], BOB, NOW)
    assert not promised([first, seat()], ADA, NOW)
    assert not promised([first, held(-5, party=2)], ADA, NOW)
    assert promised([held(10, party=None)], ADA, NOW), "kept before parties were counted"


def test_an_area_counts() -> None:
    area = Area(
        section_id=uuid4(),
        plan_id=uuid4(),
        name="Floor",
        tier=None,
        capacity=10,
        reserved=3,
        sold=2,
        revision=1,
    )
    sold = area.moved(reserved=-3, sold=3)
    assert (area.left, sold.left, sold.reserved, sold.sold, sold.revision) == (5, 5, 0, 5, 2)
