"""Publishing with pipelined confirms.

One thread owns one connection; any thread hands it messages and gets a future for each, done when
the broker has the message on disk in every queue that it was routed to. Nothing waits for one
confirm before it sends the next message. The edge's event loop and the relay use the same class.

A future fails with `NotConfirmed` when the broker refused the message, could not route it, the
connection went away, is blocked by an alarm, or nothing was heard in time. The message may have
arrived all the same: whoever repeats it must use the same id. What cannot be written as AMQP is
`Unsendable`: nothing of it went out, and repeating it would change nothing.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import Future

import pika
from pika import spec
from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel
from pika.exceptions import AMQPChannelError, AMQPConnectionError

from bus import log, metrics
from bus.envelope import CONTENT_TYPE, Outgoing

PATIENT_SEC = 5.0
"""How long those wait for a confirm to whom no client listens: a slow disk is no failure."""
_MOST_WAITING = 20_000
_CHECK_SEC = 0.2


class NotConfirmed(Exception):  # noqa: N818  # What the message is.
    """The broker is not known to have the message."""


class Unsendable(NotConfirmed):
    """It cannot be written: the broker has nothing of it, and never will."""


class Publisher:
    """A connection that publishes, and the thread that drives it."""

    def __init__(self, amqp_url: str, *, name: str, timeout_sec: float = 1.5) -> None:
        """Prepare; nothing is connected before `start`.

        `timeout_sec` is the longest wait for a confirm, time without a connection included.
        """
        self._parameters = pika.URLParameters(amqp_url)
        self._parameters.heartbeat = 30
        self._parameters.socket_timeout = self._parameters.stack_timeout = 5
        self._parameters.client_properties = {"connection_name": f"{name} publisher"}
        self._timeout_sec = timeout_sec
        self._log = log.get("publisher")
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Outgoing, Future[None], float]] = deque()
        self._pending: OrderedDict[int, tuple[Outgoing, Future[None], float]] = OrderedDict()
        self._returned: set[str] = set()
        self._wake_requested = False
        self._connection: SelectConnection | None = None
        self._channel: Channel | None = None
        self._blocked = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether messages can go out at this moment."""
        return self._channel is not None and not self._blocked

    @property
    def alive(self) -> bool:
        """Whether the thread that does the work is there."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to connect, and go on trying for as long as the process lives."""
        self._thread.start()

    def publish(self, messages: Sequence[Outgoing]) -> list[Future[None]]:
        """Hand over messages, in order; return a future for each."""
        deadline = time.monotonic() + self._timeout_sec
        handed = [(message, Future[None](), deadline) for message in messages]
        with self._lock:
            full = len(self._waiting) + len(handed) > _MOST_WAITING
            if not full:
                self._waiting.extend(handed)
            wake = not (full or self._wake_requested)
            self._wake_requested = self._wake_requested or wake
        if full:
            for _, future, _ in handed:
                future.set_exception(NotConfirmed("too many messages are waiting"))
        elif wake:
            self._wake()
        return [future for _, future, _ in handed]

    def stop(self) -> None:
        """Close the connection; what is not confirmed by now fails."""
        self._stopping.set()
        self._wake()
        self._thread.join(timeout=5)

    # Everything below runs on the publisher's own thread, `_wake` apart.

    def _wake(self) -> None:
        connection = self._connection
        if connection is not None:
            connection.ioloop.add_callback_threadsafe(self._drain)

    def _run(self) -> None:
        pause = 0.1
        while not self._stopping.is_set():
            opened_at = time.monotonic()
            self._connect_and_serve()
            lived = time.monotonic() - opened_at
            pause = 0.1 if lived > 5 else min(pause * 2, 1.0)  # noqa: PLR2004  # It was a good one.
            until = time.monotonic() + pause
            while not self._stopping.is_set() and time.monotonic() < until:
                self._expire()
                self._stopping.wait(0.05)
        self._fail_all("the publisher was stopped")

    def _connect_and_serve(self) -> None:
        connection = SelectConnection(
            self._parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_gone,
            on_close_callback=self._on_gone,
        )
        self._connection = connection
        try:
            connection.ioloop.call_later(_CHECK_SEC, self._check)
            connection.ioloop.start()
        except Exception:  # noqa: BLE001  # The thread outlives whatever pika meets.
            self._log.exception("the publisher's connection failed")
        finally:
            self._connection = self._channel = None
            self._blocked = False
            self._fail_pending("the connection was lost")
            connection.ioloop.close()

    def _on_open(self, connection: SelectConnection) -> None:
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=lambda _: self._on_ready(channel))

    def _on_ready(self, channel: Channel) -> None:
        self._sent = 0
        self._channel = channel
        self._log.info("connected to the broker")
        self._drain()

    def _on_gone(self, connection: SelectConnection, reason: object) -> None:
        if not self._stopping.is_set():
            self._log.warning("no connection to the broker", reason=str(reason) or repr(reason))
        connection.ioloop.stop()

    def _on_channel_closed(self, channel: Channel, reason: Exception) -> None:
        self._channel = None
        if not self._stopping.is_set():
            self._log.error("the broker closed the publishing channel", reason=str(reason))
        if channel.connection.is_open:
            channel.connection.close()

    def _on_blocked(self, _: object, method: object) -> None:
        self._blocked = True
        self._log.warning("the broker blocks publishing", reason=str(method))

    def _on_unblocked(self, *_: object) -> None:
        self._blocked = False
        self._log.info("the broker takes messages again")
        self._drain()

    def _check(self) -> None:
        self._expire()
        connection = self._connection
        if connection is not None:
            connection.ioloop.call_later(_CHECK_SEC, self._check)

    def _drain(self) -> None:
        connection, channel = self._connection, self._channel
        if self._stopping.is_set() and connection is not None:
            if connection.is_open:
                connection.close()
            elif not connection.is_closing:
                connection.ioloop.stop()
            return
        with self._lock:
            self._wake_requested = False
            if channel is None or self._blocked:
                return
            batch, self._waiting = self._waiting, deque()
        while batch:
            handed = message, future, _ = batch.popleft()
            try:
                self._send(channel, message)
            except (AMQPChannelError, AMQPConnectionError) as error:
                # The channel is closing; its callback ends the rest.
                _fail(future, f"not sent: {error!r}")
            except Exception as error:  # noqa: BLE001  # pika has a different one for each kind of value.
                self._log.error("cannot be written", id=str(message.id), error=repr(error))
                _fail(future, f"cannot be written: {error!r}", Unsendable)
            else:  # pika writes all of a message or nothing; the broker numbers what it hears.
                self._sent += 1
                self._pending[self._sent] = handed

    def _send(self, channel: Channel, message: Outgoing) -> None:
        channel.basic_publish(
            message.exchange,
            message.routing_key,
            message.body,
            pika.BasicProperties(
                content_type=CONTENT_TYPE,
                delivery_mode=2,
                message_id=str(message.id),
                type=message.type,
                headers=message.headers,
            ),
            mandatory=True,
        )

    def _on_return(
        self, _: Channel, __: spec.Basic.Return, properties: pika.BasicProperties, ___: bytes
    ) -> None:
        self._returned.add(str(properties.message_id))

    def _on_confirm(self, frame: "pika.frame.Method[spec.Basic.Ack | spec.Basic.Nack]") -> None:
        method = frame.method
        acked = isinstance(method, spec.Basic.Ack)
        if not method.multiple:
            tags = [method.delivery_tag]
        else:
            tags = []
            for tag in self._pending:
                if tag > method.delivery_tag:
                    break
                tags.append(tag)
        for tag in tags:
            if entry := self._pending.pop(tag, None):
                asked_at = entry[2] - self._timeout_sec
                metrics.CONFIRM_SEC.observe(time.monotonic() - asked_at)
                self._settle(entry[0], entry[1], acked=acked)

    def _settle(self, message: Outgoing, future: "Future[None]", *, acked: bool) -> None:
        if str(message.id) in self._returned:
            self._returned.discard(str(message.id))
            self._log.error("no queue takes this message", type=message.type, id=str(message.id))
            _fail(future, f"nothing is bound to {message.routing_key}")
        elif not acked:
            _fail(future, "the broker refused the message")
        elif not future.done():
            future.set_result(None)

    def _expire(self) -> None:
        """Fail what has waited too long; a confirm that comes later finds nobody."""
        now = time.monotonic()
        with self._lock:
            late = []
            while self._waiting and self._waiting[0][2] < now:
                late.append(self._waiting.popleft())
        for _, future, _ in late:
            _fail(future, "the broker cannot be reached or is blocked")
        for _, future, deadline in list(self._pending.values()):
            if deadline >= now:
                break
            _fail(future, "no confirm in time")

    def _fail_pending(self, why: str) -> None:
        while self._pending:
            _, (_, future, _) = self._pending.popitem(last=False)
            _fail(future, why)
        self._returned.clear()

    def _fail_all(self, why: str) -> None:
        self._fail_pending(why)
        with self._lock:
            left, self._waiting = self._waiting, deque()
        for _, future, _ in left:
            _fail(future, why)


def _fail(future: "Future[None]", why: str, kind: type[NotConfirmed] = NotConfirmed) -> None:
    if not future.done():
        future.set_exception(kind(why))
