"""A message that is longer than it may be is neither said nor handled."""

import pytest

from bus.envelope import Malformed, decode, encode, envelope_of, outgoing
from schemas.payment import RecordWebhook


def webhook(letters: int) -> RecordWebhook:
    return RecordWebhook(
        stripe_event_id="evt_1", event_type="payment_intent.succeeded", body={"a": "x" * letters}
    )


def test_a_message_that_is_too_long_is_neither_said_nor_read() -> None:
    most = RecordWebhook.MAX_BYTES
    assert most == 64 * 1024
    fits = outgoing(envelope_of(webhook(most - 2000), source="/edge"))
    assert decode(fits.body).data.body == webhook(most - 2000).body  # type: ignore[attr-defined]
    with pytest.raises(Malformed):
        outgoing(envelope_of(webhook(most), source="/edge"))
    padded = fits.body + b" " * (most + 1 - len(fits.body))
    with pytest.raises(Malformed, match="bytes long"):
        decode(padded)
    assert len(encode(envelope_of(webhook(1), source="/edge"))) < most
