"""Ids that rise: UUIDv7 (RFC 9562) with a place in line.

Ids that sort by their time keep index pages warm, and within one process they also sort in the
order in which they were made: within a millisecond, and when the clock goes back, each is the one
before it and a little more (section 6.2, method 2). Across processes only the millisecond counts,
and clocks differ: whoever needs an order there has the store number the rows.
"""

import os
import secrets
import threading
import time
from uuid import UUID

_RANDOM_BITS = 74
"""What version and variant leave beside the time: 12 bits before the variant, 62 after it."""
_STEP_BITS = 32


class _Line:
    """The ids of one process; its value is an id without version and variant."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest = 0

    def next(self) -> int:
        now_ms = time.time_ns() // 1_000_000
        with self._lock:
            if now_ms > self._latest >> _RANDOM_BITS:
                self._latest = now_ms << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
            else:  # A carry goes into the time: a millisecond early, and still in line.
                self._latest += 1 + secrets.randbits(_STEP_BITS)
            return self._latest


_line = _Line()


def _begin_anew() -> None:
    """A forked process has neither its parent's place, which it would repeat, nor its lock."""
    global _line  # noqa: PLW0603  # One line for each process.
    _line = _Line()


os.register_at_fork(after_in_child=_begin_anew)


def new_id() -> UUID:
    """Make an id above all that this process has made before; any thread may call."""
    value = _line.next()
    timed, tail = value >> 62, value & (1 << 62) - 1
    return UUID(int=(timed >> 12 << 16 | 0x7000 | timed & 0xFFF) << 64 | 0x2 << 62 | tail)
