"""Webhooks: signed, retried, and what the faults do to them; nothing kept is lost by kill -9."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.stripe_stand_in.conftest import DEADLINE_SEC, Receiver, StandIn

INTENTS = "/v1/payment_intents"
FIELDS = {"amount": "1200", "currency": "eur"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    listening = Receiver()
    yield listening
    listening.close()


@pytest.fixture
def alone(tmp_path: Path, receiver: Receiver) -> Iterator[StandIn]:
    """Run a stand-in for one test, so that it can be killed and its webhooks counted."""
    stand_in = StandIn(tmp_path / "state", receiver.port)
    stand_in.start()
    yield stand_in
    stand_in.end(signal.SIGTERM)
    assert "Traceback" not in stand_in.log()


def make(stand_in: StandIn, **fields: str) -> str:
    answer = stand_in.post(INTENTS, **FIELDS, **fields)
    assert answer.status_code == 200, answer.text
    ident: str = answer.json()["id"]
    return ident


def waiting(stand_in: StandIn) -> int:
    return int(stand_in.http.get("/_stand_in/health").json()["kept"]["deliveries"])


def drained(stand_in: StandIn) -> None:
    """Wait until no delivery is left."""
    deadline = time.monotonic() + DEADLINE_SEC
    while waiting(stand_in):
        assert time.monotonic() < deadline, waiting(stand_in)
        time.sleep(0.02)


def test_an_unanswered_webhook_comes_again_after_1_and_2_seconds(
    alone: StandIn, receiver: Receiver
) -> None:
    receiver.status = lambda _event, times: 200 if times > 2 else 500
    make(alone)
    receiver.until(lambda events: len(events) == 3)
    first, second, third = receiver.times
    assert second - first > 0.9
    assert third - second > 1.9
    told = [orjson.loads(line) for line in alone.log().splitlines() if "again_in_sec" in line]
    assert [each["again_in_sec"] for each in told] == [1.0, 2.0]
    assert len({event["id"] for event in receiver.events}) == 1
    drained(alone)


def test_a_refused_webhook_holds_up_no_other(alone: StandIn, receiver: Receiver) -> None:
    stuck = make(alone)
    receiver.until(lambda events: len(events) == 1)
    receiver.status = lambda event, _: 503 if event["data"]["object"]["id"] == stuck else 200
    others = {make(alone) for _ in range(30)}
    receiver.until(lambda events: others <= {event["data"]["object"]["id"] for event in events})


def test_a_receiver_that_is_down_blocks_no_call_and_loses_nothing(
    alone: StandIn, receiver: Receiver
) -> None:
    receiver.close()
    began = time.monotonic()
    made = {make(alone) for _ in range(50)}
    assert time.monotonic() - began < 25
    assert waiting(alone) == 50
    back = Receiver(receiver.port)
    try:
        back.until(lambda events: made <= {event["data"]["object"]["id"] for event in events})
        drained(alone)
    finally:
        back.close()


def test_kill_9_keeps_everything(alone: StandIn, receiver: Receiver) -> None:
    """Intents, refunds, keys and undelivered webhooks are all there after the restart."""
    receiver.status = lambda _event, _times: 500
    paid = make(alone, payment_method="pm_card_visa", confirm="true")
    refund = alone.post("/v1/refunds", payment_intent=paid, amount="200").json()
    first = alone.post(INTENTS, idempotency_key="kept", **FIELDS)
    receiver.until(lambda events: len({event["id"] for event in events}) == 5)
    assert alone.end(signal.SIGKILL) == -signal.SIGKILL
    receiver.status = lambda _event, _times: 200
    receiver.events.clear()
    alone.start()
    again = alone.post(INTENTS, idempotency_key="kept", **FIELDS)
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    sdk = alone.client().v1
    assert sdk.payment_intents.retrieve(paid).amount_received == 1200
    assert sdk.refunds.retrieve(refund["id"]).amount == 200
    receiver.until(lambda events: len({event["id"] for event in events}) == 5)
    drained(alone)


def test_kill_9_under_load_forgets_no_answer(alone: StandIn, receiver: Receiver) -> None:
    """Whatever was answered before the kill exists after it, and its webhook comes."""
    made: list[str] = [make(alone) for _ in range(200)]
    alone.end(signal.SIGKILL)
    alone.start()
    ledger = {line["id"] for line in alone.http.get("/_stand_in/ledger").json()["intents"]}
    assert set(made) <= ledger
    receiver.until(lambda events: set(made) <= {event["data"]["object"]["id"] for event in events})


def test_doubled(alone: StandIn, receiver: Receiver) -> None:
    alone.faults(webhooks={"doubled_rate": 1})
    make(alone)
    events = receiver.until(lambda events: len(events) == 2)
    assert events[0]["id"] == events[1]["id"]


def test_dropped_webhooks_can_still_be_listed(alone: StandIn, receiver: Receiver) -> None:
    alone.faults(webhooks={"dropped_rate": 1})
    lost = make(alone)
    alone.faults()
    make(alone)
    receiver.until(lambda events: len(events) == 1)
    drained(alone)
    assert receiver.events[0]["data"]["object"]["id"] != lost
    listed = alone.client().v1.events.list()
    assert lost in {event.data.object["id"] for event in listed.data}


def test_late(alone: StandIn, receiver: Receiver) -> None:
    alone.faults(webhooks={"late_ms": [600, 700]})
    began = time.monotonic()
    make(alone)
    receiver.until(lambda events: len(events) == 1)
    assert receiver.times[0] - began >= 0.6


def test_out_of_order(alone: StandIn, receiver: Receiver) -> None:
    """With every second one held back, some success is told before its creation."""
    alone.faults(seed=1, webhooks={"out_of_order_rate": 0.5})
    for _ in range(20):
        make(alone, payment_method="pm_card_visa", confirm="true")

    def all_told(events: list[dict[str, Any]]) -> bool:
        return (
            Counter(event["type"] for event in events)["payment_intent.succeeded"]
            == 20
            <= len(events) / 2
        )

    events = receiver.until(all_told)
    order: dict[str, list[str]] = {}
    for event in events:
        order.setdefault(event["data"]["object"]["id"], []).append(event["type"])
    assert any(types[0] == "payment_intent.succeeded" for types in order.values())


def test_sigterm_finishes_what_was_begun(alone: StandIn) -> None:
    alone.faults(delay_ms=300)
    make(alone)
    assert alone.end(signal.SIGTERM) == 0
    alone.start()
    assert len(alone.http.get("/_stand_in/ledger").json()["intents"]) == 1
