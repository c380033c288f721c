"""Many at once for one ticket: threads of one process, and two processes' worth of stores."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from bus.envelope import encode
from bus.runner import Done, Incoming, Runner
from bus.service import Service
from bus.stores.mongo import Documents, Mongo
from ops.local.stack import Stack
from tests.driven import Driven, message_of, opened
from tests.services.ticket.asking import Asking, counters, held_by, offer
from workers.ticket.handlers import ticket

Tickets = Driven[Documents]
THREADS, EACH = 4, 6


@pytest.fixture(scope="module")
def runners(tickets: Tickets, stack: Stack) -> Iterator[list[Runner[Documents]]]:
    """Two processes as far as the store can tell: each has a store and a claim of its own."""
    rival = Service[Documents]("ticket", Mongo())
    rival.handlers = ticket.handlers
    with opened(rival, stack.environment()):
        said: list[object] = []
        yield [Runner(tickets.service, said.extend), Runner(rival, said.extend)]


def _all_at_once(runners: list[Runner[Documents]], orders: list[Asking]) -> None:
    start = threading.Barrier(THREADS)

    def work(number: int) -> None:
        start.wait(10)
        mine = [Incoming(encode(message_of(each.hold()))) for each in orders[number::THREADS]]
        for cut in range(0, len(mine), 2):
            batch = mine[cut : cut + 2]
            assert runners[number % len(runners)].run(batch) == [Done()] * len(batch)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))


def test_a_quota_is_sold_to_the_last_and_no_further(
    tickets: Tickets, runners: list[Runner[Documents]]
) -> None:
    ticket_id = offer(tickets, quota=10)
    orders = [Asking(ticket_id, quantity=1) for _ in range(THREADS * EACH)]
    _all_at_once(runners, orders)
    assert counters(ticket_id) == (10, 0)
    assert sum(each.reservation() is not None for each in orders) == 10


def test_a_limit_holds_for_one_user_everywhere_at_once(
    tickets: Tickets, runners: list[Runner[Documents]]
) -> None:
    ticket_id, user = offer(tickets, quota=100, max_per_user=3), uuid4()
    orders = [Asking(ticket_id, user, quantity=1) for _ in range(THREADS * EACH)]
    _all_at_once(runners, orders)
    assert (counters(ticket_id), held_by(ticket_id, user)) == ((3, 0), 3)


def test_one_message_in_two_processes_is_handled_once(
    tickets: Tickets, runners: list[Runner[Documents]]
) -> None:
    asked = Asking(offer(tickets))
    body = Incoming(encode(message_of(asked.hold())))
    with ThreadPoolExecutor(THREADS) as pool:
        verdicts = pool.map(lambda n: runners[n % 2].run([body]), range(2 * THREADS))
    assert list(verdicts) == [[Done()]] * 2 * THREADS
    assert counters(asked.ticket_id) == (2, 0)
