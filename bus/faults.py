"""Fault points: where a test may have a process die.

`FOYER_FAULT=<point>` or `<point>:<n>` kills this process, as `kill -9` would, the first or n-th
time that it reaches the point. A point is a moment between two steps that cannot be one:

    before_commit   handlers have run, nothing is committed
    before_publish  committed, nothing is handed to the publisher
    before_mark     confirmed by the broker, not noted in the outbox
    before_ack      settled, not acknowledged
"""

import os
import signal
from typing import Literal, NamedTuple, get_args

from bus import settings

Point = Literal["before_commit", "before_publish", "before_mark", "before_ack"]


class Fault(NamedTuple):
    """Where to die, and at which time of coming by."""

    point: str
    at: int


class _Armed:
    fault: Fault | None = None
    reached = 0


def parse(text: str) -> Fault:
    """Read a setting such as `before_ack:3`.

    Raises:
        ValueError: it names no point.
    """
    point, _, at = text.partition(":")
    if point not in get_args(Point) or not (at or "1").isdecimal():
        msg = f"{text!r} is none of {', '.join(get_args(Point))}, with or without :<n>."
        raise ValueError(msg)
    return Fault(point, int(at or 1))


def arm() -> None:
    """Read the setting; without it no point does anything.

    Raises:
        SettingError: it names no point.
    """
    _Armed.fault = settings.read("FOYER_FAULT", None, parse)


def reach(point: Point) -> None:
    """Die here, when this is where and when."""
    fault = _Armed.fault
    if fault is None or fault.point != point:
        return
    _Armed.reached += 1
    if _Armed.reached == fault.at:
        os.kill(os.getpid(), signal.SIGKILL)
