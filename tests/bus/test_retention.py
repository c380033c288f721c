"""Old inbox and outbox rows go, a few at a time; what may still be asked for stays."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from bus import relay
from bus.envelope import Envelope, encode
from bus.runner import Incoming, Runner
from bus.service import Service
from bus.stores import mongo, redis
from bus.stores.postgres import Postgres
from tests.bus.node import relaying
from tests.bus.system import System, until

Order = Callable[..., Envelope]
_DAY_SEC = 24 * 3600
_INBOX_DAYS, _OUTBOX_DAYS = 30, 3
_TYPE = "tests.retention.row"


@pytest.fixture
def service(system: System) -> Iterator[Service[Any]]:
    made = system.service("postgres")
    yield made
    made.store.close()


@pytest.fixture
def postgres(system: System, service: Service[Any]) -> Iterator[Postgres]:
    """The service's store, with 25 old rows and 5 of each kind that must stay."""
    _handled(system, _INBOX_DAYS + 1, 25)
    _handled(system, _INBOX_DAYS - 1, 5)
    for days, published, rows in ((4, True, 25), (2, True, 5), (400, False, 5)):
        system.postgres.execute(
            "INSERT INTO outbox SELECT gen_random_uuid(), NULL, %(type)s, '{}',"
            " now() - make_interval(days => %(days)s),"
            " CASE WHEN %(published)s THEN now() - make_interval(days => %(days)s) END, 0"
            " FROM generate_series(1, %(rows)s)",
            {"type": _TYPE, "days": days, "published": published, "rows": rows},
        )
    yield service.store  # type: ignore[misc]  # It is.
    system.postgres.execute("DELETE FROM inbox WHERE consumer = %s", [_TYPE])
    system.postgres.execute("DELETE FROM outbox WHERE event_type = %s", [_TYPE])


def _handled(system: System, days: int, rows: int) -> None:
    """Write down messages that were handled so many days ago."""
    system.postgres.execute(
        "INSERT INTO inbox SELECT %s, gen_random_uuid(), now() - make_interval(days => %s)"
        " FROM generate_series(1, %s)",
        [_TYPE, days, rows],
    )


def _left(system: System) -> tuple[int, int, int]:
    """How many rows there are: handled, published, and not published."""
    row = system.postgres.execute(
        "SELECT (SELECT count(*) FROM inbox WHERE consumer = %(type)s) AS handled,"
        " count(published_at) AS published, count(*) - count(published_at) AS waiting"
        " FROM outbox WHERE event_type = %(type)s",
        {"type": _TYPE},
    ).fetchone()
    assert row
    return row["handled"], row["published"], row["waiting"]


def test_postgresql_removes_old_rows_in_small_steps(system: System, postgres: Postgres) -> None:
    """What is not published stays, however old it is."""
    assert _left(system) == (30, 30, 5)
    postgres.purge(10)
    assert _left(system) == (20, 20, 5)
    for _ in range(3):
        postgres.purge(10)
    assert _left(system) == (5, 5, 5)


def test_a_running_relay_removes_old_rows_again_and_again(
    system: System, service: Service[Any], postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else does: without it both tables would grow for good."""
    assert relay._PURGE_SEC <= 60
    monkeypatch.setattr(relay, "_PURGE_SEC", 1.0)
    system.postgres.execute(
        "DELETE FROM outbox WHERE event_type = %s AND published_at IS NULL", [_TYPE]
    )
    del postgres
    with relaying(service, system.amqp("postgres")):
        until(lambda: _left(system) == (5, 5, 0))
        _handled(system, _INBOX_DAYS + 1, 3)
        until(lambda: _left(system) == (5, 5, 0), within_sec=60)


def test_mongodb_removes_old_rows_by_itself(system: System) -> None:
    """By indexes on when it was handled and when it was published; unpublished, it has no age."""
    found = {
        name: {
            index["key"][0][0]: index["expireAfterSeconds"]
            for index in system.mongo[name].index_information().values()
            if "expireAfterSeconds" in index
        }
        for name in ("inbox", "outbox")
    }
    assert found == {
        "inbox": {"handled_at": _INBOX_DAYS * _DAY_SEC},
        "outbox": {"published_at": _OUTBOX_DAYS * _DAY_SEC},
    }
    assert mongo._KEEP_INBOX > mongo._KEEP_OUTBOX


def test_what_mongodb_is_to_remove_has_an_age(system: System, order: Order) -> None:
    """A TTL index passes over what is no date; what is not published must be passed over."""
    service = system.service("mongo")
    asked = order()
    Runner(service, lambda _: None).run([Incoming(encode(asked))])
    handled = system.mongo.inbox.find_one({"_id": f"mongo:{asked.id}"})
    (said,) = service.store.abandoned([], 10)
    waiting = system.mongo.outbox.find_one({"_id": str(said.id)})
    service.store.mark([said.id])
    published = system.mongo.outbox.find_one({"_id": str(said.id)})
    assert handled
    assert waiting
    assert published
    assert isinstance(handled["handled_at"], datetime)
    assert waiting["published_at"] is None
    assert isinstance(published["published_at"], datetime)
    service.store.close()


def test_redis_gives_inbox_rows_and_locks_a_lifetime(system: System, order: Order) -> None:
    """An outbox row has none: it goes when it is published."""
    service = system.service("redis")
    asked = order()
    Runner(service, lambda _: None).run([Incoming(encode(asked))])
    kept = system.redis.ttl(f"inbox:redis:{asked.id}")
    assert _INBOX_DAYS * _DAY_SEC - 60 < kept <= _INBOX_DAYS * _DAY_SEC
    assert 0 < system.redis.ttl(f"lock:redis:{asked.data.subject}") <= redis._KEEP_LOCK_SEC
    store = service.store
    outbox = f"outbox:{store.claim}"  # type: ignore[attr-defined]  # Its claim, as others see it.
    assert system.redis.ttl(outbox) == -1
    (waiting,) = store.abandoned([], 10)
    store.mark([waiting.id])
    assert not system.redis.exists(outbox)
    store.close()
