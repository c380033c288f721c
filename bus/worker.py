"""A service's process: consumers, worker threads, relay, and an orderly end.

One process is one supervised unit. It ends when it is told to (SIGTERM: no new batches, finish,
publish the outbox, exit) and when a thread of it has died, so that it is started again whole.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import dramatiq.worker

from bus import faults, log, metrics, settings
from bus.broker import BusBroker, start_worker, threads_of
from bus.delivery import Desk
from bus.publisher import PATIENT_SEC, Publisher
from bus.relay import Relay
from bus.runner import Runner
from bus.service import Service

_DRAIN_SEC = 20.0
_MOST_AT_ONCE = 1000
_PR_SET_PDEATHSIG = 1


def run(
    service: Service[Any],
    on_start: Callable[[], None] = lambda: None,
    *,
    long: bool = False,
) -> None:
    """Be a process of `service` until told to stop; `on_start` runs before it consumes.

    A `long` process consumes what takes long, one by one, and nothing else; the others leave that
    alone.
    """
    name = f"{service.name}-long" if long else service.name
    try:
        log.configure(name)
        amqp_url = settings.read("FOYER_AMQP_URL", convert=settings.url("amqp", "amqps"))
        batch = read_batch()
        delays = settings.retry_delays()
        faults.arm()
        service.store.open(service.name)
    except settings.SettingError as error:
        settings.give_up(error)
    stopping = threading.Event()
    end_with_parent(stopping)
    sys.setswitchinterval(0.001)  # Threads here mostly wait; let the one that is woken run soon.
    dramatiq.worker.CONSUMER_RESTART_DELAY_SECS = 0.5
    publisher = Publisher(amqp_url, name=f"{name} {os.getpid()}", timeout_sec=PATIENT_SEC)
    relay = Relay(service.store, publisher)
    runner = Runner(service, relay.hand)
    broker = BusBroker(amqp_url, name=f"{name} {os.getpid()}", batch=batch)
    queues = [each for each in service.queues if long == (each == "long")]
    for queue in queues:
        whole = f"{service.name}.{queue}"
        desk = Desk(service.name, whole, runner, publisher, delays, stopping)
        broker.add_queue(service.name, queue, desk.handle)
    publisher.start()
    relay.start()
    _when_reachable(on_start, service, stopping)
    # One for each queue; more would only wait for the interpreter and for each other.
    worker = start_worker(broker, threads=len(queues))
    log.get("process").info("started", pid=os.getpid())
    code = watch([*threads_of(worker), publisher, relay], stopping)
    _drain(broker, worker, relay)
    publisher.stop()
    relay.stop()
    service.store.close()
    log.get("process").info("stopped", code=code)
    os._exit(code)  # Dramatiq's and pika's threads are daemons; nothing is left to wait for.


def end_with_parent(stopping: threading.Event) -> None:
    """Stop on SIGTERM and SIGINT, and when whoever supervises this process is gone."""

    def stop(_: int, __: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def read_batch() -> int:
    """Return how many messages of a queue may share a transaction.

    Raises:
        SettingError: it is no such number.
    """
    batch: int = settings.read("FOYER_BATCH", 64, settings.whole(1, _MOST_AT_ONCE))
    return batch


def watch(threads: list[Any], stopping: threading.Event) -> int:
    """Wait for the end; return the exit code: 1 when one of the threads has died."""
    measured = metrics.File()
    while not stopping.wait(0.5):
        metrics.THREADS.set(sum(map(_lives, threads)))
        measured.write_in_time()
        dead = [each for each in threads if not _lives(each)]
        if dead:
            log.get("process").error("a thread has died", threads=[repr(each) for each in dead])
            stopping.set()
            measured.remove()
            return 1
    measured.remove()
    return 0


def _lives(each: Any) -> bool:  # noqa: ANN401  # A thread, or one of ours that has one.
    return bool(each.is_alive() if hasattr(each, "is_alive") else each.alive)


def _when_reachable(
    on_start: Callable[[], None], service: Service[Any], stopping: threading.Event
) -> None:
    while not stopping.is_set():
        try:
            on_start()
        except Exception as error:
            if not service.store.unavailable(error):
                raise
            log.get("process").warning("the store is away", error=repr(error))
            stopping.wait(0.5)
        else:
            return


def _drain(broker: BusBroker, worker: dramatiq.worker.Worker, relay: Relay) -> None:
    deadline = time.monotonic() + _DRAIN_SEC
    broker.draining = True
    worker.stop(timeout=int(_DRAIN_SEC * 1000))
    if not relay.drain(max(1.0, deadline - time.monotonic())):
        log.get("process").warning("the outbox is not empty; the next sweep will publish it")
