"""Stripe takes its time: many calls wait for it at once, and nothing else waits for them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.driven import postgres
from tests.services.payment.paying import Cashier, Paying
from workers.payment.calls import Call
from workers.payment.gateway_worker import Answer, Desk
from workers.payment.payment import Payment

SLOW_MS = 3000
MANY = 40
LEAST_SEC = 0.8
"""What so many may take at the least: a look and a cancellation each, four in 50 ms."""
DEADLINE_SEC = 20.0


@contextmanager
def _served(desk: Desk) -> Iterator[None]:
    """Have the gateway at work, as its process has it."""
    stopping = threading.Event()
    server = threading.Thread(target=desk.serve, args=[stopping])
    server.start()
    try:
        yield
    finally:
        stopping.set()
        server.join(DEADLINE_SEC)
        assert not server.is_alive()


def _until(holds: Callable[[], object]) -> float:
    """Wait; return how long it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < began + DEADLINE_SEC
        time.sleep(0.02)
    return time.monotonic() - began


def test_slow_captures_wait_together_and_keep_nobody_else_waiting(cashier: Cashier) -> None:
    confirmed = [cashier.open() for _ in range(MANY)]
    for each in confirmed:
        each.pay()
    cashier.stand_in.faults(delay_ms={"capture": SLOW_MS})
    desk = Desk(cashier.desk._gateway, cashier.desk._sealer, postgres("payment"), threads=256)
    with _served(desk):
        for each in confirmed:
            each.hear(each.completed())
        newcomer = Paying(cashier)
        newcomer.hear(newcomer.created())
        created_after = _until(lambda: newcomer.row()["stripe_payment_intent_id"])
        captured_after = _until(lambda: {each.state()[1] for each in confirmed} == {"captured"})
    slow_sec = SLOW_MS / 1000
    assert created_after < slow_sec, "a new intent does not wait for a capture"
    assert captured_after < MANY * slow_sec / 8, "captures wait side by side"
    assert all(intent["captured"] == 2500 for each in confirmed for intent in each.intents())


def test_a_crowd_that_nobody_waits_for_keeps_nobody_waiting(
    cashier: Cashier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders expire together: their intents are closed at a pace, and whoever buys is served."""
    expired = [cashier.open() for _ in range(MANY)]
    desk = Desk(cashier.desk._gateway, cashier.desk._sealer, postgres("payment"), threads=256)
    for each in expired:
        each.hear(each.cancelled())
    newcomer = Paying(cashier)
    newcomer.hear(newcomer.created())
    made: list[Call] = []
    at: list[float] = []
    ask = desk._ask

    def noted(call: Call, found: Payment) -> Answer:
        made.append(call)
        at.append(time.monotonic())
        return ask(call, found)

    monkeypatch.setattr(desk, "_ask", noted)
    with _served(desk):
        _until(lambda: newcomer.row()["stripe_payment_intent_id"])
        _until(lambda: all(each.intents()[0]["status"] == "canceled" for each in expired))
    assert [call.payment_id for call in made].index(newcomer.row()["id"]) < MANY / 2
    assert at[-1] - at[0] > LEAST_SEC


def test_a_full_house_of_slow_calls_is_left_one_by_one(cashier: Cashier) -> None:
    """With fewer threads than calls each call is made once, and none is forgotten."""
    waiting = [Paying(cashier) for _ in range(9)]
    cashier.stand_in.faults(delay_ms={"create_intent": 100})
    desk = Desk(cashier.desk._gateway, cashier.desk._sealer, postgres("payment"), threads=2)
    with _served(desk):
        for each in waiting:
            each.hear(each.created())
        _until(lambda: all(each.row()["stripe_payment_intent_id"] for each in waiting))
    assert [len(each.intents()) for each in waiting] == [1] * 9
    assert {call["attempts"] for each in waiting for call in each.calls()} == {1}
