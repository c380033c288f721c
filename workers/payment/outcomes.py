"""What a payment becomes when Stripe has answered or told: one function for each outcome.

Answers and webhooks say the same things in any order, so each function asks the payment's table
first and does nothing when the move was made before.
"""

from typing import Any

from bus.service import Transaction
from bus.stores.postgres import Connection
from schemas.payment import (
    PaymentAuthorized,
    PaymentDeclined,
    PaymentFailed,
    PaymentRequested,
    PaymentSucceeded,
)
from workers.payment import calls, refunding, store
from workers.payment.payment import Payment
from workers.payment.trail import record, say


def requested(
    found: Payment, tx: Transaction[Connection], *, intent_id: str, sealed_secret: str
) -> None:
    """The intent exists; when nobody is to pay any more, nobody is told, and it is cancelled."""
    if found.stripe_payment_intent_id is not None:
        return
    wanted = found.authorisation == "none"
    opened = found.requested(intent_id, sealed_secret if wanted else None, tx.now)
    store.save(tx.db, opened)
    record(tx, found, "requested", intent=intent_id)
    if wanted:
        say(tx, PaymentRequested.of(opened), opened)
    else:
        calls.ask(tx.db, tx.new_id(), found.payment_id, "cancel")


def refused(found: Payment, tx: Transaction[Connection], *, code: str) -> None:
    """Stripe will never make the intent."""
    if not found.may("refused"):
        return
    ended = found.moved("refused", tx.now, failure=code)
    store.save(tx.db, ended)
    record(tx, found, "failed", code=code)
    say(tx, PaymentFailed.of(ended), ended)


def declined(found: Payment, tx: Transaction[Connection], *, code: str, event: str) -> None:
    """A card was declined; the buyer may try another one."""
    record(tx, found, "failed", event=event, code=code)
    if found.authorisation == "none":
        noted = found.declined(code, tx.now)
        store.save(tx.db, noted)
        say(tx, PaymentDeclined.of(noted), noted)


def authorized(found: Payment, tx: Transaction[Connection], **why: Any) -> None:  # noqa: ANN401  # JSON.
    """The money is set aside."""
    if found.may("authorized"):
        noted = found.moved("authorized", tx.now, failure=None)
        store.save(tx.db, noted)
        record(tx, found, "authorized", **why)
        say(tx, PaymentAuthorized.of(noted), noted)


def captured(found: Payment, tx: Transaction[Connection], **why: Any) -> None:  # noqa: ANN401  # JSON.
    """The money is taken."""
    if not found.may("captured"):
        return
    paid = found.moved("captured", tx.now, captured_amount=found.amount, client_secret=None)
    store.save(tx.db, paid)
    record(tx, found, "captured", amount=paid.captured_amount, **why)
    record(tx, found, "succeeded", **why)
    say(tx, PaymentSucceeded.of(paid), paid)
    refunding.go_on(paid, tx)


def taken(found: Payment, tx: Transaction[Connection], **why: Any) -> None:  # noqa: ANN401  # JSON.
    """Somebody else took the money of a payment that had ended: all of it goes back."""
    paid = found.moved("captured", tx.now, captured_amount=found.amount, client_secret=None)
    store.save(tx.db, paid)
    record(tx, found, "captured", amount=paid.captured_amount, ended=True, **why)
    say(tx, PaymentSucceeded.of(paid), paid)
    refunding.ask_what_is_left(paid, tx)


def capture_failed(found: Payment, tx: Transaction[Connection], *, code: str) -> None:
    """The money cannot be taken, ever: what Stripe may still set aside for it is given back."""
    if not found.may("capture_failed"):
        return
    ended = found.moved("capture_failed", tx.now, failure=code, client_secret=None)
    store.save(tx.db, ended)
    calls.ask(tx.db, tx.new_id(), found.payment_id, "cancel")
    record(tx, found, "capture_failed", code=code)
    say(tx, PaymentFailed.of(ended), ended)
    refunding.give_up(ended, tx, "capture_failed")


def still_authorized(found: Payment, tx: Transaction[Connection], *, intent_id: str) -> None:
    """Money is set aside for an order that has ended: say so again, the order judges."""
    if found.authorisation == "authorized":
        say(tx, PaymentAuthorized.of(found), found)
    else:
        authorized(found, tx, intent=intent_id)


def capture(found: Payment, tx: Transaction[Connection]) -> None:
    """Its order can no longer lose its tickets: have the money taken."""
    store.save(tx.db, found.moved("capturing", tx.now))
    record(tx, found, "capturing")
    calls.ask(tx.db, tx.new_id(), found.payment_id, "capture")


def void(found: Payment, tx: Transaction[Connection], **why: Any) -> None:  # noqa: ANN401  # JSON.
    """Have what is set aside given back; from here on nobody can pay."""
    store.save(tx.db, found.moved("voiding", tx.now))
    record(tx, found, "voiding", **why)
    calls.ask(tx.db, tx.new_id(), found.payment_id, "cancel")


def abandon(found: Payment, tx: Transaction[Connection]) -> None:
    """Nobody paid for an order that has ended: from here on nobody can."""
    if found.authorisation == "none":
        void(found, tx, order="ended")


def voided(found: Payment, tx: Transaction[Connection], **why: Any) -> None:  # noqa: ANN401  # JSON.
    """The intent is cancelled; what was set aside is free."""
    if found.may("voiding"):  # Cancelled by somebody at Stripe, not by us.
        found = found.moved("voiding", tx.now)
    if not found.may("voided"):
        return
    ended = found.moved("voided", tx.now, client_secret=None)
    store.save(tx.db, ended)
    record(tx, found, "voided", **why)
    say(tx, PaymentFailed.of(ended), ended)
    refunding.give_up(ended, tx, "voided")
