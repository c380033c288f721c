"""What users are told: numbered in the order of the commits, and announced."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from schemas.auth import RegisterUser, UserRegistered
from schemas.expiration import ClockTicked
from schemas.order import OrderCreated, OrderRestated
from schemas.payment import PaymentRequested
from tests.services.view.conftest import Views
from tests.unit.view.samples import NOW, SEALED, Sale, envelope
from workers.view import store
from workers.view.store import Notification

pytestmark = pytest.mark.stack


def told(views: Views, user: UUID) -> Sequence[tuple[int, str, UUID]]:
    """Return what a user was told, in order."""
    rows = sorted(views.rows("notifications", user_id=user), key=lambda row: int(row["number"]))
    return [(row["number"], row["kind"], row["about"]) for row in rows]


@pytest.fixture
def other(views: Views) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A second view process's connection."""
    info = views.db.info
    with psycopg.connect(
        info.dsn, password=info.password, autocommit=True, row_factory=dict_row
    ) as connection:
        yield connection


def test_a_user_is_told_of_each_change_of_an_order_and_of_the_end_of_a_write(views: Views) -> None:
    sale, operation_id = Sale(), uuid4()
    user, order_id = sale.user_id, sale.order_id
    views.ask(RegisterUser(email="a@b.example", password=SEALED), operation_id, user_id=user)
    created = envelope(sale.order(OrderCreated, 2, "AWAITING_PAYMENT"))
    views.hear(created)
    views.hear(created)
    views.hear(envelope(sale.order(OrderRestated, 3, "AWAITING_PAYMENT")))
    views.hear(
        envelope(sale.payment(PaymentRequested, 1)),
        envelope(UserRegistered(user_id=user, email="a@b.example"), operation_id),
    )
    assert told(views, user)[0] == (1, "order", order_id)
    assert {each[0] for each in told(views, user)} == {1, 2, 3}
    assert {each[1:] for each in told(views, user)[1:]} == {
        ("operation", operation_id),
        ("order", order_id),
    }


def test_who_has_seen_a_number_has_seen_every_lower_one(
    views: Views, other: psycopg.Connection[dict[str, Any]]
) -> None:
    """The second of two transactions waits for the first one's commit before it is numbered."""
    user, somebody = uuid4(), uuid4()
    first, second = uuid4(), uuid4()
    with ThreadPoolExecutor(1) as pool, views.db.transaction():
        store.notify(views.db, [Notification(user, "order", first)])
        waiting = pool.submit(store.notify, other, [Notification(user, "order", second)])
        with psycopg.connect(
            views.db.info.dsn, password=views.db.info.password, autocommit=True
        ) as db:
            blocked = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
            while not db.execute(blocked, (other.info.backend_pid,)).fetchone():
                assert not waiting.done()
            store.notify(db, [Notification(somebody, "order", first)])  # type: ignore[arg-type]
        assert told(views, somebody) == [(1, "order", first)]
    waiting.result(5)
    assert told(views, user) == [(1, "order", first), (2, "order", second)]


def test_whoever_follows_is_rung_for(
    views: Views, other: psycopg.Connection[dict[str, Any]]
) -> None:
    sale = Sale()
    other.execute("LISTEN news")
    event = sale.order(OrderCreated, 2, "AWAITING_PAYMENT")
    views.hear(envelope(event, sale.operation_id))
    (news,) = other.notifies(timeout=30, stop_after=1)
    assert set(news.payload.split()) == {str(sale.user_id), str(sale.operation_id)}


def test_ids_without_number_are_rung_in_parts(
    views: Views, other: psycopg.Connection[dict[str, Any]]
) -> None:
    other.execute("LISTEN news")
    ids = {uuid4() for _ in range(1000)}
    store.ring(views.db, ids)
    rung = [each.payload for each in other.notifies(timeout=30, stop_after=5)]
    assert {UUID(each) for payload in rung for each in payload.split()} == ids


def test_what_was_told_long_ago_is_forgotten_and_the_numbers_go_on(views: Views) -> None:
    sale = Sale()
    views.hear(envelope(sale.order(OrderCreated, 2, "AWAITING_PAYMENT")))
    views.db.execute("UPDATE notifications SET at = at - interval '13 hours'")
    views.hear(envelope(ClockTicked(clock="c", at=NOW)))
    assert told(views, sale.user_id) == []
    views.hear(envelope(sale.payment(PaymentRequested, 1)))
    assert told(views, sale.user_id) == [(2, "order", sale.order_id)]
