"""Which failures are the store's and which the message's."""

import psycopg
import pytest
import redis

from bus.stores.postgres import Postgres
from bus.stores.redis import Redis


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.errors.TooManyConnections(), True),
        (psycopg.errors.DiskFull(), True),
        (psycopg.errors.ReadOnlySqlTransaction(), True),
        (psycopg.errors.QueryCanceled(), False),
        (psycopg.errors.UniqueViolation(), False),
        (ValueError(), False),
    ],
)
def test_postgresql(error: Exception, *, away: bool) -> None:
    """A store that is away is waited for; a statement that takes too long is a fault."""
    assert Postgres().unavailable(error) is away


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (redis.ConnectionError(), True),
        (redis.BusyLoadingError(), True),
        (redis.ReadOnlyError(), True),
        (redis.ResponseError("MISCONF Redis is configured to save snapshots"), True),
        (redis.ResponseError("WRONGTYPE Operation against a key"), False),
    ],
)
def test_redis(error: Exception, *, away: bool) -> None:
    """A server that takes no writes at all is away, whatever it calls it."""
    assert Redis().unavailable(error) is away
