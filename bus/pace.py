"""Long work that leaves room for the short: done in parts, with rests between.

A low priority keeps our own process back, and no other. A store works for it as for everybody, so
what is asked of a store at once should be little, and what is asked of it in a second too.
"""

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

_REST_SEC = 0.015

Each = TypeVar("Each")


def in_parts(whole: Iterable[Each], size: int) -> Iterator[list[Each]]:
    """Cut something long into lists of `size` at most, and rest before each but the first.

    A part should take its store some milliseconds. Locks are held meanwhile, for 15 ms a part
    longer than they need be: only what nobody else waits for is written like this.
    """
    left = iter(whole)
    part = list(islice(left, size))
    while part:
        yield part
        if part := list(islice(left, size)):
            time.sleep(_REST_SEC)
