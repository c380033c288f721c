"""What a process measures of itself, and how that is collected.

Each process keeps its numbers in memory and writes them to a file of its own every few seconds,
in Prometheus's text format; whoever is asked gives the files of all living processes together,
each number with the service and the process that it is of. No process needs a port, however many
of a type there are, and measuring costs a message no system call.

    FOYER_METRICS_DIR   where the files are; without it a process measures for itself alone
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from bus import log, settings

disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
HANDLED = Counter(
    "foyer_messages", "Messages by what became of them.", ["type", "outcome"], registry=REGISTRY
)
HANDLER_SEC = Histogram(
    "foyer_handler_seconds", "In the handler.", ["type"], buckets=_BUCKETS, registry=REGISTRY
)
CRITICAL_SEC = Histogram(
    "foyer_critical_seconds",
    "From when a message was said until it was handled and committed.",
    ["type"],
    buckets=_BUCKETS,
    registry=REGISTRY,
)
CONFIRM_SEC = Histogram(
    "foyer_confirm_seconds",
    "From handing a message over until the broker confirmed it.",
    buckets=_BUCKETS,
    registry=REGISTRY,
)
DEAD = Counter("foyer_dead_letters", "Given up.", ["queue", "code"], registry=REGISTRY)
PUT_OFF = Counter("foyer_put_off", "Waiting for another try.", ["queue", "code"], registry=REGISTRY)
OUTBOX = Gauge("foyer_outbox_waiting", "Committed, not confirmed yet.", registry=REGISTRY)
OUTBOX_LAG_SEC = Gauge(
    "foyer_outbox_lag_seconds", "Age of the oldest that is not confirmed.", registry=REGISTRY
)
THREADS = Gauge("foyer_threads", "Threads at work; one that dies ends it.", registry=REGISTRY)

_WRITE_SEC = 5.0
_DEAD_AFTER_SEC = 30.0


def directory() -> Path | None:
    """Return where the processes leave their files, if anywhere."""
    told: str = settings.read("FOYER_METRICS_DIR", "")
    return Path(told) if told else None


class File:
    """This process's file."""

    def __init__(self) -> None:
        """Write nothing yet."""
        where = directory()
        self._path = where and where / f"{_me()}.prom"
        self._next_write = 0.0
        self._writing = threading.Lock()

    def write_in_time(self) -> None:
        """Write, unless that was done a moment ago; a full disk stops no service."""
        with self._writing:
            if self._path is None or time.monotonic() < self._next_write:
                return
            self._next_write = time.monotonic() + _WRITE_SEC
            fresh = self._path.with_suffix(".new")
            with contextlib.suppress(OSError):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                fresh.write_bytes(generate_latest(REGISTRY))
                fresh.rename(self._path)

    def remove(self) -> None:
        """Leave for good: a process that is no more measures nothing."""
        with self._writing:  # Another thread may be at it.
            if self._path is not None:
                self._path.unlink(missing_ok=True)
                self._path = None


def text() -> bytes:
    """Return this process's numbers and those of all others of the system that live here."""
    me = _me()
    told = [(me, generate_latest(REGISTRY).decode())]
    where = directory()
    for path in sorted(where.glob("*.prom")) if where else ():
        if path.stem == me:
            continue
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime < _DEAD_AFTER_SEC:
                told.append((path.stem, path.read_text()))
            else:
                path.unlink()
    return generate_latest(_Together(told))


def _me() -> str:
    return f"{log.process()}@{socket.gethostname()}-{os.getpid()}"


class _Together(Collector):
    """The numbers of several processes, family by family."""

    def __init__(self, told: Iterable[tuple[str, str]]) -> None:
        self._told = told

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for name, numbers in self._told:
            service, _, process = name.partition("@")
            for each in text_string_to_metric_families(numbers):
                family = families.setdefault(
                    each.name, Metric(each.name, each.documentation, each.type)
                )
                for sample in each.samples:
                    labels = {**sample.labels, "service": service, "process": process}
                    family.add_sample(sample.name, labels, sample.value)
        yield from families.values()
