"""The relay: from the outbox to the broker.

What a transaction said is handed over right after its commit and goes out without being read
back; the confirms are then noted in the outbox, many at a time. A sweep every 2 s finds what was
not handed over or not confirmed: rows of our own whose publish failed, and rows of processes that
died. Publishing twice is possible and harmless: the id is the same, and every inbox knows it.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future  # noqa: TC003  # Names a type; kept with the others.
from functools import partial
from typing import Any
from uuid import UUID

from bus import faults, log, metrics
from bus.envelope import Outgoing
from bus.publisher import Publisher
from bus.stores import Store

_SWEEP_SEC = 2.0
_GATHER_SEC = 0.1
"""How long confirms are gathered before they are noted; nothing waits for the note."""
_SWEEP_ROWS = 500
_PURGE_SEC = 10.0
_PURGE_ROWS = 2_000
_BY_TIME = 7
"""The version of UUIDs whose first 48 bits are a time in milliseconds."""


class Relay:
    """One process's relay and its thread."""

    def __init__(self, store: Store[Any], publisher: Publisher) -> None:
        """Prepare; `start` begins to sweep."""
        self._store = store
        self._publisher = publisher
        self._log = log.get("relay")
        self._lock = threading.Lock()
        self._in_flight: set[UUID] = set()
        self._next_purge = 0.0
        self._confirmed: list[UUID] = []
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread that does the work is there."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def hand(self, messages: Sequence[Outgoing]) -> None:
        """Publish what has just been committed."""
        if not messages:
            return
        with self._lock:
            self._in_flight.update(message.id for message in messages)
        for message, future in zip(messages, self._publisher.publish(messages), strict=True):
            future.add_done_callback(partial(self._settle, message.id))

    def drain(self, timeout_sec: float) -> bool:
        """Wait until all that was handed over is confirmed and noted; return whether it is."""
        deadline = time.monotonic() + timeout_sec
        while time.monotonic() < deadline:
            with self._lock:
                if not self._in_flight and not self._confirmed:
                    return True
            time.sleep(0.01)
        return False

    def stop(self) -> None:
        """End the sweep, noting what is known."""
        self._stopping.set()
        self._news.set()
        self._thread.join(timeout=5)

    def _settle(self, row: UUID, done: "Future[None]") -> None:
        with self._lock:
            self._in_flight.discard(row)
            if done.exception() is None:
                self._confirmed.append(row)
        self._news.set()

    def _run(self) -> None:
        next_sweep = 0.0
        while not self._stopping.is_set():
            try:
                if time.monotonic() >= next_sweep:
                    next_sweep = time.monotonic() + _SWEEP_SEC
                    self._measure()
                    self._sweep()
                if self._news.wait(max(0.0, next_sweep - time.monotonic())):
                    self._news.clear()
                    self._stopping.wait(_GATHER_SEC)
                    self._note()
            except Exception as error:  # noqa: BLE001  # The store is away: the rows wait, and so do we.
                level = self._log.warning if self._store.unavailable(error) else self._log.exception
                level("the outbox cannot be read or noted", error=repr(error))
                self._stopping.wait(0.5)
        self._note()

    def _measure(self) -> None:
        """Tell how much waits and for how long: the ids begin with when they were made."""
        with self._lock:
            waiting = [each.int >> 80 for each in self._in_flight if each.version == _BY_TIME]
            metrics.OUTBOX.set(len(self._in_flight))
        now_ms = time.time() * 1000
        metrics.OUTBOX_LAG_SEC.set(max(now_ms - min(waiting, default=now_ms), 0) / 1000)

    def _note(self) -> None:
        with self._lock:
            rows = self._confirmed[:]
        if rows:
            faults.reach("before_mark")
            self._store.mark(rows)
            with self._lock:
                del self._confirmed[: len(rows)]

    def _sweep(self) -> None:
        self._note()
        self._store.watch()
        with self._lock:
            in_flight = self._in_flight | set(self._confirmed)
        found = self._store.abandoned(in_flight, _SWEEP_ROWS)
        if found:
            self._log.info("messages left behind are published", count=len(found))
            self.hand(found)
        if time.monotonic() >= self._next_purge:
            self._next_purge = time.monotonic() + _PURGE_SEC
            self._store.purge(_PURGE_ROWS)
