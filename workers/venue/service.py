"""The service and its two stores: PostgreSQL, which decides, and Redis, which makes "no" fast."""

import redis

from bus import settings
from bus.service import Service
from bus.stores.postgres import Connection, Postgres

_PATIENCE_SEC = 0.25
"""Redis is asked as a favour: whoever waits longer for it than for PostgreSQL gains nothing."""


class Stores(Postgres):
    """PostgreSQL as every service has it, and a client of Redis beside it."""

    redis: redis.Redis

    def open(self, service: str) -> None:
        """Read both addresses; neither is connected to before it is needed."""
        super().open(service)
        self.redis = redis.Redis.from_url(
            settings.read("FOYER_REDIS_URL", convert=settings.url("redis", "rediss")),
            socket_timeout=_PATIENCE_SEC,
            socket_connect_timeout=_PATIENCE_SEC,
        )

    def close(self) -> None:
        """Let go of both."""
        super().close()
        self.redis.close()


stores = Stores()
venue = Service[Connection]("venue", stores)
