"""Timers on their real store: armed once, fired when due, and not lost on the way."""

from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from bus.envelope import Outgoing, decode
from bus.publisher import NotConfirmed
from bus.stores.redis import Keys
from schemas.expiration import ArmHold, ArmTimer, ClockTicked, HoldFired, TimerFired
from schemas.order import OrderCancelled, OrderCompleted
from tests.driven import Driven, message_of, redis
from tests.unit.view.samples import Sale
from workers.expiration import timers
from workers.expiration.clock import Clock

Timing = Driven[Keys]
NOW = datetime(2020, 1, 1, 12, tzinfo=UTC)  # Before anything that other tests arm.


class Broker:
    """Confirms, or does not; the only thing here that is not real."""

    def __init__(self, *, confirms: bool = True) -> None:
        """Keep what was published."""
        self.confirms = confirms
        self.published: list[Outgoing] = []

    def publish(self, messages: list[Outgoing]) -> list[Future[None]]:
        """Take messages as the publisher does."""
        self.published.extend(messages)
        answers: list[Future[None]] = [Future() for _ in messages]
        for answer in answers:
            if self.confirms:
                answer.set_result(None)
            else:
                answer.set_exception(NotConfirmed("no"))
        return answers

    def fired(self, order_id: UUID) -> list[UUID]:
        """Return the message ids of an order's firings."""
        told = [decode(each.body) for each in self.published]
        return [
            each.id
            for each in told
            if isinstance(each.data, TimerFired) and each.data.order_id == order_id
        ]


def _clock(broker: Broker) -> Clock:
    return Clock(redis().client, broker)  # type: ignore[arg-type]  # It publishes alike.


def _arm(order_id: UUID, arm: int = 1, late: int = 0) -> ArmTimer:
    deadline = NOW + timedelta(seconds=late)
    return ArmTimer(order_id=order_id, reservation_id=uuid4(), deadline=deadline, arm=arm)


def _deadline(order_id: UUID) -> float | None:
    score: Any = redis().client.zscore(timers.TIMERS, timers.key_of(order_id))
    return None if score is None else float(score)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
def test_the_latest_arming_stays(timing: Timing, order: tuple[int, ...], *, together: bool) -> None:
    order_id = uuid4()
    armed = [message_of(_arm(order_id, arm, 10 * arm)) for arm in order]
    for batch in [armed] if together else [[each] for each in armed]:
        timing.hear(*batch)
    assert _deadline(order_id) == (NOW + timedelta(seconds=30)).timestamp()
    timing.told(Sale().order(OrderCancelled, 2, "CANCELLED", order_id=order_id))
    assert _deadline(order_id) is None


@pytest.mark.parametrize(
    ("event", "status"), [(OrderCompleted, "CONFIRMED"), (OrderCancelled, "EXPIRED")]
)
def test_an_order_that_has_its_end_has_no_timer(
    timing: Timing, event: Any, status: str  # noqa: ANN401  # A type.
) -> None:  # fmt: skip
    order_id = uuid4()
    ended = message_of(Sale().order(event, 3, status, order_id=order_id))
    timing.hear(message_of(_arm(order_id)), ended, ended)
    assert _deadline(order_id) is None
    timing.told(_arm(order_id, 2))
    assert _deadline(order_id) is not None, "it comes late, fires, and its owner ignores it"
    _clock(Broker()).fire(NOW + timedelta(seconds=1))


def test_a_clock_says_how_many_timers_it_has_fired(timing: Timing) -> None:
    order_id = uuid4()
    timing.told(_arm(order_id, late=10))
    clock = _clock(Broker())
    with capture_logs() as lines:
        clock.fire(NOW + timedelta(seconds=9))
        clock.fire(NOW + timedelta(seconds=11))
        clock.fire(NOW + timedelta(seconds=11))
    fired = [each for each in lines if each["event"] == "fired"]
    assert fired[-1]["timers"] >= 1
    assert all(each["timers"] for each in fired), "nothing is said where nothing was done"


def test_it_fires_when_it_is_due_and_not_before(timing: Timing) -> None:
    order_id, broker = uuid4(), Broker()
    timing.told(_arm(order_id, late=10))
    clock = _clock(broker)
    clock.fire(NOW + timedelta(seconds=9))
    assert broker.fired(order_id) == []
    clock.fire(NOW + timedelta(seconds=11))
    assert len(broker.fired(order_id)) == 1
    assert _deadline(order_id) is None
    clock.fire(NOW + timedelta(seconds=12))
    assert len(broker.fired(order_id)) == 1


def test_a_firing_that_was_not_confirmed_is_said_again_as_the_same_message(timing: Timing) -> None:
    order_id, deaf, good = uuid4(), Broker(confirms=False), Broker()
    timing.told(_arm(order_id))
    with pytest.raises(NotConfirmed):
        _clock(deaf).fire(NOW + timedelta(seconds=1))
    assert _deadline(order_id) is not None
    _clock(good).fire(NOW + timedelta(seconds=1))
    assert deaf.fired(order_id) == good.fired(order_id)


def test_an_arming_between_look_and_removal_is_kept(timing: Timing) -> None:
    order_id = uuid4()
    timing.told(_arm(order_id))
    due = timers.due(redis().client, NOW + timedelta(seconds=1), 500)
    (ours,) = [each for each in due if _is_of(each, order_id)]
    timing.told(_arm(order_id, 2, 60))
    timers.remove(redis().client, ours)
    assert _deadline(order_id) == (NOW + timedelta(seconds=60)).timestamp()
    timers.remove(redis().client, _due_later(order_id))


def _due_later(order_id: UUID) -> timers.Timer:
    due = timers.due(redis().client, NOW + timedelta(seconds=61), 500)
    return next(each for each in due if _is_of(each, order_id))


def _is_of(timer: timers.Timer, order_id: UUID) -> bool:
    return isinstance(timer.fired, TimerFired) and timer.fired.order_id == order_id


def test_a_hold_fires_for_its_plan_and_user_and_its_latest_arming_stays(timing: Timing) -> None:
    plan_id, user_id, other, broker = uuid4(), uuid4(), uuid4(), Broker()
    timing.hear(
        *(
            message_of(
                ArmHold(
                    plan_id=plan_id,
                    user_id=user,
                    deadline=NOW + timedelta(seconds=late),
                    arm=arm,
                )
            )
            for user, late, arm in [
                (user_id, 5, 7),
                (user_id, 20, 9),
                (user_id, 1, 8),
                (other, 3, 1),
            ]
        )
    )
    clock = _clock(broker)
    for late in (2, 6, 19):
        clock.fire(NOW + timedelta(seconds=late))
    told = [decode(each.body).data for each in broker.published]
    fired = [each for each in told if isinstance(each, HoldFired) and each.plan_id == plan_id]
    assert [each.user_id for each in fired] == [other]
    clock.fire(NOW + timedelta(seconds=21))
    last = decode(broker.published[-1].body).data
    assert last == HoldFired(
        plan_id=plan_id, user_id=user_id, deadline=NOW + timedelta(seconds=20), arm=9
    )


def test_two_clocks_say_one_tick() -> None:
    first, second = Broker(), Broker()
    for broker in (first, second):
        _clock(broker).tick(NOW)
    (one,), (other,) = first.published, second.published
    assert one.id == other.id
    assert isinstance(decode(one.body).data, ClockTicked)


def test_a_clock_ticks_once_in_ten_seconds() -> None:
    broker = Broker()
    clock = _clock(broker)
    for _ in range(3):
        clock.tick(NOW)
    assert len(broker.published) == 1
