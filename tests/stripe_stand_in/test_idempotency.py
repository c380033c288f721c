"""Stripe's rules for idempotency keys, with and without faults."""

import threading
import uuid
from typing import Any

import httpx
import pytest
import stripe
from stripe._v1_services import V1Services

from tests.stripe_stand_in.conftest import StandIn

GOOD: dict[str, Any] = {"amount": 1200, "currency": "eur"}
INTENTS = "/v1/payment_intents"


@pytest.fixture
def key() -> str:
    return str(uuid.uuid4())


def count(stand_in: StandIn) -> int:
    """Count the intents that exist."""
    return int(stand_in.http.get("/_stand_in/health").json()["kept"]["intents"])


def test_the_same_call_is_done_once(stand_in: StandIn, key: str) -> None:
    before = count(stand_in)
    first = stand_in.post(INTENTS, idempotency_key=key, amount="1200", currency="eur")
    again = stand_in.post(INTENTS, idempotency_key=key, currency="eur", amount="1200")
    assert again.content == first.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"]
    assert count(stand_in) == before + 1


def test_other_parameters_are_an_error(sdk: V1Services, key: str) -> None:
    made = sdk.payment_intents.create({"amount": 1200, "currency": "eur"}, {"idempotency_key": key})
    with pytest.raises(stripe.IdempotencyError) as refused:
        sdk.payment_intents.create({"amount": 1201, "currency": "eur"}, {"idempotency_key": key})
    assert refused.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        sdk.payment_intents.confirm(
            made.id, {"payment_method": "pm_card_visa"}, {"idempotency_key": key}
        )


def test_a_decline_is_repeated(sdk: V1Services, stand_in: StandIn, key: str) -> None:
    made = sdk.payment_intents.create({"amount": 1200, "currency": "eur"})
    path, card = f"{INTENTS}/{made.id}/confirm", "pm_card_chargeDeclined"
    first = stand_in.post(path, idempotency_key=key, payment_method=card)
    sdk.payment_intents.confirm(made.id, {"payment_method": "pm_card_visa"})
    again = stand_in.post(path, idempotency_key=key, payment_method=card)
    assert (first.status_code, again.status_code) == (402, 402)
    assert first.content == again.content
    assert sdk.payment_intents.retrieve(made.id).status == "succeeded"


def test_what_was_never_begun_is_not_remembered(stand_in: StandIn, key: str) -> None:
    assert (
        stand_in.post(INTENTS, idempotency_key=key, amount="x", currency="eur").status_code == 400
    )
    stand_in.faults(rate_limit_rate=1)
    assert stand_in.post(INTENTS, idempotency_key=key, **GOOD).status_code == 429
    stand_in.faults(unavailable_rate=1)
    assert stand_in.post(INTENTS, idempotency_key=key, **GOOD).status_code == 503
    stand_in.faults()
    assert stand_in.post(INTENTS, idempotency_key=key, **GOOD).status_code == 200
    assert stand_in.post(INTENTS, idempotency_key="k" * 256, **GOOD).status_code == 400


@pytest.mark.parametrize(("switch", "made"), [("error_rate", 0), ("error_after_rate", 1)])
def test_a_500_is_repeated_whether_the_work_was_done_or_not(
    stand_in: StandIn, key: str, switch: str, made: int
) -> None:
    before = count(stand_in)
    stand_in.faults(**{switch: {"create_intent": 1}})
    first = stand_in.post(INTENTS, idempotency_key=key, **GOOD)
    stand_in.faults()
    again = stand_in.post(INTENTS, idempotency_key=key, **GOOD)
    assert (first.status_code, again.status_code, first.content) == (500, 500, again.content)
    assert again.headers["stripe-should-retry"] == "false"
    assert count(stand_in) == before + made


def test_a_lost_reply_is_found_again_with_its_key(stand_in: StandIn, key: str) -> None:
    before = count(stand_in)
    stand_in.faults(reply_lost_rate=1)
    with pytest.raises(httpx.TransportError):
        stand_in.post(INTENTS, idempotency_key=key, **GOOD)
    with pytest.raises(stripe.APIConnectionError):
        stand_in.client().v1.payment_intents.create(
            {"amount": 1200, "currency": "eur"}, {"idempotency_key": str(uuid.uuid4())}
        )
    stand_in.faults()
    said = stand_in.post(INTENTS, idempotency_key=key, **GOOD)
    assert (said.status_code, said.headers["idempotent-replayed"]) == (200, "true")
    assert count(stand_in) == before + 2


def test_a_key_under_way_is_a_conflict(stand_in: StandIn, key: str) -> None:
    """409 while the first use waits, the first one's answer afterwards."""
    before = count(stand_in)
    stand_in.faults(delay_ms={"create_intent": 3000})
    answers: list[httpx.Response] = []

    def send() -> None:
        answers.append(stand_in.post(INTENTS, idempotency_key=key, **GOOD))

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.status_code for one in answers) == [200, 409, 409]
    conflict = next(one for one in answers if one.status_code == 409)
    assert conflict.json()["error"]["code"] == "idempotency_key_in_use"
    assert conflict.headers["stripe-should-retry"] == "true"
    assert count(stand_in) == before + 1
    stand_in.faults()
    assert stand_in.post(INTENTS, idempotency_key=key, **GOOD).status_code == 200


def test_the_sdk_retries_by_itself(stand_in: StandIn) -> None:
    """Half of all replies lost, and still each create is done once."""
    before = count(stand_in)
    stand_in.faults(seed=3, reply_lost_rate=0.5)
    sdk = stand_in.client(retries=8).v1
    for _ in range(4):
        assert sdk.payment_intents.create({"amount": 1200, "currency": "eur"}).id
    assert count(stand_in) == before + 4


@pytest.mark.parametrize(
    "switches",
    [
        {"nonsense": 1},
        {"error_rate": 2},
        {"error_rate": "x"},
        {"error_rate": {"dance": 1}},
        {"delay_ms": -1},
        {"delay_ms": [5, 1]},
        {"webhooks": 1},
        {"webhooks": {"x": 1}},
        {"webhooks": {"late_ms": [1]}},
        {"seed": "a"},
        [],
    ],
)
def test_bad_switches_change_nothing(stand_in: StandIn, switches: object) -> None:
    stand_in.faults(seed=5)
    said = stand_in.http.put("/_stand_in/faults", json=switches)
    assert (said.status_code, list(said.json())) == (400, ["error"])
    assert stand_in.http.get("/_stand_in/faults").json()["seed"] == 5


def test_a_seed_repeats_the_faults(stand_in: StandIn) -> None:
    def run() -> list[int]:
        stand_in.faults(seed=11, unavailable_rate=0.5)
        return [stand_in.post(INTENTS, **GOOD).status_code for _ in range(20)]

    answers = run()
    assert len(set(answers)) == 2
    assert run() == answers
