"""What a refund becomes: asked for, given back, refused, or sent back by a bank later.

A refund that is asked for while its capture is settling waits for it as a PENDING row; the call is
asked for when the money is there. Whatever Stripe lists is believed: money that somebody else gave
back is a refund of ours from then on, so that no more than was captured is ever promised.
"""

from collections.abc import Sequence
from dataclasses import replace

from bus.service import Transaction
from bus.stores.postgres import Connection
from schemas.payment import (
    PaymentRefunded,
    Refund,
    RefundFailed,
    RefundPayment,
    RefundRefused,
)
from workers.payment import calls, store
from workers.payment.gateway import Returned
from workers.payment.payment import REFUND_MOVES, Payment
from workers.payment.trail import record, say


def ask(found: Payment, refund: Refund, tx: Transaction[Connection]) -> None:
    """Promise a refund, and have it made as soon as the money is there."""
    asked = found.refunding(refund, tx.now)
    store.save(tx.db, asked)
    store.keep_refund(tx.db, found.payment_id, refund, tx.now)
    record(tx, found, "refund_requested", refund=refund.refund_id, amount=refund.amount)
    if found.authorisation == "captured":
        _call(asked, refund, tx)


def ask_what_is_left(found: Payment, tx: Transaction[Connection]) -> None:
    """Its order has ended: nothing of its money is kept."""
    if found.authorisation == "captured" and found.left > 0:
        refund = Refund(
            refund_id=tx.new_id(),
            amount=found.left,
            status="PENDING",
            item_ids=[],
            keep_stock=False,
        )
        ask(found, refund, tx)


def go_on(captured: Payment, tx: Transaction[Connection]) -> None:
    """The money is there: make what waited for it."""
    for each in captured.refunds:
        if each.status == "PENDING":
            _call(captured, each, tx)


def give_up(ended: Payment, tx: Transaction[Connection], code: str) -> None:
    """There will be no money: refuse what waited for it."""
    for each in ended.refunds:
        if each.status == "PENDING":
            refused = replace(each, status="FAILED", failure=code)
            ended = ended.refunding(refused, tx.now)
            store.save(tx.db, ended)
            store.keep_refund(tx.db, ended.payment_id, refused, tx.now)
            record(tx, ended, "refund_failed", refund=each.refund_id, code=code)
            answer = RefundRefused(
                order_id=ended.order_id,
                refund_id=each.refund_id,
                command=RefundPayment.TYPE,
                code=code,
                detail="Nothing was taken that could be given back.",
            )
            say(tx, answer, ended, each.operation_id)


def refuse(found: Payment, refund: Refund, code: str, tx: Transaction[Connection]) -> None:
    """Stripe will not make this attempt; the refund may be asked for again."""
    if refund.status == "PENDING":
        _end(found, replace(refund, status="FAILED", failure=code), None, tx)


def hear(found: Payment, refund: Refund, told: Returned, tx: Transaction[Connection]) -> Payment:
    """Take what Stripe says of a refund of ours; return the payment as it is then."""
    if told.status in REFUND_MOVES[refund.status]:
        if told.status == "PENDING":  # What failed is under way again, and not by us.
            return found
        failure = (told.failure or "failed") if told.status == "FAILED" else None
        return _end(found, replace(refund, status=told.status, failure=failure), told.id, tx)
    known = store.stripe_refunds(tx.db, found.payment_id)
    if refund.status == "PENDING" and known[refund.refund_id] != told.id:
        store.keep_refund(tx.db, found.payment_id, refund, tx.now, stripe_refund_id=told.id)
        record(tx, found, "refund_pending", refund=refund.refund_id, stripe=told.id)
    return found


def compare(found: Payment, listed: Sequence[Returned], tx: Transaction[Connection]) -> Payment:
    """Make our refunds what Stripe says they are; return the payment as it is then."""
    known = store.stripe_refunds(tx.db, found.payment_id)
    for told in listed:
        by_id = next((ours for ours, theirs in known.items() if theirs == told.id), None)
        refund = found.refund(by_id or told.refund_id)
        if refund is None:
            found = _take_over(found, told, tx)
        elif by_id or (known[refund.refund_id] is None and told.status != "FAILED"):
            found = hear(found, refund, told, tx)
    return found


def _take_over(found: Payment, told: Returned, tx: Transaction[Connection]) -> Payment:
    """Somebody gave money back at Stripe itself: it counts, and the tickets stay sold."""
    if told.status == "FAILED":
        return found
    refund = Refund(
        refund_id=tx.new_id(),
        amount=told.amount,
        status=told.status,
        item_ids=[],
        keep_stock=True,
    )
    if told.status == "SUCCEEDED":
        return _end(found, refund, told.id, tx)
    asked = found.refunding(refund, tx.now)
    store.save(tx.db, asked)
    store.keep_refund(tx.db, found.payment_id, refund, tx.now, stripe_refund_id=told.id)
    record(tx, found, "refund_pending", refund=refund.refund_id, stripe=told.id)
    return asked


def _end(
    found: Payment, ended: Refund, stripe_refund_id: str | None, tx: Transaction[Connection]
) -> Payment:
    changed = found.refunding(ended, tx.now)
    store.save(tx.db, changed)
    store.keep_refund(tx.db, found.payment_id, ended, tx.now, stripe_refund_id=stripe_refund_id)
    told = {"refund": ended.refund_id, "amount": ended.amount, "stripe": stripe_refund_id}
    if ended.status == "SUCCEEDED":
        record(tx, found, "refunded", **told)
        event = PaymentRefunded.of(changed, refund_id=ended.refund_id)
        say(tx, event, changed, ended.operation_id)
    else:
        code = ended.failure or "failed"
        record(tx, found, "refund_failed", **told, code=code)
        failed = RefundFailed.of(changed, refund_id=ended.refund_id, code=code)
        say(tx, failed, changed, ended.operation_id)
    return changed


def _call(found: Payment, refund: Refund, tx: Transaction[Connection]) -> None:
    calls.ask(tx.db, tx.new_id(), found.payment_id, "refund", refund.refund_id)
