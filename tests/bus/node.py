"""What `bus.worker.run` puts together, inside the test's own process: tests can reach in."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import dramatiq.worker
from dramatiq.worker import Worker

from bus.broker import BatchConsumer, BusBroker
from bus.delivery import Desk
from bus.publisher import PATIENT_SEC, Publisher
from bus.relay import Relay
from bus.runner import Incoming, Runner
from bus.service import Service


class Node:
    """One service's consumers, worker threads, publisher and relay; its store is open."""

    def __init__(
        self, service: Service[Any], amqp_url: str, delays_sec: Sequence[float], batch: int = 64
    ) -> None:
        """Prepare; `start` begins to consume."""
        name = service.name
        self.batches: list[int] = []
        self.publisher = Publisher(amqp_url, name=f"{name} node", timeout_sec=PATIENT_SEC)
        self.relay = Relay(service.store, self.publisher)
        self.runner = Runner(service, self.relay.hand)
        self.broker = BusBroker(amqp_url, name=f"{name} node", batch=batch)
        self.stopping = threading.Event()
        for queue in service.queues:
            desk = Desk(
                name, f"{name}.{queue}", self.runner, self.publisher, delays_sec, self.stopping
            )
            self.broker.add_queue(name, queue, self._watched(desk))

    def _watched(self, desk: Desk) -> Any:  # noqa: ANN401  # A function of one batch.
        def handle(deliveries: list[Incoming]) -> None:
            self.batches.append(len(deliveries))
            desk.handle(deliveries)

        return handle

    @property
    def consumers(self) -> dict[str, BatchConsumer]:
        """The consumers that are connected at this moment, by queue."""
        running = ((each.queue_name, each.consumer) for each in self.worker.consumers.values())
        return {name: each for name, each in running if isinstance(each, BatchConsumer)}

    def start(self) -> None:
        """Consume."""
        dramatiq.worker.CONSUMER_RESTART_DELAY_SECS = 0.2
        self.publisher.start()
        self.relay.start()
        # As `bus.broker.start_worker` does, but quicker to stop.
        self.worker = Worker(
            self.broker, worker_threads=len(self.broker.queues), worker_timeout=100
        )
        self.worker.start()

    def stop(self) -> None:
        """Drain and end, as `bus.worker` does."""
        self.stopping.set()
        self.broker.draining = True
        self.worker.stop(timeout=10_000)
        self.relay.drain(20)
        self.publisher.stop()
        self.relay.stop()


@contextmanager
def relaying(service: Service[Any], amqp_url: str) -> Iterator[Relay]:
    """Run a relay alone: what another process of the service does while it consumes nothing."""
    publisher = Publisher(amqp_url, name=f"{service.name} relay", timeout_sec=PATIENT_SEC)
    relay = Relay(service.store, publisher)
    publisher.start()
    deadline = time.monotonic() + 5
    while not publisher.connected and time.monotonic() < deadline:
        time.sleep(0.01)
    relay.start()
    try:
        yield relay
    finally:
        relay.stop()
        publisher.stop()
