"""What Stripe told of somebody whose account was deleted is cut down to what the books need."""

from uuid import uuid4

import pytest

from schemas.auth import UserDeleted
from schemas.payment import RecordWebhook
from tests.driven import postgres
from tests.services.payment.paying import Cashier, Paying, Row

BILLING = {"billing_details": {"name": "Ada Lovelace", "email": "ada@example.org"}}


def told_by_stripe(paying: Paying, event_type: str) -> RecordWebhook:
    """Say what an older edge would have let through."""
    metadata = {"order_id": str(paying.order_id)}
    return paying.webhook(event_type, metadata=metadata, amount=2500, charges=[BILLING])


def kept(told: RecordWebhook) -> Row:
    (row,) = postgres("payment").db.execute(
        "SELECT * FROM payment_webhooks WHERE stripe_event_id = %s", [told.stripe_event_id]
    )
    return row


@pytest.mark.parametrize("late", [False, True])
def test_bodies_keep_ids_only(cashier: Cashier, *, late: bool) -> None:
    paying, other = cashier.open(), cashier.open()
    mine, theirs = told_by_stripe(paying, "created"), told_by_stripe(other, "created")
    messages = [mine, UserDeleted(user_id=paying.user_id)]
    for message in reversed(messages) if late else messages:
        paying.hear(message)
    other.hear(theirs)
    assert kept(theirs)["body"] == theirs.body
    body = kept(mine)["body"]
    assert "Ada" not in str(body)
    assert body["data"]["object"] == {
        "object": "payment_intent",
        "id": paying.row()["stripe_payment_intent_id"],
        "metadata": {"order_id": str(paying.order_id)},
    }


def test_it_is_said_once_for_each_time_it_is_asked(cashier: Cashier) -> None:
    """A second deletion of nobody is as harmless as the first."""
    event, operation = UserDeleted(user_id=uuid4()), uuid4()
    for _ in range(2):
        said = cashier.payments.told(event, operation_id=operation)
        assert said.types == ["payments.user.erased"]
        assert said.envelopes[0].operation_id == operation


def test_a_payment_is_made_to_its_end_without_the_person(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.hear(UserDeleted(user_id=paying.user_id))
    paying.paid()
    assert paying.state()[1] == "captured"
