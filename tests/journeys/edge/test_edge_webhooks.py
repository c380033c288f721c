"""What Stripe tells: signatures, secrets, repeats."""

import time
from collections.abc import Mapping
from typing import Any

import httpx
import orjson
import pytest
from stripe import WebhookSignature

from tests.journeys.edge.parts import WEBHOOKS, Bus, check_problem

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("ignore:EdDSA is deprecated")]
EVENT: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.amount_capturable_updated",
    "data": {
        "object": {
            "id": "pi_1",
            "client_secret": "pi_1_secret_2",
            "receipt_email": "ada@example.org",
            "nested": [{"client_secret": "pi_1_secret_2", "kept": 1}],
            "charge": {
                "billing_details": {"name": "Ada"},
                "card": {"name": "Ada", "last4": "4242"},
            },
        }
    },
}


def tell(
    client: httpx.Client, secret: str, body: bytes, *, at: float | None = None, signature: str = ""
) -> httpx.Response:
    signed = signature or WebhookSignature.generate_signature_header(
        body.decode("latin-1" if b"\xff" in body else "utf-8"), secret, int(at or time.time())
    )
    headers = {"Stripe-Signature": signed, "Content-Type": "application/json"}
    return client.post("/webhooks/stripe", content=body, headers=headers)


@pytest.fixture
def secret(known: Mapping[str, str]) -> str:
    return known["STRIPE_WEBHOOK_SECRET"]


def test_an_event_goes_on_without_secrets_and_people(
    client: httpx.Client, secret: str, bus: Bus
) -> None:
    bus.purge()
    for _ in range(2):
        assert tell(client, secret, orjson.dumps(EVENT)).status_code == 200
    first, again = bus.messages(WEBHOOKS)
    assert first["id"] == again["id"], "a repeat must be a duplicate"
    assert first["type"] == "payments.webhook.record"
    assert first["subject"] == first["data"]["stripe_event_id"] == "evt_1"
    assert first["data"]["event_type"] == EVENT["type"]
    told = first["data"]["body"]["data"]["object"]
    assert told == {
        "id": "pi_1",
        "nested": [{"kept": 1}],
        "charge": {"card": {"last4": "4242"}},
    }
    assert "operationid" not in first
    other = EVENT | {"id": "evt_2"}
    assert tell(client, secret, orjson.dumps(other)).status_code == 200
    assert bus.messages(WEBHOOKS)[0]["id"] != first["id"]


def test_a_signature_that_is_not_stripes_is_400(
    client: httpx.Client, secret: str, bus: Bus
) -> None:
    bus.purge()
    body = orjson.dumps(EVENT)
    now = int(time.time())
    good = WebhookSignature.generate_signature_header(body.decode(), secret, now)
    for bad in (
        "nonsense",
        "t=1",
        f"t={now}",
        f"t={now},v1=",
        f"t={now},v0={good.partition('v1=')[2]}",
        f"t=x,v1={good.partition('v1=')[2]}",
        f"t={now + 1},v1={good.partition('v1=')[2]}",
        f"t={'9' * 5000},v1=0",
    ):
        answer = tell(client, secret, body, signature=bad)
        check_problem(answer, 400, "malformed")
    check_problem(client.post("/webhooks/stripe", content=body), 400, "malformed")
    check_problem(tell(client, "whsec_other", body), 400, "malformed")
    check_problem(tell(client, secret, body + b" ", signature=good), 400, "malformed")
    raw = {"Stripe-Signature": b"t=%d,v1=\xff" % now}
    check_problem(
        client.post("/webhooks/stripe", content=body, headers=raw),  # type: ignore[arg-type]
        400,
        "malformed",
    )
    assert bus.messages(WEBHOOKS) == []


@pytest.mark.parametrize("seconds", [-301, -100_000, 65, 100_000])
def test_an_event_of_another_time_is_400(client: httpx.Client, secret: str, seconds: int) -> None:
    answer = tell(client, secret, orjson.dumps(EVENT), at=time.time() + seconds)
    check_problem(answer, 400, "malformed")


@pytest.mark.parametrize("seconds", [-290, 50])
def test_clocks_may_differ_a_little(client: httpx.Client, secret: str, seconds: int) -> None:
    answer = tell(client, secret, orjson.dumps(EVENT), at=time.time() + seconds)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"{}",
        b'{"id": 1, "type": "x"}',
        b'{"id": "", "type": "x"}',
        b'{"id": "e", "type": null}',
        b'{"id": "e", "type": "a\\nb"}',
        b'{"id": "e", "type": "x", "data": "x"}',
        b'{"id": "e", "type": "x", "data": []}',
        b'{"id": "e", "type": "x", "data": {"object": "y"}}',
        b'{"id": "e", "type": "x", "data": {"object": {"metadata": "z"}}}',
        b'{"id": "e", "type": "x", "data": {"object": {"last_payment_error": 1}}}',
    ],
)
def test_what_is_signed_but_no_event_is_400(client: httpx.Client, secret: str, body: bytes) -> None:
    check_problem(tell(client, secret, body), 400, "malformed")


@pytest.mark.parametrize("data", [None, {}, {"object": None}, {"object": {"metadata": None}}])
def test_an_event_may_say_little(client: httpx.Client, secret: str, data: object) -> None:
    body = orjson.dumps({"id": "evt_little", "type": "x", "data": data})
    assert tell(client, secret, body).status_code == 200


def test_an_event_that_is_too_large_is_413(client: httpx.Client, secret: str) -> None:
    for size in (65_000, 70_000):
        body = orjson.dumps(EVENT | {"more": "x" * size})
        check_problem(tell(client, secret, body), 413, "too_large")
