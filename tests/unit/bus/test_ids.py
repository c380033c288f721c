"""Ids: in line within a process, however fast and from however many threads."""

import multiprocessing
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from unittest.mock import patch
from uuid import RFC_4122, UUID

import pytest

from bus import ids
from bus.ids import new_id

_MANY = 5_000
_THREADS = 8


def _made(count: int = _MANY) -> list[UUID]:
    return [new_id() for _ in range(count)]


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns after every few instructions."""
    usual_sec = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual_sec)


@contextmanager
def _clock_at(ns: int) -> Iterator[None]:
    with patch.object(time, "time_ns", return_value=ns):
        yield


def test_an_id_is_of_version_7_and_says_when_it_was_made() -> None:
    """RFC 9562, section 5.7: the first 48 bits are milliseconds of the Unix epoch."""
    before_ms = time.time_ns() // 1_000_000
    made = new_id()
    assert (made.version, made.variant) == (7, RFC_4122)
    assert before_ms <= made.int >> 80 <= time.time_ns() // 1_000_000 + 1


def test_ids_rise_within_a_millisecond() -> None:
    """Thousands are made in a few milliseconds."""
    assert all(earlier < later for earlier, later in pairwise(_made()))


@pytest.mark.usefixtures("restless")
def test_ids_of_many_threads_rise_in_each_and_are_all_different() -> None:
    """The line is the process's, not the thread's."""
    with ThreadPoolExecutor(_THREADS) as pool:
        lists = list(pool.map(lambda _: _made(), range(_THREADS)))
    assert all(each == sorted(each) for each in lists)
    assert len(set().union(*lists)) == _MANY * _THREADS


def test_ids_rise_when_the_clock_goes_back() -> None:
    """What was made last year keeps its place before what is made now."""
    first = new_id()
    with _clock_at(time.time_ns() - 3_600 * 10**9):
        later = _made(10)
    assert [first, *later] == sorted([first, *later])


def test_a_forked_process_has_a_place_of_its_own() -> None:
    """Two that went on from one place would meet; and who held the lock is not there any more."""
    with (
        patch.object(ids, "_line", ids._Line()),
        warnings.catch_warnings(),
        _clock_at(time.time_ns() + 10**9),  # One millisecond for all.
    ):
        warnings.simplefilter("ignore", DeprecationWarning)  # Other tests have left threads here.
        ours = new_id()
        with ids._line._lock, multiprocessing.get_context("fork").Pool(1) as pool:
            theirs = pool.apply_async(new_id).get(timeout=10)
    assert ours.int >> 80 == theirs.int >> 80
    assert abs(ours.int - theirs.int) > _MANY << 40
