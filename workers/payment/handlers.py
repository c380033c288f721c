"""The payment service.

Owns   payments, their audit trail, Stripe's events and the calls to Stripe (PostgreSQL
       payment_db).
Hears  orders.order.created, .completed, .cancelled; payments.payment.void;
       .drive; payments.refund.request; payments.webhook.record; expirations.clock.ticked;
       payments.state.republish; auth.user.deleted.
Says   payments.payment.requested, .declined, .authorized, .succeeded, .failed, .refunded,
       .restated; payments.refund.failed, .refused; payments.user.erased.

No handler calls Stripe: it commits a row that says what to call, and the gateway's process
(`workers.payment.gateway_worker`) makes the call with no transaction open. All messages about an
order's payment have the order as their key, so that none of them races with another.
"""

from datetime import timedelta

from bus.service import Refusal, Service, Transaction
from bus.stores.postgres import Connection, Postgres
from schemas.auth import UserDeleted
from schemas.expiration import ClockTicked
from schemas.order import OrderCancelled, OrderCompleted, OrderCreated
from schemas.payment import (
    DrivePayment,
    PaidDataErased,
    PaymentFailed,
    PaymentRestated,
    RecordWebhook,
    Refund,
    RefundPayment,
    RepublishPayments,
    VoidPayment,
)
from workers.payment import calls, outcomes, refunding, store, webhooks
from workers.payment.amounts import stripe_units
from workers.payment.payment import Payment
from workers.payment.trail import record, say

_PAGE = 100
_ASK_AFTER = timedelta(seconds=60)
"""How long a payment may be silent before Stripe is asked; a lost event is found in two minutes.

Longer only while a crowd of looks, voids and refunds is before it in the gateway."""
_ASKED_A_TICK = 300
"""How many payments a tick asks about: 30/s, a third of what Stripe allows."""
_KEPT_FOR = timedelta(days=1)
"""How long an event of an intent that nobody knows is tried again."""

payment = Service[Connection]("payment", Postgres())


@payment.handles(OrderCreated)
def request(event: OrderCreated, tx: Transaction[Connection]) -> None:
    """Open the order's payment and have its intent made."""
    if store.of_order(tx.db, event.order_id) is not None:
        return  # A duplicate, or the order has ended already.
    opened = Payment.of_order(event, payment_id=tx.new_id(), now=tx.now)
    store.insert(tx.db, opened)
    record(tx, opened, "attempted", amount=opened.amount, currency=opened.currency)
    calls.ask(tx.db, tx.new_id(), opened.payment_id, "create")


@payment.handles(OrderCompleted)
def capture(event: OrderCompleted, tx: Transaction[Connection]) -> None:
    """Take the money that is set aside; an order that counts on what has ended is told so again.

    It was told before, but may have heard it before it heard that the money was set aside.
    """
    if event.total_amount == 0:
        return
    found = _fresh(event, tx)
    if found is None:
        return
    if found.may("capturing"):
        outcomes.capture(found, tx)
        return
    store.save(tx.db, found)
    if found.status == "FAILED":
        say(tx, PaymentFailed.of(found), found)


@payment.handles(OrderCancelled)
def close(event: OrderCancelled, tx: Transaction[Connection]) -> None:
    """Ask Stripe how far the money is; what is set aside meanwhile is for the order to judge."""
    found = store.of_order(tx.db, event.order_id)
    if found is None:
        if event.total_amount is None or event.total_amount > 0:
            store.insert(tx.db, Payment.tombstone(event, payment_id=tx.new_id(), now=tx.now))
        return
    found = _fresh(event, tx)
    if found is None:
        return
    store.save(tx.db, found)
    if found.status in {"PENDING", "SUCCEEDED"}:
        calls.ask(tx.db, tx.new_id(), found.payment_id, "close")


@payment.handles(VoidPayment)
def void(command: VoidPayment, tx: Transaction[Connection]) -> None:
    """Give an authorisation back."""
    found = _fresh(command, tx)
    if found is None:
        return
    if found.may("voiding"):
        outcomes.void(found, tx)
    else:
        store.save(tx.db, found)


@payment.handles(RefundPayment)
def refund(command: RefundPayment, tx: Transaction[Connection]) -> None:
    """Give money back, once for each refund's id; one that failed may be asked for again."""
    found = store.of_order(tx.db, command.order_id)
    if found is None:
        raise Refusal("not_found", "The order has no payment.")
    known = found.refund(command.refund_id)
    if known and known.status != "FAILED":
        return
    wanted = Refund(
        refund_id=command.refund_id,
        amount=found.refundable(command.amount),
        status="PENDING",
        item_ids=command.item_ids,
        keep_stock=command.keep_stock,
        operation_id=tx.cause.operation_id,
    )
    try:
        stripe_units(wanted.amount, found.currency)
    except ValueError as error:
        raise Refusal("invalid_request", str(error)) from error
    refunding.ask(found, wanted, tx)


@payment.handles(DrivePayment)
def drive_one(command: DrivePayment, tx: Transaction[Connection]) -> None:
    """An operator drives an order on: do now what waits, and ask Stripe how its money stands."""
    found = store.of_order(tx.db, command.order_id)
    if found is None:
        return
    record(tx, found, "operator", action=command.action, by=command.by)
    if command.action == "retry":
        calls.ask(tx.db, tx.new_id(), found.payment_id, "retrieve")
        calls.hurry(tx.db, found.payment_id)


@payment.handles(RecordWebhook, key=lambda command: webhooks.order_id(command.body))
def record_webhook(command: RecordWebhook, tx: Transaction[Connection]) -> None:
    """Keep what Stripe told, once, and act on it."""
    webhook_id = tx.new_id()
    if not store.keep_webhook(
        tx.db, webhook_id, command.stripe_event_id, command.event_type, command.body, tx.now
    ):
        return
    found = store.of_intent(tx.db, webhooks.intent_id(command.body))
    if found is None:
        return  # Kept, in case the payment is yet to learn of its intent.
    _act(command, found, tx)
    store.webhook_done(tx.db, webhook_id, found.payment_id, tx.now)


@payment.handles(ClockTicked)
def drive(_: ClockTicked, tx: Transaction[Connection]) -> None:
    """Do what is due: calls that were left, events that came too early, payments gone silent."""
    for row in store.unknown_webhooks(tx.db, tx.now - _KEPT_FOR, _PAGE):
        if found := store.lock(tx.db, row["payment_id"]):
            told = RecordWebhook(
                stripe_event_id=row["stripe_event_id"],
                event_type=row["event_type"],
                body=row["body"],
            )
            _act(told, found, tx)
            store.webhook_done(tx.db, row["id"], found.payment_id, tx.now)
    silent = store.to_be_asked(tx.db, tx.now, tx.now - _ASK_AFTER, _ASKED_A_TICK)
    calls.ask_about(tx.db, [tx.new_id() for _ in silent], silent)
    calls.purge(tx.db, _ASKED_A_TICK)
    calls.wake(tx.db)


@payment.handles(UserDeleted)
def erase(event: UserDeleted, tx: Transaction[Connection]) -> None:
    """Keep of what Stripe told about somebody's payments what the books need, and no more."""
    store.erase(tx.db, event.user_id)
    tx.emit(PaidDataErased(user_id=event.user_id))


@payment.handles(RepublishPayments, key=lambda _: "republish")
def republish(command: RepublishPayments, tx: Transaction[Connection]) -> None:
    """Say a page of payments as they are, and ask for the next page."""
    page = store.page_after(tx.db, command.after, _PAGE)
    for each in page:
        if each.announced:
            tx.emit(PaymentRestated.of(each))
    if len(page) == _PAGE:
        tx.emit(RepublishPayments(after=str(page[-1].payment_id)))


def _act(command: RecordWebhook, found: Payment, tx: Transaction[Connection]) -> None:
    """Do what an event means for a payment; what surprises it is asked about first."""
    event = command.stripe_event_id
    meaning = webhooks.meaning(command.event_type, command.body, found)
    if meaning == "surprising":
        record(tx, found, "doubted", event=event, type=command.event_type)
        calls.ask(tx.db, tx.new_id(), found.payment_id, "retrieve")
        return
    match command.event_type, meaning:
        case "payment_intent.payment_failed", _:
            code = webhooks.decline_code(command.body)
            outcomes.declined(found, tx, code=code, event=event)
        case "payment_intent.amount_capturable_updated", "awaited":
            outcomes.authorized(found, tx, event=event)
        case "payment_intent.succeeded", "awaited":
            outcomes.captured(found, tx, event=event)
        case "payment_intent.canceled", "awaited":
            outcomes.voided(found, tx, event=event)
        case _:
            pass


def _fresh(
    message: OrderCompleted | OrderCancelled | VoidPayment, tx: Transaction[Connection]
) -> Payment | None:
    """Return the order's payment with this message's version on it, or None for a stale message.

    The caller saves it, moved or not: the version counts as applied either way.
    """
    found = store.of_order(tx.db, message.order_id)
    if found is None or message.order_version <= found.order_version:
        return None
    return found.seen(message.order_version)
