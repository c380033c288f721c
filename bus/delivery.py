"""Settling a batch: what must be true before it is acknowledged.

A message that is put off waits in a queue with a lifetime and comes back by itself, never in a
worker's memory. A message that is given up goes to its service's dead letters, whole, with the
reason in its headers, and is announced so that its operation ends. Both are published with
confirms first; when that fails the batch is not acknowledged, and comes again.
"""

import hashlib
import threading
import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson

from bus import faults, log, metrics
from bus.envelope import Outgoing, envelope_of, outgoing, trace_id
from bus.ids import new_id
from bus.publisher import Publisher, Unsendable
from bus.runner import Dead, Done, Incoming, Later, Runner, StoreUnavailable, Verdict
from bus.topology import DEAD, retry_exchange
from schemas.bus import MessageDead

ATTEMPT, SINCE = "x-foyer-attempt", "x-foyer-since"
_LONGEST_DETAIL = 1000
_LONGEST_NAME = 100
"""Bytes: AMQP has room for 255 in a message's type."""


class Unsettled(Exception):  # noqa: N818  # What became of a batch.
    """The batch must come again: something about it could not be published."""


class Deadly(Exception):  # noqa: N818  # What a message is.
    """Whoever handled the message did not live to say what became of it."""


class Desk:
    """Handles the batches of one queue and settles each message."""

    def __init__(  # noqa: PLR0913, PLR0917  # What it stands between.
        self,
        service: str,
        queue: str,
        runner: Runner[Any],
        publisher: Publisher,
        delays_sec: Sequence[float],
        stopping: threading.Event,
    ) -> None:
        """`queue` is the whole name; `delays_sec` are the waits before each further try."""
        self._service = service
        self._queue = queue
        self._runner = runner
        self._publisher = publisher
        self._delays = delays_sec
        self._stopping = stopping
        self._log = log.get("delivery")

    def handle(self, deliveries: list[Incoming]) -> None:
        """Handle a batch; returning means that it may be acknowledged.

        Raises:
            Unsettled: it must be delivered again.
        """
        batch = [replace(each, since=_since(each)) for each in deliveries]
        verdicts = [_DEADLY] if batch[0].deadly else self._run(batch)  # It comes alone.
        moves: list[Outgoing] = []
        for incoming, verdict in zip(batch, verdicts, strict=True):
            if not isinstance(verdict, Done):
                moves.extend(self._move(incoming, verdict))
        self._publish(moves)
        faults.reach("before_ack")

    def _publish(self, moves: Sequence[Outgoing]) -> None:
        """Publish, however long the broker takes nothing: a return would count as a delivery."""
        pause = 0.1
        while moves:
            handed = zip(moves, self._publisher.publish(moves), strict=True)
            left = {move.id: error for move, future in handed if (error := future.exception())}
            if not left:
                return
            self._log.warning("not settled yet", queue=self._queue, errors=list(left.values()))
            if self._stopping.wait(pause):
                msg = f"messages could be neither put off nor given up: {left}"
                raise Unsettled(msg)
            pause = min(pause * 2, 2.0)
            moves = [self._sendable(move, left[move.id]) for move in moves if move.id in left]

    def _sendable(self, move: Outgoing, error: BaseException) -> Outgoing:
        """What can never be written is given up without whatever it is that cannot."""
        if not isinstance(error, Unsendable):
            return move
        headers = {"x-foyer-queue": self._queue, "x-foyer-code": "unsendable"}
        return replace(move, type="", exchange=DEAD, routing_key=self._service, headers=headers)

    def _run(self, batch: Sequence[Incoming]) -> list[Verdict]:
        """Wait for the store, however long it is away: an outage is no message's fault."""
        pause = 0.1
        while True:
            try:
                return self._runner.run(batch)
            except StoreUnavailable as error:
                self._log.warning("the store is away", queue=self._queue, error=str(error))
                if self._stopping.wait(pause):
                    msg = "the store was away until the end"
                    raise Unsettled(msg) from error
                pause = min(pause * 2, 2.0)

    def _move(self, incoming: Incoming, verdict: Later | Dead) -> list[Outgoing]:
        attempt = min(_attempt(incoming), len(self._delays))
        if isinstance(verdict, Later):
            if not verdict.counts:
                return [self._put_off(incoming, verdict, self._delays[0], attempt)]
            if attempt < len(self._delays):
                return [self._put_off(incoming, verdict, self._delays[attempt], attempt + 1)]
        return self._give_up(incoming, verdict, attempt)

    def _put_off(
        self, incoming: Incoming, verdict: Later, delay_sec: float, attempt: int
    ) -> Outgoing:
        seen = _glance(incoming.body)
        metrics.PUT_OFF.labels(self._queue, verdict.code).inc()
        self._log.warning(
            "put off",
            **seen,
            queue=self._queue,
            code=verdict.code,
            error=repr(verdict.error),
            delay_sec=delay_sec,
            attempt=attempt,
        )
        since = incoming.since or datetime.now(UTC)
        return Outgoing(
            id=_id(seen),
            type=seen["type"],
            exchange=retry_exchange(delay_sec),
            routing_key=self._queue,
            body=incoming.body,
            headers={ATTEMPT: attempt, SINCE: since.isoformat()},
        )

    def _give_up(self, incoming: Incoming, verdict: Later | Dead, attempt: int) -> list[Outgoing]:
        seen = _glance(incoming.body)
        detail = _told(verdict.error)
        metrics.DEAD.labels(self._queue, verdict.code).inc()
        stack = "".join(traceback.format_tb(verdict.error.__traceback__))
        self._log.error(
            "dead-lettered", **seen, queue=self._queue, code=verdict.code, error=repr(verdict.error)
        )
        letter = Outgoing(
            id=_id(seen),
            type=seen["type"],
            exchange=DEAD,
            routing_key=self._service,
            body=incoming.body,
            headers={
                "x-foyer-queue": self._queue,
                "x-foyer-code": verdict.code,
                "x-foyer-error-type": type(verdict.error).__name__,
                "x-foyer-error": detail,
                "x-foyer-stack": stack[-4000:],
                "x-foyer-stack-hash": hashlib.sha256(stack.encode()).hexdigest()[:16],
                "x-foyer-tries": attempt + 1,
                "x-foyer-first-failed-at": (incoming.since or datetime.now(UTC)).isoformat(),
                "x-foyer-died-at": datetime.now(UTC).isoformat(),
            },
        )
        if seen["type"] == MessageDead.TYPE:  # A death that nobody could bear to hear is not told.
            return [letter]
        return [letter, self._announcement(seen, verdict.code, detail)]

    def _announcement(self, seen: dict[str, Any], code: str, detail: str) -> Outgoing:
        """The same death is the same message, however often it is told."""
        message = MessageDead(
            message_id=str(seen["message_id"]),
            message_type=seen["type"],
            queue=self._queue,
            code=code,
            detail=detail[:200],
        )
        name = f"dead:{self._queue}:{seen['message_id']}"
        return outgoing(
            envelope_of(
                message,
                source=f"/{self._service}",
                operation_id=seen["operation_id"],
                message_id=uuid5(NAMESPACE_URL, name),
            )
        )


_DEADLY: Verdict = Dead("deadly", Deadly("its process ended each time that it was in hand"))


def _attempt(incoming: Incoming) -> int:
    """Read how often it was put off; whoever may publish may also have written this.

    Of all headers that came with a message only this one and the next are taken over: AMQP's
    tables hold more than can be written again.
    """
    attempt = incoming.headers.get(ATTEMPT)
    return max(0, attempt) if isinstance(attempt, int) else 0


def _since(incoming: Incoming) -> datetime | None:
    """Read when it was first put off, with the same mistrust: no time to come is ever past."""
    try:
        since = datetime.fromisoformat(incoming.headers[SINCE])
        return since if since <= datetime.now(UTC) else None
    except (KeyError, ValueError, TypeError):  # A TypeError, too, when it has no offset.
        return None


def _glance(body: bytes) -> dict[str, Any]:
    """Read what can be read of a message that may be anything."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        document = {}
    return {
        "message_id": _name(document.get("id", "")),
        "type": _name(document.get("type", "")),
        "operation_id": _uuid(document.get("operationid")),
        "trace_id": trace_id(document.get("traceparent")),
    }


def _name(value: object) -> str:
    return str(value).encode()[:_LONGEST_NAME].decode(errors="ignore")


def _told(error: BaseException) -> str:
    """An error's text, in characters that every encoding of ours knows."""
    return str(error)[:_LONGEST_DETAIL].encode(errors="replace").decode()


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _id(seen: dict[str, Any]) -> UUID:
    return _uuid(seen["message_id"]) or new_id()
