"""Many at once for the same seats: two threads of two processes each, as far as stores can tell."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import redis

from bus.envelope import Envelope, Outgoing, decode, encode
from bus.runner import Done, Incoming, Runner
from bus.service import Service
from bus.stores.postgres import Connection
from ops.local.stack import Stack
from schemas.message import Message
from schemas.ticket import TicketEdited
from schemas.venue import (
    FreeSeats,
    PlanCreated,
    PlanRefused,
    SeatsHeld,
    SeatsRefused,
    SeatsReserved,
)
from tests.driven import message_of, opened, postgres
from tests.services.venue.selling import Asking, Sold, Venues, stalls, ticket
from workers.venue.handlers import venue
from workers.venue.service import Stores

THREADS = 4


class Crowd:
    """Runners of two processes, and all that they said."""

    def __init__(self, *services: Service[Connection]) -> None:
        """Take services whose stores are open."""
        self.said: list[Envelope] = []
        self.runners = [Runner(service, self._keep) for service in services]

    def _keep(self, messages: Sequence[Outgoing]) -> None:
        self.said += [decode(each.body) for each in messages]

    def at_once(self, bags: Sequence[Sequence[Envelope]], size: int = 4) -> None:
        """Give each thread a bag of messages, to be handled in batches."""
        start = threading.Barrier(len(bags))

        def work(number: int) -> None:
            start.wait(10)
            waiting = [Incoming(encode(each)) for each in bags[number]]
            for cut in range(0, len(waiting), size):
                batch = waiting[cut : cut + size]
                runner = self.runners[number % len(self.runners)]
                assert runner.run(batch) == [Done()] * len(batch)

        with ThreadPoolExecutor(len(bags)) as pool:
            list(pool.map(work, range(len(bags))))


@pytest.fixture
def crowd(venues: Venues, stack: Stack) -> Iterator[Crowd]:
    """Two processes: each has a store and a claim of its own."""
    rival = Service[Connection]("venue", Stores())
    rival.handlers = venue.handlers
    with opened(rival, stack.environment()):
        yield Crowd(venues.service, rival)


def incoming(message: Message) -> Incoming:
    return Incoming(encode(message_of(message)))


def dealt(messages: Sequence[Envelope], threads: int = THREADS) -> list[Sequence[Envelope]]:
    return [messages[number::threads] for number in range(threads)]


def check_ledger(sold: Sold) -> None:
    """Compare every seat with what is said of it in the ledger."""
    odd = postgres("venue").db.execute(
        """
        SELECT s.seat_label, s.status, count(r.id) AS live FROM seats s
        LEFT JOIN seat_reservation_items i ON i.seat_id = s.id AND i.live
        LEFT JOIN seat_reservations r ON r.id = i.reservation_id AND r.status = s.status
        WHERE s.plan_id = %s GROUP BY s.id
        HAVING count(i) <> count(r.id)
            OR count(r.id) <> (s.status IN ('RESERVED', 'SOLD'))::int
        """,
        [sold.plan_id],
    )
    assert odd.fetchall() == []


def test_a_granted_hold_and_anothers_order_never_both_succeed(venues: Venues, crowd: Crowd) -> None:
    """Pairs for the same seat; the other half of the pairs meets the other way round."""
    sold = Sold(venues, sections=[stalls(5, 10)])
    winners: Counter[tuple[bool, bool]] = Counter()
    seats = range(50)
    for number in range(10):
        holders = {seat: uuid4() for seat in seats}
        orders = {seat: Asking(sold, seat) for seat in seats}
        holds = [message_of(sold.holding(s), user_id=holders[s]) for s in seats]
        wants = [message_of(orders[s].wanted()) for s in seats]
        crowd.said.clear()
        crowd.at_once([holds[::2], wants[::2], wants[1::2], holds[1::2]], size=1 + number % 4)
        held = {i for e in crowd.said if isinstance(e.data, SeatsHeld) for i in e.data.held}
        had = {
            i.seat_id for e in crowd.said if isinstance(e.data, SeatsReserved) for i in e.data.items
        }
        for seat in seats:
            winners[sold.seats[seat] in held, sold.seats[seat] in had] += 1
        check_ledger(sold)
        free = FreeSeats(plan_id=sold.plan_id)
        venues.hear(*(message_of(free, user_id=user) for user in holders.values()))
        venues.hear(*(message_of(order.cancelled(9)) for order in orders.values()))
        assert sold.statuses() == "A" * 50
    assert winners[True, True] == winners[False, False] == 0
    assert winners[True, False] + winners[False, True] == 500


@pytest.fixture
def other(stack: Stack) -> Iterator[psycopg.Connection]:
    """Somebody else at the venue's database."""
    with psycopg.connect(stack.environment()["FOYER_VENUE_DATABASE_URL"]) as other:
        yield other


def _until_one_is_made(other: psycopg.Connection) -> None:
    """Wait until a plan is half written, and would write its price tiers."""
    deadline = time.monotonic() + 10
    while not other.execute(
        "SELECT 1 FROM pg_locks WHERE relation = 'price_tiers'::regclass AND NOT granted"
    ).fetchone():
        assert time.monotonic() < deadline


def test_whoever_orders_does_not_wait_for_another_plan_of_the_ticket(
    venues: Venues, crowd: Crowd, other: psycopg.Connection
) -> None:
    """Reserving reads what a plan is made of, and waits for nobody who writes a new one."""
    sold = Sold(venues)
    other.execute("LOCK TABLE price_tiers IN SHARE MODE")
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(crowd.runners[0].run, [incoming(sold.wanted())])
        _until_one_is_made(other)
        quick = pool.submit(crowd.runners[1].run, [incoming(Asking(sold, 0).wanted())])
        try:
            quick.result(10)
            assert not slow.done()
        finally:
            other.rollback()
        slow.result(10)
    assert {type(each.data) for each in crowd.said} == {SeatsReserved, PlanCreated}


@pytest.mark.parametrize("change", [{"price": Decimal("22.00")}, {"status": "cancelled"}])
def test_a_ticket_that_changes_while_its_plan_is_made(
    venues: Venues, crowd: Crowd, other: psycopg.Connection, change: dict[str, Any]
) -> None:
    sold = Sold(venues, active=False)
    other.execute("LOCK TABLE price_tiers IN SHARE MODE")
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(crowd.runners[0].run, [incoming(sold.wanted())])
        _until_one_is_made(other)
        quick = pool.submit(
            crowd.runners[1].run, [incoming(ticket(sold, TicketEdited, 2, **change))]
        )
        try:
            quick.result(10)
        finally:
            other.rollback()
        slow.result(10)
    [answer] = [e.data for e in crowd.said if isinstance(e.data, PlanCreated | PlanRefused)]
    if isinstance(answer, PlanRefused):
        assert answer.code == "event_cancelled"
    else:
        assert answer.sections[0].rows[0].seats[0].price == Decimal("22.00")


@pytest.mark.parametrize("seed", [1, 2])
def test_a_crowd_for_a_few_seats_leaves_no_seat_in_two_orders(
    venues: Venues, crowd: Crowd, stack: Stack, seed: int
) -> None:
    """Everybody holds and orders groups of one to four of forty seats; Redis forgets meanwhile."""
    dice = random.Random(seed)  # noqa: S311  # Repeatable, not secret.
    sold = Sold(venues, sections=[stalls(4, 10)])
    buyers: list[tuple[UUID, list[int]]] = [
        (uuid4(), dice.sample(range(40), dice.randint(1, 4))) for _ in range(120)
    ]
    orders = [Asking(sold, *seats, user_id=user) for user, seats in buyers]
    messages = [message_of(sold.holding(*seats), user_id=user) for user, seats in buyers]
    messages += [message_of(order.wanted()) for order in orders]
    dice.shuffle(messages)
    admin = redis.Redis.from_url(stack.environment()["FOYER_ADMIN_REDIS_URL"])
    forget = threading.Timer(0.2, admin.flushall)
    forget.start()
    crowd.at_once(dealt(messages), size=5)
    forget.join()
    admin.close()
    answers = [
        e.data for e in crowd.said if isinstance(e.data, SeatsHeld | SeatsReserved | SeatsRefused)
    ]
    assert len(answers) == len(messages)
    had = Counter(i.seat_id for a in answers if isinstance(a, SeatsReserved) for i in a.items)
    assert had
    assert max(had.values()) == 1
    check_ledger(sold)


def test_rivals_for_the_last_seats_by_choice_all_get_some_while_there_are(
    venues: Venues, crowd: Crowd
) -> None:
    sold = Sold(venues, sections=[stalls(4, 8)])
    wants = [message_of(Asking(sold).wanted(quantity=2)) for _ in range(20)]
    crowd.at_once(dealt(wants), size=3)
    assert sum(isinstance(e.data, SeatsReserved) for e in crowd.said) == 16
    refused = [e.data for e in crowd.said if isinstance(e.data, SeatsRefused)]
    assert [each.code for each in refused] == ["sold_out"] * 4
    assert sold.statuses() == "R" * 32
    check_ledger(sold)


def test_a_buyers_limit_holds_everywhere_at_once(venues: Venues, crowd: Crowd) -> None:
    sold, user = Sold(venues, sections=[stalls(3, 10)]), uuid4()
    crowd.at_once(dealt([message_of(sold.holding(n), user_id=user) for n in range(30)]), size=2)
    assert sold.statuses().count("H") == 4


def test_messages_of_one_order_do_not_race(venues: Venues, crowd: Crowd) -> None:
    sold = Sold(venues, sections=[stalls(5, 10)])
    orders = [Asking(sold, n) for n in range(50)]
    ways: list[Callable[[Asking], Envelope]] = [
        lambda order: message_of(order.wanted(1)),
        lambda order: message_of(order.cancelled(2, "EXPIRED")),
        lambda order: message_of(order.wanted(3)),
        lambda order: message_of(order.release(4)),
    ]
    crowd.at_once([[way(order) for order in orders] for way in ways], size=7)
    assert sold.statuses() == "A" * 50
    check_ledger(sold)
