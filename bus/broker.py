"""Dramatiq on our queues: its worker pool, actors and consumers, made safe and made to batch.

A queue has one actor. Its consumer gathers what is waiting into one Dramatiq message whose ack
acknowledges every delivery in it, and forms the next batch only when the last one is done: an
idle system hands over single messages at once, a busy one grows its batches by itself.

A message that has been given back several times may be what kills its process each time. Each
death also counts against all that was delivered with it; so what is under suspicion is handled
one by one, in any order, and the process's other queue may get ahead meanwhile: the innocent get
by. One that was given back more often than anything else that this process holds, and nearly as
often as its queue would allow, is deadly: it is given up before it is handled once more, and
announced, which the queue's own giving up (`x-delivery-limit`, the last resort) is not.

A consumer that hears nothing subscribes anew now and then: RabbitMQ 3.10 tells nobody when a
queue is deleted and made again at once, and what it then delivers never arrives.

What Dramatiq does as shipped, and why not here:

- It acknowledges by the number of a delivery, also on a connection that did not make it.
  Here a batch knows its consumer, and any other consumer leaves it alone.
- It takes the queue's name and options from the body. Here the body is only data.
- It keeps delayed messages in memory, retries by publishing them behind a swallowed exception,
  and acknowledges when that fails. Here it has no delayed queues and no retries of its own:
  `bus.delivery` settles every message before the ack, and what is not settled goes back.
- It declares queues. Here the migrate step does, and a process may not.
"""

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import dramatiq
import pika
import pika.exceptions
from dramatiq.brokers.rabbitmq import RabbitmqBroker, _RabbitmqConsumer, _RabbitmqMessage
from dramatiq.errors import ConnectionClosed
from dramatiq.worker import ConsumerThread, Worker
from pika.adapters.blocking_connection import BlockingChannel

from bus import log, tables  # noqa: F401  # Makes headers safe to read.
from bus.runner import Incoming
from bus.service import Queue
from bus.topology import DELIVERY_LIMIT

_RETURN_AFTER_SEC = 1.0
_SUSPECT = 3
"""From this many returns on, a message is handled alone."""
_DEADLY = DELIVERY_LIMIT - 1
"""From this many returns on, it is given up when nothing else was returned as often."""
_LEAD_SEC = 0.1
"""For each return, how long suspects wait at most for the other queue to get ahead."""
_SILENCE_SEC = 10.0
"""After which a consumer subscribes anew, in case that the queue has forgotten it."""
_PRIORITY: dict[Queue, int] = {"events": 0, "commands": 10, "long": 20}
"""Events finish sagas: they never wait behind new commands."""


class Batch(_RabbitmqMessage):
    """The deliveries that are handled together, and the consumer that they came through."""

    def __init__(
        self, owner: "BatchConsumer", queue: str, got: Sequence[Any], *, deadly: bool = False
    ) -> None:
        """Wrap pika's deliveries: (method, properties, body)."""
        deliveries = [
            Incoming(body=body, headers=dict(properties.headers or {}), deadly=deadly)
            for _, properties, body in got
        ]
        message: dramatiq.Message[None] = dramatiq.Message(
            queue_name=queue,  # Ours, never the body's.
            actor_name=queue,
            args=(deliveries,),
            kwargs={},
            options={},
        )
        redelivered, last = any(m.redelivered for m, _, _ in got), got[-1][0].delivery_tag
        super().__init__(redelivered, last, message)  # type: ignore[no-untyped-call]
        self.owner = owner
        self.several = len(got) > 1
        """Its deliveries are then all that its consumer holds up to the last one's number."""

    def stuff_exception(self, exception: BaseException) -> None:
        """Take note that handling raised: as shipped, that alone would still be acknowledged."""
        super().stuff_exception(exception)
        self.fail()


def _returned(delivery: Any) -> int:  # noqa: ANN401  # pika's.
    """How often the queue has had a delivery back; at first the count is anybody's word."""
    method, properties, _ = delivery
    count = (properties.headers or {}).get("x-delivery-count") if method.redelivered else 0
    return min(count, DELIVERY_LIMIT) if isinstance(count, int) else 0


class BatchConsumer(_RabbitmqConsumer):
    """Consumes one queue, a batch at a time."""

    broker: "BusBroker"
    channel: BlockingChannel
    connection: pika.BlockingConnection

    def __init__(self, broker: "BusBroker", queue_name: str, prefetch: int, timeout: int) -> None:
        """Connect and begin to consume; Dramatiq's one `prefetch` for all queues is not used."""
        del prefetch
        self._most = broker.most[queue_name]
        self._prefetch = 2 * self._most  # The next batch arrives while one is in work.
        super().__init__(broker, queue_name, self._prefetch, timeout)  # type: ignore[no-untyped-call]
        self._timeout_sec = timeout / 1000
        self._in_work: Batch | None = None
        self._suspects: list[Any] = []
        self._heard_at = time.monotonic()
        self._log = log.get("consumer")
        self._log.info("consuming", queue=queue_name)

    def __next__(self) -> Batch | None:
        """Return the next batch, or None when it is not time for one."""
        try:
            if self._in_work is not None or self.broker.draining:
                self.connection.process_data_events(time_limit=self._timeout_sec)
                return None
            return self._gather()
        except StopIteration:
            # The broker cancelled us, as it does when the queue is deleted.
            msg = f"{self.queue_name} cannot be consumed any more"
            raise ConnectionClosed(msg) from None  # type: ignore[no-untyped-call]
        except (AssertionError, pika.exceptions.AMQPError) as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]

    def _gather(self) -> Batch | None:
        got = [] if self._suspects else self._fresh()
        deadly = False
        if self._suspects:
            deadly = self._is_deadly(self._suspects[-1])
            got = [self._suspects.pop()]
        if not got:
            if time.monotonic() > self._heard_at + _SILENCE_SEC:
                self._subscribe_anew()
            return None
        self._heard_at = time.monotonic()
        self._in_work = Batch(self, self.queue_name, got, deadly=deadly)
        return self._in_work

    def _fresh(self) -> list[Any]:
        """Receive what is handled together; nothing when it turns out to be of suspects."""
        got = self._receive(self._most)
        counts = list(map(_returned, got))
        self.broker.returns[self.queue_name] = counts
        if (returned := max(counts, default=0)) >= _SUSPECT:
            self.connection.sleep(random.uniform(0, _LEAD_SEC * returned))  # noqa: S311  # No secret.
            if self.channel.get_waiting_message_count():  # A death counts against all that is held.
                more = self._receive(self._prefetch - len(got))
                counts.extend(map(_returned, more))
                got += more
            random.shuffle(got)
            self._suspects = got
        return [] if self._suspects else got

    def _is_deadly(self, suspect: Any) -> bool:  # noqa: ANN401  # pika's.
        """Whether it alone can be what ended the process each time: of equals, each is tried."""
        count = _returned(suspect)
        held = [each for queue in self.broker.returns.values() for each in queue]
        return count >= _DEADLY and [each for each in held if each >= count] == [count]

    def _receive(self, most: int) -> list[Any]:
        got: list[Any] = []
        while not got or (len(got) < most and self.channel.get_waiting_message_count()):
            delivery = next(self.iterator)
            if delivery[0] is None:  # Nothing came in time.
                break
            got.append(delivery)
        return got

    def _subscribe_anew(self) -> None:
        """Do so on a channel of its own: what the broker meant for the old one comes back."""
        self._heard_at = time.monotonic()
        self.channel.close()
        self.channel = self.connection.channel()
        self.channel.basic_qos(prefetch_count=self._prefetch)
        self.iterator = self.channel.consume(self.queue_name, inactivity_timeout=self._timeout_sec)

    def ack(self, batch: Batch) -> None:  # type: ignore[override]  # Only our own kind comes.
        """Acknowledge a whole batch; called on a worker's thread."""
        self._end(batch, lambda: self.channel.basic_ack(batch._tag, multiple=batch.several))  # noqa: SLF001  # Our own kind.

    def nack(self, batch: Batch) -> None:  # type: ignore[override]  # Only our own kind comes.
        """Give a batch that could not be settled back to its queue, after a pause."""

        def give_back() -> None:
            if self.channel.is_open:
                self.channel.basic_nack(batch._tag, multiple=batch.several, requeue=True)  # noqa: SLF001  # Our own kind.
            self._in_work = None

        self._end(
            batch, lambda: self.connection.call_later(_RETURN_AFTER_SEC, give_back), keep=True
        )

    def _end(self, batch: Batch, settle: Callable[[], object], *, keep: bool = False) -> None:
        if batch.owner is not self:
            self._log.warning("a batch outlived its connection", queue=self.queue_name)
            return

        def on_connection() -> None:
            if not keep:
                self._in_work = None
            if self.channel.is_open:
                settle()

        try:
            self.connection.add_callback_threadsafe(on_connection)
        except pika.exceptions.AMQPError as error:  # It is redelivered; the inbox knows it.
            self._log.warning("not acknowledged", queue=self.queue_name, error=repr(error))


class BusBroker(RabbitmqBroker):
    """Dramatiq's view of RabbitMQ, less everything that it would do on its own."""

    def __init__(self, amqp_url: str, *, name: str, batch: int) -> None:
        """`batch` is the most messages that are handled in one transaction."""
        super().__init__(url=amqp_url, middleware=[], confirm_delivery=True)
        parameters: Any = self.parameters
        parameters.heartbeat = 30
        parameters.blocked_connection_timeout = 10
        parameters.socket_timeout = parameters.stack_timeout = 5
        parameters.client_properties = {"connection_name": name}
        self.batch = batch
        self.most: dict[str, int] = {}
        """By queue: the most messages in a batch."""
        self.returns: dict[str, list[int]] = {}
        """By queue: how often each message of its consumer's last lot was given back before."""
        self.draining = False

    @property
    def consumer_class(self) -> type[BatchConsumer]:
        """Our consumer."""
        return BatchConsumer

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:
        """Take note of a queue; nothing is declared on the server, and nothing is delayed."""
        del ensure
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def enqueue(
        self,
        message: dramatiq.Message[Any],  # noqa: ARG002  # Dramatiq's signature.
        *,
        delay: int | None = None,  # noqa: ARG002
    ) -> NoReturn:
        """Refuse.

        Raises:
            TypeError: always; a handler emits, and the relay publishes.
        """
        msg = "nothing is enqueued through Dramatiq: emit a message instead"
        raise TypeError(msg)

    def add_queue(
        self, service: str, queue: Queue, handle: Callable[[list[Incoming]], None]
    ) -> None:
        """Have `handle` called with each batch of `<service>.<queue>`."""
        name = f"{service}.{queue}"
        # One by one: nobody waits for the locks of one while another of its batch is at work.
        self.most[name] = 1 if queue == "long" else self.batch
        self.returns[name] = []
        dramatiq.Actor(
            handle,
            broker=self,
            actor_name=name,
            queue_name=name,
            priority=_PRIORITY[queue],
            options={},
        )


def start_worker(broker: BusBroker, *, threads: int) -> Worker:
    """Start Dramatiq's worker on every queue of `broker`."""
    worker = Worker(broker, worker_threads=threads)
    worker.start()
    return worker


def threads_of(worker: Worker) -> list[Any]:
    """Return the worker's threads, so that somebody notices when one has died."""
    consumers: list[ConsumerThread] = list(worker.consumers.values())
    return [*worker.workers, *consumers]
