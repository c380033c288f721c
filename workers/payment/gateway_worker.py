"""The gateway's process: makes the calls to Stripe that payment's handlers asked for.

A call is claimed in one transaction, made with none open, and its outcome is committed in a
second one, with the events that it causes. The claim is alive while this process holds its
session lock (see `bus.stores.postgres`), so that a call whose process died is soon made again by
another, under the same idempotency key. A call that gets no good answer is put off and
made again, without end: whatever else waits, it does not wait behind it.

Stripe may take seconds to answer. A call under way costs a thread with a small stack and one
connection to Stripe, and none to the store, so that hundreds may be; their outcomes are written by
a few threads that have one. Calls that nobody waits for are made at a pace, whatever their number,
so that they take neither the interpreter nor the threads from those that somebody waits for.
"""

import os
import random
import sys
import threading
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import psycopg
import structlog

from bus import log, settings
from bus.publisher import PATIENT_SEC, Publisher
from bus.relay import Relay
from bus.runner import Runner
from bus.sealing import Sealer
from bus.stores.postgres import Connection, Postgres
from bus.worker import end_with_parent, watch
from workers.payment import answers, calls, store
from workers.payment.calls import Call
from workers.payment.gateway import Gateway, Intent, Refused, Returned, TryAgain
from workers.payment.handlers import payment
from workers.payment.payment import Payment

if TYPE_CHECKING:
    from uuid import UUID

Answer = Intent | Returned | Refused | TryAgain | None

_LOOK_SEC = 1.0
_LONGEST_PAUSE_SEC = 30.0
_WRITERS = 4
_STACK_BYTES = 512 * 1024
_PATIENT_AT_ONCE, _PACE_SEC = 4, 0.05
"""80 a second, of a hundred that Stripe usually takes; a call costs this process some 5 ms."""


class Desk:
    """Claims calls, makes them on a pool of threads, and commits their outcomes."""

    def __init__(self, gateway: Gateway, sealer: Sealer, database: Postgres, threads: int) -> None:
        """`threads` is how many calls may be under way at once."""
        self._gateway = gateway
        self._sealer = sealer
        self._database = database
        self._threads = threads
        self._callers = ThreadPoolExecutor(threads, thread_name_prefix="gateway")
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="outcome")
        self._busy: set[UUID] = set()
        self._patient: set[UUID] = set()
        """Of the busy, those that nobody waits for: at most half of the threads."""
        self._claiming = threading.Lock()
        self._log = log.get("gateway")

    def serve(self, stopping: threading.Event) -> None:
        """Make calls until told to stop."""
        while not stopping.is_set():
            try:
                self._serve(stopping)
            except psycopg.Error as error:
                self._log.warning("the store is away", error=repr(error))
                stopping.wait(0.5)
        self._callers.shutdown(wait=True)
        self._writers.shutdown(wait=True)

    def _serve(self, stopping: threading.Event) -> None:
        with self._database.connect() as db:
            db.execute("LISTEN gateway")
            look_at = patient_at = 0.0
            while not stopping.is_set():
                now, alive, patient = time.monotonic(), None, 0
                if now >= look_at:
                    look_at, alive = now + _LOOK_SEC, self._database.alive(db)
                if now >= patient_at:
                    patient_at, patient = now + _PACE_SEC, _PATIENT_AT_ONCE
                more = self._claim(db, patient=patient, alive=alive)
                wait = (patient_at if more or not patient else look_at) - now
                for _ in db.notifies(timeout=wait, stop_after=1):
                    pass

    def _claim(
        self, db: Connection, *, patient: int = 0, alive: Collection[int] | None = None
    ) -> bool:
        """Take what there is room for; tell whether more may be waiting that has time."""
        with self._claiming:
            room = self._threads - len(self._busy)
            if room <= 0:
                return True
            patient = min(patient, max(self._threads // 2, 1) - len(self._patient))
            claimed = calls.claim_calls(
                db, self._database.claim, self._busy, room, patient=patient, alive=alive
            )
            unhurried = {call.id for call in claimed if not call.urgent}
            self._patient |= unhurried
            self._busy.update(call.id for call in claimed)
        try:
            paid = store.read(db, [call.payment_id for call in claimed]) if claimed else {}
        except psycopg.Error:
            for call in claimed:  # The next look takes them again.
                self._forget(call)
            raise
        for call in claimed:
            self._callers.submit(self._work, call, paid[call.payment_id])
        return len(unhurried) == patient

    def _work(self, call: Call, found: Payment) -> None:
        """Make a call, and have its outcome written; nothing here touches the store."""
        answer = self._ask(call, found)
        self._writers.submit(self._write, call, found, answer)

    def _write(self, call: Call, found: Payment, answer: Answer) -> None:
        with structlog.contextvars.bound_contextvars(**_named(call, found)):
            try:
                try:
                    self._keep(call, found, answer)
                except Exception as error:  # noqa: BLE001  # Whatever it was, the others go on.
                    self._log.exception("a call's outcome could not be kept", error=repr(error))
                    self._put_off(call, TryAgain(repr(error), same_key=True))
                self._done(call)
            except psycopg.Error as error:  # The next look makes it again, under the same key.
                self._log.warning("the store is away", error=repr(error))
            finally:
                self._forget(call)

    def _done(self, call: Call) -> None:
        """Take what waited for this call, or for a thread."""
        self._forget(call)
        self._claim(self._database.db)

    def _forget(self, call: Call) -> None:
        self._busy.discard(call.id)
        self._patient.discard(call.id)

    def make(self, call: Call) -> None:
        """Make a claimed call here and now, and write its outcome."""
        self._keep(call, *self.ask(call))

    def ask(self, call: Call) -> tuple[Payment, Answer]:
        """Make a claimed call here and now; whoever dies after it has written nothing down."""
        found = store.read(self._database.db, [call.payment_id])[call.payment_id]
        return found, self._ask(call, found)

    def _ask(self, call: Call, found: Payment) -> Answer:
        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(**_named(call, found)):
            answer = self._answer(call, found)
            took_ms = round((time.perf_counter() - began) * 1000)
            self._log.info("called", outcome=_outcome(answer), took_ms=took_ms)
        return answer

    def _answer(self, call: Call, found: Payment) -> Answer:
        try:
            return self._call(call, found)
        except (Refused, TryAgain) as answer:
            return answer
        except Exception as error:  # noqa: BLE001  # A fault of ours: the call goes on.
            self._log.exception("a call could not be made", error=repr(error))
            return TryAgain(repr(error), same_key=True)

    def _call(self, call: Call, found: Payment) -> Intent | Returned | None:
        """Make the call; None when there is nothing to call about."""
        key, intent_id = call.idempotency_key, found.stripe_payment_intent_id
        if call.kind == "create":
            return self._gateway.create(found, key, again=call.again)
        if intent_id is None:  # Its creation was refused: nothing was ever set aside.
            return None
        if call.refund_id:
            refund = found.refund(call.refund_id)
            if refund is None or refund.status != "PENDING":
                return None
            return self._gateway.refund(found, refund, key, again=call.again)
        moves = {"capture": self._gateway.capture, "cancel": self._gateway.cancel}
        if call.kind in moves:
            return moves[call.kind](intent_id, key)
        return self._gateway.retrieve(intent_id)

    def _keep(self, call: Call, asked: Payment, answer: Answer) -> None:
        """Write what became of a call, unless another process has made it meanwhile."""
        if isinstance(answer, TryAgain):
            self._put_off(call, answer)
            return
        with payment.transaction(asked.order_id) as tx:
            found = store.lock(tx.db, call.payment_id)
            refused = isinstance(answer, Refused)
            state: Literal["refused", "done"] = "refused" if refused else "done"
            if found is None or not calls.end(
                tx.db, call.id, self._database.claim, state, _told(answer)
            ):
                return
            if isinstance(answer, Refused):
                self._log.warning("Stripe refused", code=answer.code)
                answers.refused(call, found, answer.code, tx)
            else:
                answers.heard(call, found, answer, self._sealer, tx)

    def _put_off(self, call: Call, error: TryAgain) -> None:
        delay = min(_LONGEST_PAUSE_SEC, 0.5 * 2.0 ** min(call.attempts, 8))
        delay *= random.uniform(0.8, 1.2)  # noqa: S311  # Jitter.
        key = None if error.same_key else calls.next_key(call.idempotency_key)
        tell = self._log.error if error.for_operator else self._log.warning
        tell("Stripe gave no good answer", error=str(error), again_in_sec=delay)
        with payment.transaction() as tx:
            claim = self._database.claim
            calls.put_off(tx.db, call.id, claim, delay, str(error)[:500], key)


def _named(call: Call, about: Payment) -> dict[str, Any]:
    """Say what lines about a call have in common; a refund is of an operation of its own."""
    refund = about.refund(call.refund_id) if call.refund_id else None
    operation_id = (refund and refund.operation_id) or about.operation_id
    return {"payment_id": call.payment_id, "call": call.kind, "operation_id": operation_id}


def _outcome(answer: Answer) -> str:
    if isinstance(answer, Refused):
        return "refused"
    if isinstance(answer, TryAgain):
        return "put off"
    return "answered" if answer else "nothing to call about"


def _told(answer: Intent | Returned | Refused | None) -> dict[str, Any]:
    """Say what a call's row keeps of the answer."""
    if isinstance(answer, Refused):
        return {"code": answer.code}
    if isinstance(answer, Returned):
        return {"refund": answer.id, "status": answer.status}
    return {"state": answer.state if answer else None}


def read_threads() -> int:
    """Return how many calls may be under way at once.

    Raises:
        SettingError: it is no such number.
    """
    threads: int = settings.read("FOYER_GATEWAY_THREADS", 256, settings.whole(1, 1000))
    return threads


def main() -> None:
    """Be the gateway's process until told to stop."""
    try:
        log.configure("gateway")
        amqp_url = settings.read("FOYER_AMQP_URL", convert=settings.url("amqp", "amqps"))
        sealer = settings.read("FOYER_EDGE_SEAL_PUBLIC_KEY", convert=Sealer)
        threads = read_threads()
        gateway = Gateway()
        database = Postgres()
        payment.store = database
        database.open("payment")
    except settings.SettingError as error:
        settings.give_up(error)
    stopping = threading.Event()
    end_with_parent(stopping)
    sys.setswitchinterval(0.001)
    threading.stack_size(_STACK_BYTES)
    publisher = Publisher(amqp_url, name=f"gateway {os.getpid()}", timeout_sec=PATIENT_SEC)
    relay = Relay(database, publisher)
    Runner(payment, relay.hand)
    publisher.start()
    relay.start()
    desk = Desk(gateway, sealer, database, threads)
    server = threading.Thread(target=desk.serve, args=[stopping], name="gateway", daemon=True)
    server.start()
    log.get("process").info("started", pid=os.getpid())
    parts: list[Any] = [server, publisher, relay]
    code = watch(parts, stopping)
    server.join(timeout=20)
    relay.drain(5)
    publisher.stop()
    relay.stop()
    os._exit(code)


if __name__ == "__main__":
    main()
