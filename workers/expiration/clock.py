"""The clock's process: fires timers and ticks every ten seconds.

A timer is published and confirmed first and removed then: a clock that dies in between fires it
again, under the same message id. Several clocks may run; the ids of a tick and of a firing do
not depend on who says them.
"""

import os
import threading
import time
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

import redis

from bus import log, settings
from bus.envelope import envelope_of, outgoing
from bus.publisher import PATIENT_SEC, NotConfirmed, Publisher
from bus.stores.redis import Redis
from bus.worker import end_with_parent, watch
from schemas.expiration import ClockTicked
from workers.expiration import timers

TICK_SEC = 10
_LONGEST_WAIT_SEC = 0.25
_AT_ONCE = 500


class Clock:
    """Fires and ticks."""

    def __init__(self, client: redis.Redis, publisher: Publisher) -> None:
        """Watch the timers behind `client`."""
        self._client = client
        self._publisher = publisher
        self._log = log.get("clock")
        self._next_tick = 0.0

    def serve(self, stopping: threading.Event) -> None:
        """Watch until told to stop, whatever is away meanwhile."""
        while not stopping.is_set():
            try:
                self.tick(datetime.now(UTC))
                fired = self.fire(datetime.now(UTC))
            except (redis.RedisError, NotConfirmed) as error:
                self._log.warning("the clock stands still", error=repr(error))
                fired = 0
            if fired < _AT_ONCE:
                stopping.wait(_LONGEST_WAIT_SEC)

    def tick(self, now: datetime) -> None:
        """Say that ten seconds have passed, once for each ten seconds of the wall clock."""
        if time.monotonic() < self._next_tick:
            return
        slot = int(now.timestamp()) // TICK_SEC
        message = ClockTicked(clock="clock", at=datetime.fromtimestamp(slot * TICK_SEC, UTC))
        said = envelope_of(message, source="/expiration", message_id=tick_id(slot))
        self._publisher.publish([outgoing(said)])[0].result()
        self._next_tick = time.monotonic() + (slot + 1) * TICK_SEC - now.timestamp()

    def fire(self, now: datetime) -> int:
        """Fire what is due; return how many timers did."""
        due = timers.due(self._client, now, _AT_ONCE)
        said = [
            outgoing(envelope_of(each.fired, source="/expiration", message_id=each.message_id))
            for each in due
        ]
        for timer, future in zip(due, self._publisher.publish(said), strict=True):
            future.result()
            timers.remove(self._client, timer)
        if due:
            self._log.info("fired", timers=len(due))
        return len(due)


def tick_id(slot: int) -> UUID:
    """Return the id of the tick of one slot of the wall clock, whoever says it."""
    return uuid5(NAMESPACE_URL, f"tick:{slot}")


def main() -> None:
    """Be the clock's process until told to stop."""
    try:
        log.configure("clock")
        amqp_url = settings.read("FOYER_AMQP_URL", convert=settings.url("amqp", "amqps"))
        store = Redis()
        store.open("expiration")
    except settings.SettingError as error:
        settings.give_up(error)
    stopping = threading.Event()
    end_with_parent(stopping)
    publisher = Publisher(amqp_url, name=f"clock {os.getpid()}", timeout_sec=PATIENT_SEC)
    publisher.start()
    clock = Clock(store.client, publisher)
    server = threading.Thread(target=clock.serve, args=[stopping], name="clock", daemon=True)
    server.start()
    log.get("process").info("started", pid=os.getpid())
    code = watch([server, publisher], stopping)
    server.join(timeout=5)
    publisher.stop()
    os._exit(code)


if __name__ == "__main__":
    main()
