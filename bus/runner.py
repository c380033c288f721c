"""Running a batch of messages through a service's handlers, in one store transaction.

What can happen to a message, and what becomes of it:

    handled, refused, or handled before     Done
    NotYet, and 5 s have not passed         Later, at the first delay
    a fault, or a type nobody knows here    Later, at the next delay; Dead after the last
    malformed                               Dead
    its process died of it, each time       Dead, before it gets here: see `bus.broker`

A refusal is data and spoils nothing. A fault rolls the whole batch back, and its messages then
run singly, so that only the guilty one is held up. A store that cannot be reached is nobody's
fault: `StoreUnavailable` is raised, nothing is counted, and the batch is tried again as it is.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic

from bus import faults, log, metrics
from bus.envelope import Envelope, Malformed, Outgoing, UnknownType, decode, trace_id
from bus.service import DB, Handler, NotYet, Refused, Service, Transaction, Work
from bus.stores import Unit

_NOT_YET_FOR = timedelta(seconds=5)
_CONFLICT_SEC = 10.0
"""How long a batch tries again because of rivals; a dead one's locks may outlive it by seconds."""
_FAULT_TRIES = 3


class StoreUnavailable(Exception):  # noqa: N818  # What the store is.
    """The service's store cannot be reached; try the batch again."""


@dataclass(frozen=True)
class Incoming:
    """A delivered message, not yet read."""

    body: bytes
    headers: dict[str, Any] = field(default_factory=dict)
    since: datetime | None = None
    """When it was first put off, if it was."""
    deadly: bool = False
    """Whether it is to be given up unhandled, because it has ended its process so often."""


@dataclass(frozen=True)
class Done:
    """Handled, refused or a duplicate: nothing is left to do."""

    refused: str | None = field(default=None, compare=False)
    """The code, when it was refused: news for the log, not for the settling."""


@dataclass(frozen=True)
class Later:
    """To be tried again."""

    code: str
    error: BaseException
    counts: bool = True
    """Whether this uses up one of the delays; waiting for a fact does not."""


@dataclass(frozen=True)
class Dead:
    """Never to be tried again by itself."""

    code: str
    error: BaseException


Verdict = Done | Later | Dead
_DONE = Done()


@dataclass(frozen=True)
class _Readable(Generic[DB]):
    index: int
    incoming: Incoming
    envelope: Envelope
    handler: Handler[DB]


class Runner(Generic[DB]):
    """Runs one service's handlers on its store; any thread may call."""

    def __init__(
        self, service: Service[DB], on_commit: Callable[[Sequence[Outgoing]], None]
    ) -> None:
        """`on_commit` is given what was said, each time a transaction has committed."""
        self._service = service
        self._store = service.store
        self._on_commit = on_commit
        self._log = log.get("runner")
        service.runner = self

    def run(self, batch: Sequence[Incoming]) -> list[Verdict]:
        """Handle a batch; return a verdict for each message, in order.

        Raises:
            StoreUnavailable: nothing of this batch, or of what is left of it, was handled.
        """
        verdicts: list[Verdict] = [_DONE] * len(batch)
        readable = list(self._read(batch, verdicts))
        if not readable:
            return verdicts
        try:
            outcomes = self._transact(readable)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # Whatever a handler raised: find out whose fault it is.
            if len(readable) > 1:
                self._log.warning("a batch failed, its messages run singly", error=repr(error))
            outcomes = {each.index: self._singly(each) for each in readable}
        for index, verdict in outcomes.items():
            verdicts[index] = verdict
        return verdicts

    @contextmanager
    def transaction(self, *keys: object) -> Iterator[Transaction[DB]]:
        """Open a transaction of the service's own; see `Service.transaction`."""
        work = Work()
        with self._store.begin([], [self._key(key) for key in keys]) as unit:
            yield Transaction(unit.db, f"/{self._service.name}", work, None)
            said = work.finish()
            unit.put(said)
        work.has_committed()
        self._on_commit(said)

    def _read(self, batch: Sequence[Incoming], verdicts: list[Verdict]) -> Iterator[_Readable[DB]]:
        for index, incoming in enumerate(batch):
            try:
                envelope = decode(incoming.body)
                handler = self._handler(envelope.type)
            except Malformed as error:
                verdicts[index] = Dead("malformed", error)
            except UnknownType as error:  # Perhaps a newer version of us will know it soon.
                verdicts[index] = Later("unknown_type", error)
            else:
                yield _Readable(index, incoming, envelope, handler)

    def _handler(self, message_type: str) -> Handler[DB]:
        handler = self._service.handlers.get(message_type)
        if handler is None:
            msg = f"{self._service.name} does not handle {message_type}."
            raise UnknownType(msg)
        return handler

    def _transact(self, batch: Sequence[_Readable[DB]]) -> dict[int, Verdict]:
        """Handle messages in one transaction, again when it conflicts with another.

        Raises:
            StoreUnavailable: the store cannot be reached.
            Exception: what a handler raised; nothing was committed.
        """
        deadline, pause = time.monotonic() + _CONFLICT_SEC, 0.004
        while True:
            try:
                return self._once(batch)
            except Exception as error:
                if self._store.unavailable(error):
                    raise StoreUnavailable(repr(error)) from error
                if time.monotonic() > deadline or not self._store.conflicted(error):
                    raise
                pause = min(pause * 2, 0.25)
                time.sleep(random.uniform(0.5, 1.5) * pause)  # noqa: S311  # Jitter.

    def _once(self, batch: Sequence[_Readable[DB]]) -> dict[int, Verdict]:
        work = Work([each.envelope for each in batch])
        aggregates = {each.handler.key(each.envelope.data) for each in batch} - {None}
        keys = {self._key(aggregate) for aggregate in aggregates}
        ids = list(dict.fromkeys(each.envelope.id for each in batch))
        verdicts: dict[int, Verdict] = {}
        with self._store.begin(ids, keys) as unit:
            unseen = set(unit.unseen)
            for each in batch:
                if each.envelope.id in unseen:
                    unseen.discard(each.envelope.id)
                    verdicts[each.index] = self._handle(each, unit, work)
                else:
                    verdicts[each.index] = _DONE
            put_off = [e.envelope.id for e in batch if isinstance(verdicts[e.index], Later)]
            said = work.finish()
            if put_off:
                unit.forget(put_off)
            unit.put(said)
            faults.reach("before_commit")
        work.has_committed()
        faults.reach("before_publish")
        self._on_commit(said)
        for each in batch:
            self._tell(each, verdicts[each.index])
        return verdicts

    def _key(self, aggregate: object) -> str:
        return f"{self._service.name}:{aggregate}"

    def _handle(self, each: _Readable[DB], unit: Unit[DB], work: Work) -> Verdict:
        tx = Transaction(unit.db, f"/{self._service.name}", work, each.envelope)
        said_before, began = len(work.emitted), time.perf_counter()
        try:
            each.handler.function(each.envelope.data, tx)
        except Refused as refusal:
            del work.emitted[said_before:]
            if isinstance(refusal, NotYet) and not self._waited(each.incoming):
                return Later(refusal.code, refusal, counts=False)
            answer = each.envelope.data.refused(refusal.code, refusal.detail, **refusal.more)
            tx.emit(answer)
            return Done(refusal.code)
        finally:
            metrics.HANDLER_SEC.labels(each.envelope.type).observe(time.perf_counter() - began)
        return _DONE

    def _tell(self, each: _Readable[DB], verdict: Verdict) -> None:
        """Leave one line for each message that was handled; what was put off has its own."""
        if isinstance(verdict, Done):
            outcome = "handled" if verdict.refused is None else "refused"
            code = {"code": verdict.refused} if verdict.refused else {}
            self._log.info(outcome, **_named(each.envelope), **code)
            lasted = datetime.now(UTC) - each.envelope.time
            metrics.HANDLED.labels(each.envelope.type, outcome).inc()
            metrics.CRITICAL_SEC.labels(each.envelope.type).observe(lasted.total_seconds())

    def _waited(self, incoming: Incoming) -> bool:
        since = incoming.since
        return since is not None and datetime.now(UTC) - since >= _NOT_YET_FOR

    def _singly(self, each: _Readable[DB]) -> Verdict:
        """Handle one message alone, a few times at once; its last fault is its verdict."""
        for attempt in range(1, _FAULT_TRIES + 1):
            try:
                return self._transact([each])[each.index]
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001  # Whatever a handler raised.
                if attempt == _FAULT_TRIES:
                    self._log.exception("a handler failed", **_named(each.envelope))
                    return Later("fault", error)
                time.sleep(random.uniform(0.5, 1.5) * 0.01 * 4**attempt)  # noqa: S311  # Jitter.
        raise AssertionError


def _named(envelope: Envelope) -> dict[str, Any]:
    """Name a message in a log line: what it is, and what it belongs to."""
    return {
        "type": envelope.type,
        "message_id": envelope.id,
        "operation_id": envelope.operation_id,
        "trace_id": trace_id(envelope.traceparent),
    }
