"""What Stripe's answers mean: to a call that was made, for a payment as it is now.

Whatever was asked for, the answer may come after something else has happened to the payment; so
each outcome asks the payment's table first (see `workers.payment.outcomes`).
"""

from bus.sealing import Sealer
from bus.service import Transaction
from bus.stores.postgres import Connection
from workers.payment import calls, outcomes, refunding, store
from workers.payment.calls import Call
from workers.payment.gateway import Intent, Returned
from workers.payment.payment import Payment
from workers.payment.trail import record


def heard(
    call: Call,
    found: Payment,
    answer: Intent | Returned | None,
    sealer: Sealer,
    tx: Transaction[Connection],
) -> None:
    """Take an answer; None is for a call that had nothing to be made about."""
    if isinstance(answer, Returned):
        refund = found.refund(call.refund_id)
        if refund:
            refunding.hear(found, refund, answer, tx)
    elif answer is None:
        if call.kind != "refund":
            outcomes.voided(found, tx, call=str(call.id))
    elif call.kind == "create":
        sealed = sealer.seal(answer.client_secret)
        outcomes.requested(found, tx, intent_id=answer.id, sealed_secret=sealed)
    elif call.kind == "capture":
        outcomes.captured(found, tx, call=str(call.id))
    elif call.kind == "close":
        _close(found, answer, tx)
    else:
        _look(found, answer, tx)


def refused(call: Call, found: Payment, code: str, tx: Transaction[Connection]) -> None:
    """Take a refusal, which is for good."""
    if call.kind == "create":
        outcomes.refused(found, tx, code=code)
    elif call.kind == "capture":
        outcomes.capture_failed(found, tx, code=code)
    elif call.kind == "refund":
        refund = found.refund(call.refund_id)
        if refund:
            refunding.refuse(found, refund, code, tx)
    else:
        record(tx, found, "failed", call=call.kind, code=code)


def _close(found: Payment, intent: Intent, tx: Transaction[Connection]) -> None:
    """Its order has ended, and this is how far its money is."""
    if intent.state == "open":
        outcomes.abandon(found, tx)
    elif intent.state == "authorized" or (
        # Taken by somebody else, even: the order judges whether it is kept.
        intent.state == "captured" and found.authorisation in {"none", "authorized"}
    ):
        outcomes.still_authorized(found, tx, intent_id=intent.id)
    else:
        _look(found, intent, tx)
        current = store.lock(tx.db, found.payment_id)
        if current:
            refunding.ask_what_is_left(current, tx)


def _look(found: Payment, intent: Intent, tx: Transaction[Connection]) -> None:
    """Make the payment what Stripe says it is."""
    if intent.state == "cancelled":
        if found.authorisation == "capturing":  # Its authorisation lapsed.
            outcomes.capture_failed(found, tx, code="canceled")
        else:
            outcomes.voided(found, tx, intent=intent.id)
    elif found.authorisation == "none" and intent.state != "open":
        # Taken by somebody else, even: the order judges whether it is kept.
        outcomes.authorized(found, tx, intent=intent.id)
    elif intent.state == "captured":
        _captured(found, intent, tx)
    elif intent.state == "authorized" and found.status == "FAILED":
        calls.ask(tx.db, tx.new_id(), found.payment_id, "cancel")


def _captured(found: Payment, intent: Intent, tx: Transaction[Connection]) -> None:
    if found.authorisation in {"voiding", "capture_failed"}:
        outcomes.taken(found, tx, intent=intent.id)
    else:
        outcomes.captured(found, tx, intent=intent.id)
    current = store.lock(tx.db, found.payment_id)
    if current and current.authorisation == "captured":
        refunding.compare(current, intent.returned, tx)
