"""AMQP's tables, as pika reads them, made safe to read.

Headers may hold times that no datetime can. pika raises at one, which ends the connection that it
came by, again each time that it is delivered, and counts against all that came with it. Importing
this reads such a time as None instead: of foreign headers nothing is wanted anyway.
"""

from collections.abc import Callable
from typing import Any

import pika.data

_WIDTH = 1 + 8
"""A time's kind and its 64 bits."""
_strictly: Callable[[bytes, int], tuple[Any, int]] = pika.data.decode_value


def _value(encoded: bytes, offset: int) -> tuple[Any, int]:
    try:
        return _strictly(encoded, offset)
    except (OverflowError, ValueError, OSError):  # What datetime raises, depending on how far.
        if encoded[offset : offset + 1] != b"T":
            raise
        return None, offset + _WIDTH


pika.data.decode_value = _value  # Tables and lists in tables are read by this as well.
