"""A seat reservation's moves; what is given back of it is counted once."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from typing import get_args
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.venue.reservation import MOVES, Item, Reservation, ReservationStatus

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SEATS = [uuid4() for _ in range(3)]
STATUSES: tuple[ReservationStatus, ...] = get_args(ReservationStatus)


def seat_item(position: int, seat_id: UUID) -> Item:
    return Item(
        position=position,
        seat_id=seat_id,
        section_id=uuid4(),
        seat_label=f"S{position}",
        price=Decimal(10),
        quantity=1,
        seated=True,
    )


def places(position: int, quantity: int) -> Item:
    return Item(
        position=position,
        seat_id=None,
        section_id=uuid4(),
        seat_label="Floor",
        price=Decimal(10),
        quantity=quantity,
        seated=False,
    )


def reservation(status: ReservationStatus, *items: Item) -> Reservation:
    return Reservation(
        reservation_id=uuid4(),
        plan_id=uuid4(),
        ticket_id=uuid4(),
        order_id=uuid4(),
        order_version=1,
        user_id=uuid4(),
        section_id=None,
        quantity=sum(item.quantity for item in items),
        status=status,
        expires_at=NOW,
        items=items,
        created_at=NOW,
        updated_at=NOW,
    )


SEATED = [seat_item(n, seat_id) for n, seat_id in enumerate(SEATS)]


@pytest.mark.parametrize(("before", "after"), list(product(STATUSES, ["RELEASED", "EXPIRED"])))
def test_an_end_moves_as_the_table_says(
    before: ReservationStatus, after: ReservationStatus
) -> None:
    ended = reservation(before, *SEATED).ended(after, 5, NOW)
    allowed = after in MOVES[before]
    assert (ended.status, ended.order_version) == (after if allowed else before, 5)
    assert all(item.live is not allowed for item in ended.items)


def test_what_was_released_is_never_taken_again() -> None:
    assert MOVES["RELEASED"] == set()
    assert set(MOVES) == set(STATUSES)


def test_a_retake_has_the_same_at_the_same_prices() -> None:
    before = reservation("RESERVED", *SEATED)
    again = before.ended("EXPIRED", 2, NOW).retaken(3, NOW, NOW)
    assert (again.status, again.items) == ("RESERVED", list(before.items))


@given(
    steps=st.lists(st.tuples(st.sets(st.sampled_from(SEATS)), st.integers(0, 7)), max_size=6),
    sizes=st.lists(st.integers(1, 4), max_size=2),
)
def test_what_is_given_back_is_what_was_named_so_far(
    steps: list[tuple[set[UUID], int]], sizes: list[int]
) -> None:
    """However often it is said, and whatever was skipped."""
    areas = [places(3 + n, size) for n, size in enumerate(sizes)]
    kept = reservation("SOLD", *SEATED, *areas)
    named: set[UUID] = set()
    most = 0
    for version, (seats, quantity) in enumerate(steps, start=2):
        named |= seats
        most = max(most, quantity)
        kept = kept.given_back(named, most, version, NOW)
        assert {i.seat_id for i in kept.items if i.seated and not i.live} == named
        released = sum(item.released for item in kept.items if not item.seated)
        assert released == min(most, sum(sizes))
        assert (kept.status == "RELEASED") == (not any(item.live for item in kept.items))


def test_what_is_kept_stays_sold() -> None:
    kept = reservation("SOLD", *SEATED, places(3, 4)).keeping({SEATS[0]}, 1, 5, NOW)
    assert kept.status == "SOLD"
    assert [item.left for item in kept.items] == [1, 0, 0, 1]
    gone = reservation("SOLD", *SEATED).keeping(set(), 0, 5, NOW)
    assert gone.status == "RELEASED"
