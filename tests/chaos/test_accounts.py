"""Everything fails now and then, and every message is accounted for."""

import argparse
import random
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pika
import psycopg
import pytest

from bus.envelope import CONTENT_TYPE
from bus.stores.postgres import outbox_of
from ops import story
from ops.chaos.accounts import accounts
from ops.chaos.faults import Kind
from ops.chaos.soak import Soak, Soaked, soak
from ops.local.stack import Stack
from ops.stores import Stores
from schemas.order import OrderCreated
from tests.journeys.shop import DEADLINE_SEC, until

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(400)]

PATIENCE_SEC = 5.0
WAITING = 50
# The first two last too long for so short a run; `test_broker.py` has them. Redis that is killed
# while its disk is busy forgets its last moment, and what was handled then would be missed here.
SPARED: tuple[Kind, ...] = (
    "the broker killed",
    "all connections closed again and again",
    "Redis killed",
)


@pytest.fixture(scope="module")
def soaked(whole: Stack) -> Soaked:
    """A short one; what happens is left to chance."""
    seed = random.SystemRandom().randrange(2**31)
    plan = Soak(seed=seed, seconds=15, orders_per_sec=7, every_sec=2, spared=SPARED)
    return soak(whole, plan)


def test_every_message_is_accounted_for(soaked: Soaked) -> None:
    summary = soaked.summary()
    assert soaked.wrong == [], summary
    assert soaked.faults, summary
    assert soaked.verdict.authorised > 5, summary
    assert soaked.stayed_away == 0, summary
    handled = {each.queue: each.handled for each in soaked.accounts.queues}
    assert min(handled[f"{each}.commands"] for each in ("ticket", "order", "payment")) > 10
    assert handled["auth.long"] > 10
    assert min(handled[f"{each}.events"] for each in ("order", "payment", "expiration")) > 10
    assert handled["view.events"] > max(handled["order.events"], handled["payment.events"])


@contextmanager
def forgotten(whole: Stack) -> Iterator[str]:
    """Have the view forget one message that it has handled."""
    address = whole.environment()["FOYER_VIEW_DATABASE_URL"]
    one = "(SELECT message_id FROM inbox ORDER BY random() LIMIT 1)"
    with psycopg.connect(address, autocommit=True) as db:
        row = db.execute(
            f"DELETE FROM inbox WHERE message_id = {one} RETURNING consumer, message_id"  # noqa: S608  # Ours.
        ).fetchone()
        assert row
        try:
            yield str(row[1])
        finally:
            db.execute("INSERT INTO inbox (consumer, message_id) VALUES (%s, %s)", row)


@contextmanager
def something_waits(whole: Stack, stores: Stores) -> Iterator[None]:
    """Have messages wait for the view that it has handled before."""
    said_before = f"SELECT payload FROM {outbox_of('order')} WHERE event_type = %(type)s LIMIT 1"  # noqa: S608  # Ours.
    (row,) = stores.rows("order", said_before, {"type": OrderCreated.TYPE})
    properties = pika.BasicProperties(content_type=CONTENT_TYPE)
    channel = stores.channel()
    whole.stop("view")
    try:
        for _ in range(WAITING):
            channel.basic_publish("", "view.events", orjson.dumps(row["payload"]), properties)
        until(lambda: stores.waiting(channel, "view.events"), lambda n: n >= WAITING, DEADLINE_SEC)
        yield
    finally:
        whole.start("view")


@pytest.mark.usefixtures("soaked")
def test_what_waits_hides_nothing_that_is_lost(whole: Stack, stores: Stores) -> None:
    with something_waits(whole, stores), forgotten(whole) as message_id:
        made = accounts(stores, patience_sec=PATIENCE_SEC)
    (account,) = (each for each in made.queues if each.queue == "view.events")
    assert any(message_id in each for each in account.left)
    assert account.wrong
    assert f"of the {account.waiting} waiting" in account.wrong[0]


@pytest.mark.usefixtures("soaked")
def test_a_message_that_nobody_handled_is_missed(whole: Stack, stores: Stores) -> None:
    with forgotten(whole) as message_id:
        wrong = accounts(stores, patience_sec=PATIENCE_SEC).wrong
        assert len(wrong) == 1, wrong
        assert "view.events: 1 of" in wrong[0]
        assert message_id in wrong[0]
    assert accounts(stores).wrong == []


def test_what_an_operator_asks_for_is_not_taken_for_the_clocks(
    whole: Stack, soaked: Soaked, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in nobody's list, as a fired timer, and none of those who hear of timers miss it."""
    monkeypatch.setenv("FOYER_PORT_BASE", str(whole.layout.base))
    given_back = [each.order_id for each in soaked.crowd.purchases if each.plan == "cancel"]
    order_id = next(each for each in given_back if each)  # Some were refused.
    before = accounts(stores).unknown
    assert story.run(argparse.Namespace(id=order_id, action="release", json=False)) == 0
    made = until(
        lambda: accounts(stores), lambda made: made.wrong or made.unknown > before, DEADLINE_SEC
    )
    assert made.wrong == []
