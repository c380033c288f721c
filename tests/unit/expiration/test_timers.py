"""A timer's name: the same for one arming, another for the next."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from schemas.expiration import TimerFired
from workers.expiration.timers import Timer, key_of

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def _id(order_id: UUID, deadline: datetime, arm: int) -> UUID:
    fired = TimerFired(order_id=order_id, deadline=deadline, arm=arm)
    return Timer(key_of(order_id).encode(), b"", fired).message_id


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=2, max_size=12))
def test_two_firings_are_one_message_exactly_when_they_are_of_one_arming(
    armed: list[tuple[int, int]],
) -> None:
    order_id = uuid4()
    ids = [_id(order_id, NOW + timedelta(seconds=late), arm) for late, arm in armed]
    assert len(set(ids)) == len(set(armed))


def test_orders_do_not_share_timers() -> None:
    assert _id(uuid4(), NOW, 1) != _id(uuid4(), NOW, 1)
