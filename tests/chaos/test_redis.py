"""Redis dies, and has what it had."""

import signal
import time
import uuid
from typing import cast

import pytest
import redis

from ops.local import servers
from ops.local.stack import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.slow]
DEADLINE_SEC = 30


def test_what_was_written_in_a_transaction_outlives_a_kill(whole: Stack) -> None:
    """Redis loads its log as the default user: without rights, it drops every transaction."""
    known = whole.environment()
    key = f"inbox:{uuid.uuid4()}"  # It may write no others.
    with redis.Redis.from_url(known["FOYER_EXPIRATION_REDIS_URL"]) as own:
        with own.pipeline(transaction=True) as writes:
            writes.set(key, "kept", ex=600)
            writes.zadd(f"{key}:timers", {"one": 1})
            writes.expire(f"{key}:timers", 600)
            writes.execute()
        with redis.Redis.from_url(known["FOYER_ADMIN_REDIS_URL"]) as admin:
            # What a busy disk has made it put off writing, it has only said that it has.
            while cast("dict[str, int]", admin.info("persistence"))["aof_buffer_length"]:
                time.sleep(0.05)
        pid = whole.kill("redis", how=signal.SIGKILL)
        server = servers.redis_server(whole.layout, known)
        deadline = time.monotonic() + DEADLINE_SEC
        while whole.pid("redis") in {0, pid} or not server.ready(known):
            assert time.monotonic() < deadline, "Redis did not come back"
            time.sleep(0.05)
        assert own.get(key) == b"kept"
        assert own.zcard(f"{key}:timers") == 1
