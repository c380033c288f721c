"""A gateway of a newer version goes on where an older one died, though it asks in other words."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from ops.local.stack import Stack
from tests.whole import whole
from workers.payment.gateway import Gateway, TryAgain
from workers.payment.payment import Payment

__all__ = ["whole"]


def test_an_intent_asked_for_in_other_words_is_asked_for_under_a_new_key(
    whole: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = whole.environment()
    monkeypatch.setenv("STRIPE_API_KEY", known["STRIPE_API_KEY"])
    monkeypatch.setenv("STRIPE_API_BASE", known["STRIPE_API_BASE"])
    key = f"{uuid.uuid4()}:create:1"
    older = httpx.post(
        f"{known['STRIPE_API_BASE']}/v1/payment_intents",
        headers={
            "authorization": f"Bearer {known['STRIPE_API_KEY']}",
            "idempotency-key": key,
        },
        data={"amount": "1250", "currency": "eur", "description": "as it was asked for before"},
    )
    assert older.status_code == 200
    with pytest.raises(TryAgain) as refused:
        Gateway().create(_payment(), key)
    assert not refused.value.same_key
    assert Gateway().create(_payment(), key.replace(":1", ":2")).state == "open"


def _payment() -> Payment:
    now = datetime.now(UTC)
    return Payment(
        payment_id=uuid.uuid4(),
        payment_version=1,
        order_id=uuid.uuid4(),
        order_version=2,
        user_id=uuid.uuid4(),
        method="CARD",
        amount=Decimal("12.50"),
        currency="EUR",
        status="PENDING",
        authorisation="none",
        captured_amount=Decimal(0),
        refunded_amount=Decimal(0),
        client_secret=None,
        failure=None,
        created_at=now,
        updated_at=now,
    )
