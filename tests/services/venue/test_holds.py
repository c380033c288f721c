"""Holds: all or none, for a while, and right whatever becomes of Redis."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import redis

from ops.local.stack import Stack
from schemas.expiration import ArmHold, ClockTicked, HoldFired
from schemas.venue import (
    FreeSeats,
    HoldSeats,
    SeatsFreed,
    SeatsHeld,
    SeatsRefused,
    SeatsReserved,
)
from tests.bus.system import until
from tests.driven import Said, message_of, postgres
from tests.services.venue.selling import Asking, Sold, Venues, place, stalls
from workers.venue import floor
from workers.venue.holds import Claims, key_of
from workers.venue.service import stores

_WAITS = (
    "SELECT 1 FROM pg_stat_activity WHERE application_name = 'foyer venue'"
    " AND wait_event_type = 'Lock'"
)
_FREED = (
    "UPDATE seats SET status = 'AVAILABLE', held_by = NULL, held_until = NULL,"
    " hold_started_at = NULL, hold_generation = NULL, hold_party = NULL, armed_at = NULL,"
    " revision = revision + 1 WHERE id = %s"
)


@pytest.fixture
def sold(venues: Venues) -> Sold:
    """Ten seats in two rows, on sale; four for one buyer."""
    return Sold(venues)


@pytest.fixture
def admin(stack: Stack) -> Iterator[redis.Redis]:
    """Redis, with all rights."""
    with redis.Redis.from_url(stack.environment()["FOYER_ADMIN_REDIS_URL"]) as client:
        yield client


@pytest.fixture
def patient(stack: Stack, sold: Sold, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Redis is waited for, and nothing ill is thought of it."""
    del sold  # It has opened the stores.
    with redis.Redis.from_url(
        stack.environment()["FOYER_VENUE_REDIS_URL"], socket_timeout=10
    ) as client:
        monkeypatch.setattr(stores, "redis", client)
        monkeypatch.setattr(floor, "_claims", Claims())
        yield


def fire(sold: Sold, armed: ArmHold) -> Said:
    return sold.venues.told(HoldFired.of(armed))


def tick(sold: Sold) -> list[ArmHold]:
    said = sold.venues.told(ClockTicked(clock="clock", at=datetime.now(UTC)))
    armed = [each.data for each in said.envelopes if isinstance(each.data, ArmHold)]
    return [each for each in armed if each.plan_id == sold.plan_id]


def claimed(sold: Sold, seat: int) -> str | None:
    found = stores.redis.get(key_of(sold.plan_id, sold.seats[seat]))
    return found.decode() if isinstance(found, bytes) else None


def test_seats_are_held_all_or_none(sold: Sold) -> None:
    ada, bob = uuid4(), uuid4()
    said = sold.hold(ada, 1, 0)
    held, armed = said.one(SeatsHeld), said.one(ArmHold)
    assert held.held == [sold.seats[1], sold.seats[0]]
    assert {(each.status, each.revision) for each in held.seats} == {("HELD", 2)}
    assert armed.deadline == held.hold_expires_at + timedelta(seconds=5)
    refused = sold.hold(bob, 1, 2).one(SeatsRefused)
    assert (refused.code, refused.seat_ids) == ("seats_unavailable", [sold.seats[1]])
    assert sold.statuses() == "HHAAAAAAAA"
    assert sold.hold(bob, 2).types == ["venues.seats.held", "expirations.hold.arm"]


def test_a_message_that_comes_twice_holds_once(sold: Sold) -> None:
    hold = message_of(sold.holding(0), user_id=uuid4())
    assert sold.venues.hear(hold, hold).types == ["venues.seats.held", "expirations.hold.arm"]
    assert not sold.venues.hear(hold).types


def test_two_buyers_of_one_batch_do_not_both_get_a_seat(sold: Sold) -> None:
    said = sold.venues.hear(*(message_of(sold.holding(0, n), user_id=uuid4()) for n in (1, 2, 3)))
    assert said.types.count("venues.seats.held") == 1
    assert said.types.count("venues.seats.refused") == 2
    assert sold.statuses().count("H") == 2


@pytest.mark.parametrize(
    ("seats", "code"),
    [
        ([], "invalid_request"),
        ([0, 0], "invalid_request"),
        ([0, 1, 2, 3, 4], "limit_exceeded"),
    ],
)
def test_a_hold_that_makes_no_sense_is_refused(sold: Sold, seats: list[int], code: str) -> None:
    assert sold.hold(uuid4(), *seats).one(SeatsRefused).code == code
    assert sold.statuses() == "A" * 10


def test_only_seats_of_a_plan_on_sale_are_held(venues: Venues, sold: Sold) -> None:
    user = uuid4()
    foreign = HoldSeats(plan_id=sold.plan_id, seat_ids=[sold.seats[0], Sold(venues).seats[0]])
    assert venues.told(foreign, user_id=user).one(SeatsRefused).code == "not_found"
    unknown = HoldSeats(plan_id=uuid4(), seat_ids=[sold.seats[0]])
    assert venues.told(unknown, user_id=user).one(SeatsRefused).code == "not_found"
    assert venues.told(sold.holding(0)).one(SeatsRefused).code == "forbidden"
    draft = Sold(venues, active=False)
    assert draft.hold(user, 0).one(SeatsRefused).code == "not_on_sale"
    auto = Sold(venues, ticket_type="SEATED_AUTO", assignment_mode="auto")
    assert auto.hold(user, 0).one(SeatsRefused).code == "invalid_request"
    assert sold.statuses() == draft.statuses() == auto.statuses() == "A" * 10


def test_a_buyer_holds_no_more_than_an_order_may_have(sold: Sold) -> None:
    user = uuid4()
    sold.hold(user, 0, 1, 2)
    assert sold.hold(user, 3, 4).one(SeatsRefused).code == "limit_exceeded"
    sold.hold(user, 2, 3).one(SeatsHeld)
    together = [message_of(sold.holding(n), user_id=user) for n in (5, 6)]
    assert sold.venues.hear(*together).types == ["venues.seats.refused"] * 2
    assert sold.statuses() == "HHHHAAAAAA"


def test_a_hold_is_given_back_whole_or_in_part(sold: Sold) -> None:
    ada, bob = uuid4(), uuid4()
    sold.hold(ada, 0, 1, 2)
    sold.hold(bob, 3)
    assert len(sold.free(ada, 0, 3).one(SeatsFreed).seats) == 1  # The other is Bob's.
    assert len(sold.free(ada).one(SeatsFreed).seats) == 2
    assert sold.free(ada).one(SeatsFreed).seats == []
    foreign = FreeSeats(plan_id=sold.plan_id, seat_ids=[uuid4()])
    assert sold.venues.told(foreign, user_id=ada).one(SeatsRefused).code == "not_found"
    assert sold.statuses() == "AAAHAAAAAA"


# Time.


def test_holding_again_extends_up_to_three_times(sold: Sold) -> None:
    user = uuid4()
    sold.ttl(60)
    first = sold.hold(user, 0).one(SeatsHeld).hold_expires_at
    sold.later(50)
    second = sold.hold(user, 0).one(SeatsHeld).hold_expires_at
    assert timedelta(0) <= second - first < timedelta(seconds=10)
    for passed in (50, 50):
        sold.later(passed)
        last = sold.hold(user, 0).one(SeatsHeld).hold_expires_at
    assert last < datetime.now(UTC) + timedelta(seconds=31), "150 of 180 seconds have passed"
    sold.later(30)
    assert sold.hold(user, 0).one(SeatsRefused).code == "hold_expired"
    sold.later(5)
    sold.hold(user, 0).one(SeatsHeld)  # It is anybody's, and so a new hold.


def test_a_hold_that_lives_can_be_taken_again_although_holds_have_become_shorter(
    sold: Sold,
) -> None:
    user = uuid4()
    first = sold.hold(user, 0).one(SeatsHeld).hold_expires_at
    sold.later(200)
    sold.ttl(60)
    again = sold.hold(user, 0).one(SeatsHeld).hold_expires_at
    assert again == first - timedelta(seconds=200), "what was granted stays"


def test_nobody_else_gets_a_seat_before_the_grace_is_over(sold: Sold) -> None:
    ada, bob = uuid4(), uuid4()
    sold.ttl(60)
    sold.hold(ada, 0)
    sold.later(60)
    assert sold.hold(bob, 0).one(SeatsRefused).code == "seats_unavailable"
    sold.later(5)
    sold.hold(bob, 0).one(SeatsHeld)
    assert sold.hold(ada, 0).one(SeatsRefused).code == "seats_unavailable"


def test_a_timer_frees_what_is_overdue_and_only_that(sold: Sold) -> None:
    user = uuid4()
    sold.ttl(60)
    first = sold.hold(user, 0).one(ArmHold)
    early = fire(sold, first)
    assert (early.types, early.one(ArmHold).arm > first.arm) == (["expirations.hold.arm"], True)
    sold.later(66)
    second = sold.hold(user, 1).one(ArmHold)
    late = fire(sold, second)
    assert [each.seat_id for each in late.one(SeatsFreed).seats] == [sold.seats[0]]
    assert late.one(ArmHold).deadline > datetime.now(UTC) + timedelta(seconds=50)
    assert sold.statuses() == "AHAAAAAAAA"
    assert not fire(sold, first).types


def test_an_old_timer_does_not_free_a_renewed_hold(sold: Sold) -> None:
    user = uuid4()
    old = sold.hold(user, 0).one(ArmHold)
    new = sold.hold(user, 0).one(ArmHold)
    sold.later(700)
    assert not fire(sold, old).types
    assert sold.statuses()[0] == "H"
    fire(sold, new).one(SeatsFreed)
    assert not fire(sold, new).types


def test_a_timer_that_fires_for_what_was_bought_does_nothing(sold: Sold) -> None:
    user = uuid4()
    armed = sold.hold(user, 0).one(ArmHold)
    Asking(sold, 0, user_id=user).reserve()
    assert not fire(sold, armed).types
    assert sold.statuses()[0] == "R"


def test_the_clock_arms_again_what_is_due_or_overdue(sold: Sold) -> None:
    ada, bob = uuid4(), uuid4()
    sold.hold(ada, 0, 1)
    sold.hold(bob, 2)
    assert tick(sold) == []
    sold.later(570)
    armed = {each.user_id: each for each in tick(sold)}
    assert armed.keys() == {ada, bob}
    assert tick(sold) == [], "it was asked for just now"
    sold.later(60)
    overdue = {each.user_id: each for each in tick(sold)}
    assert overdue[ada].arm > armed[ada].arm
    assert len(fire(sold, overdue[ada]).one(SeatsFreed).seats) == 2
    assert len(fire(sold, overdue[bob]).one(SeatsFreed).seats) == 1
    assert sold.statuses() == "A" * 10


# Orphans.


def test_a_choice_that_leaves_a_single_seat_is_refused_where_the_organizer_minds(
    venues: Venues,
) -> None:
    sold = Sold(venues, prevent_orphans=True, sections=[stalls(1, 5)])
    user = uuid4()
    refused = sold.hold(user, 1, 2).one(SeatsRefused)
    assert (refused.code, "R1S1" in refused.detail) == ("orphan_seat", True)
    sold.hold(user, 0, 1).one(SeatsHeld)
    assert Asking(sold, 3).reserve().one(SeatsRefused).code == "orphan_seat"
    Asking(sold, 2).reserve().one(SeatsReserved)
    sold.hold(uuid4(), 3).one(SeatsHeld)  # There is no choice without an orphan.
    Asking(sold, 0, 1, user_id=user).reserve().one(SeatsReserved)  # It was promised.


def test_a_part_of_what_is_held_is_ordered_as_if_it_were_picked_alone(venues: Venues) -> None:
    sold = Sold(venues, prevent_orphans=True, sections=[stalls(1, 6)])
    user = uuid4()
    sold.hold(user, 0, 1, 2).one(SeatsHeld)
    refused = Asking(sold, 1, 2, user_id=user).reserve().one(SeatsRefused)
    assert (refused.code, "R1S1" in refused.detail) == ("orphan_seat", True)
    Asking(sold, 0, 1, user_id=user).reserve().one(SeatsReserved)
    assert sold.statuses() == "RRHAAA"


def test_what_is_left_of_a_hold_is_no_promise(venues: Venues) -> None:
    sold = Sold(venues, prevent_orphans=True, sections=[stalls(1, 6)])
    user = uuid4()
    sold.hold(user, 0, 1, 2).one(SeatsHeld)
    sold.free(user, 0).one(SeatsFreed)
    assert Asking(sold, 1, 2, user_id=user).reserve().one(SeatsRefused).code == "orphan_seat"
    sold.hold(user, 0).one(SeatsHeld)
    Asking(sold, 0, 1, 2, user_id=user).reserve().one(SeatsReserved)


def test_a_hold_that_was_granted_is_ordered_whatever_becomes_of_the_house(venues: Venues) -> None:
    sold = Sold(venues, prevent_orphans=True, sections=[stalls(2, 4)])
    rival, user = Asking(sold, 4, 5, 6, 7), uuid4()
    for order in (Asking(sold, 0), rival):
        order.reserve().one(SeatsReserved)
    sold.hold(user, 1).one(SeatsHeld)
    sold.hold(user, 2).one(SeatsHeld)  # It leaves one alone, and nothing else was left.
    rival.tell(rival.cancelled())
    Asking(sold, 1, 2, user_id=user).reserve().one(SeatsReserved)


def test_holding_again_what_is_ones_own_is_not_judged_anew(venues: Venues) -> None:
    sold = Sold(venues, prevent_orphans=True, sections=[stalls(2, 4)])
    rival, user = Asking(sold, 4, 5, 6, 7), uuid4()
    for order in (Asking(sold, 0), rival):
        order.reserve().one(SeatsReserved)
    sold.hold(user, 1, 2).one(SeatsHeld)
    rival.tell(rival.cancelled())
    sold.hold(user, 1, 2).one(SeatsHeld)
    sold.hold(user, 1).one(SeatsHeld)
    assert sold.hold(user, 1, 2, 4).one(SeatsRefused).code == "orphan_seat"
    Asking(sold, 1, 2, user_id=user).reserve().one(SeatsReserved)


def test_holding_again_makes_no_promise_of_what_is_left(venues: Venues) -> None:
    sold = Sold(venues, prevent_orphans=True, sections=[stalls(1, 6)])
    user = uuid4()
    sold.hold(user, 0, 1, 2).one(SeatsHeld)
    sold.free(user, 0).one(SeatsFreed)
    sold.hold(user, 1, 2).one(SeatsHeld)
    assert Asking(sold, 1, 2, user_id=user).reserve().one(SeatsRefused).code == "orphan_seat"


def test_a_single_seat_is_left_where_nobody_minds(venues: Venues) -> None:
    sold = Sold(venues, sections=[stalls(1, 5, seats=[place(1, 5, missing=True)])])
    sold.hold(uuid4(), 1, 2).one(SeatsHeld)


# Redis.


@pytest.mark.usefixtures("patient")
def test_redis_knows_of_a_hold_for_as_long_as_it_lasts(sold: Sold) -> None:
    user = uuid4()
    sold.hold(user, 0, 1)
    assert claimed(sold, 0) == str(user)
    left = stores.redis.pttl(key_of(sold.plan_id, sold.seats[0]))
    assert isinstance(left, int)
    assert 590_000 < left <= 600_000
    sold.free(user, 0)
    assert (claimed(sold, 0), claimed(sold, 1)) == (None, str(user))


@pytest.mark.usefixtures("patient")
def test_a_no_of_redis_is_not_believed_when_the_seat_is_free(sold: Sold) -> None:
    stores.redis.set(key_of(sold.plan_id, sold.seats[0]), str(uuid4()), ex=60)
    user = uuid4()
    sold.hold(user, 0).one(SeatsHeld)
    assert claimed(sold, 0) == str(user)


@pytest.mark.usefixtures("patient")
def test_a_taken_seat_is_refused_without_a_lock_when_redis_says_so(sold: Sold) -> None:
    sold.hold(uuid4(), 0)
    with postgres("venue").connect() as rival, rival.transaction():
        rival.execute("SELECT FROM seating_plans WHERE id = %s FOR UPDATE", [sold.plan_id])
        assert sold.hold(uuid4(), 0, 1).one(SeatsRefused).seat_ids == [sold.seats[0]]


@pytest.mark.usefixtures("patient")
def test_who_waits_for_a_plan_decides_on_what_is_so_afterwards(sold: Sold) -> None:
    """Beside a hold that has to wait, one that seemed hopeless before is looked at again."""
    ada, bob, cleo = uuid4(), uuid4(), uuid4()
    sold.hold(ada, 0)
    batch = [message_of(sold.holding(seat), user_id=user) for seat, user in ((0, bob), (1, cleo))]
    venue = postgres("venue")
    with venue.connect() as rival, venue.connect() as onlooker, ThreadPoolExecutor(1) as pool:
        with rival.transaction():
            rival.execute("SELECT FROM seating_plans WHERE id = %s FOR UPDATE", [sold.plan_id])
            answer = pool.submit(sold.venues.hear, *batch)
            until(lambda: onlooker.execute(_WAITS).fetchone())
            rival.execute(_FREED, [sold.seats[0]])
        said = answer.result(20)
    assert {each.user_id for each in said.envelopes if isinstance(each.data, SeatsHeld)} == {
        bob,
        cleo,
    }


def test_a_redis_that_lost_everything_makes_nothing_wrong(sold: Sold, admin: redis.Redis) -> None:
    ada, bob = uuid4(), uuid4()
    armed = sold.hold(ada, 0, 1).one(ArmHold)
    admin.flushall()
    assert sold.hold(bob, 1, 2).one(SeatsRefused).seat_ids == [sold.seats[1]]
    assert Asking(sold, 0, user_id=bob).reserve().one(SeatsRefused).code == "seats_unavailable"
    sold.hold(ada, 0, 1).one(SeatsHeld)
    sold.later(700)
    assert [each.user_id for each in tick(sold)] == [ada], "the timer is made anew"
    assert not fire(sold, armed).types
    sold.hold(bob, 0, 1).one(SeatsHeld)  # Whether it fires or not.


def test_without_redis_holds_are_right_and_go_on(
    sold: Sold, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = redis.Redis(port=9, socket_timeout=0.1, socket_connect_timeout=0.1)
    monkeypatch.setattr(stores, "redis", nowhere)
    monkeypatch.setattr(floor, "_claims", Claims())  # It is left alone for a while.
    ada, bob = uuid4(), uuid4()
    sold.hold(ada, 0, 1).one(SeatsHeld)
    assert sold.hold(bob, 1).one(SeatsRefused).code == "seats_unavailable"
    sold.free(ada, 1).one(SeatsFreed)
    sold.hold(bob, 1).one(SeatsHeld)


@pytest.mark.usefixtures("patient")
def test_a_seat_that_nobody_claims_in_redis_is_still_somebodys(sold: Sold) -> None:
    holder = uuid4()
    sold.hold(holder, 4)
    stores.redis.delete(key_of(sold.plan_id, sold.seats[4]))
    thief: UUID = uuid4()
    assert sold.hold(thief, 4).one(SeatsRefused).seat_ids == [sold.seats[4]]
    assert claimed(sold, 4) == str(thief), "a claim of five seconds, which decides nothing"
    sold.hold(holder, 4).one(SeatsHeld)
    assert claimed(sold, 4) == str(holder)
