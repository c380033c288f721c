"""What is said to and by the payment service: payments and Stripe's webhooks."""

from dataclasses import field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from schemas.message import Currency, Line, Message, Sealed, command, event, part
from schemas.order import PaymentMethod

PaymentStatus = Literal["PENDING", "SUCCEEDED", "FAILED", "REFUNDED"]
Authorisation = Literal[
    "none",
    "refused",
    "authorized",
    "capturing",
    "captured",
    "capture_failed",
    "voiding",
    "voided",
]


RefundStatus = Literal["PENDING", "SUCCEEDED", "FAILED"]


@part
class Refund(Message):
    """Money on its way back."""

    refund_id: UUID
    amount: Decimal
    status: RefundStatus
    item_ids: list[UUID]
    keep_stock: bool
    failure: str | None = None
    """Stripe's code for why it did not work; the same refund may be asked for again."""
    operation_id: UUID | None = None
    """The operation that asked for it."""


@part
class PaymentState(Message):
    """A payment as its buyer and the other services may know it."""

    payment_id: UUID
    payment_version: int
    order_id: UUID
    order_version: int
    user_id: UUID
    method: PaymentMethod
    amount: Decimal
    currency: Currency
    status: PaymentStatus
    authorisation: Authorisation
    captured_amount: Decimal
    refunded_amount: Decimal
    client_secret: Sealed | None
    """Sealed to the edge; NULL until the intent exists."""
    failure: str | None
    """Stripe's code for the last thing that did not work."""
    updated_at: datetime
    refunds: list[Refund] = field(default_factory=list)
    """All that were ever asked for, the oldest first."""


@event("payments.payment.requested", subject="payment_id", sequence="payment_version")
class PaymentRequested(PaymentState):
    """The payment intent exists: the buyer can pay."""


@event("payments.payment.declined", subject="payment_id", sequence="payment_version")
class PaymentDeclined(PaymentState):
    """A card was declined; another may be tried."""


@event("payments.payment.authorized", subject="payment_id", sequence="payment_version")
class PaymentAuthorized(PaymentState):
    """The money is set aside, not taken."""


@event("payments.payment.succeeded", subject="payment_id", sequence="payment_version")
class PaymentSucceeded(PaymentState):
    """The money is taken."""


@event("payments.payment.failed", subject="payment_id", sequence="payment_version")
class PaymentFailed(PaymentState):
    """There will be no money: refused, voided, or the capture failed for good."""


@event("payments.payment.refunded", subject="payment_id", sequence="payment_version")
class PaymentRefunded(PaymentState):
    """Money was given back: `refund_id` says which of `refunds` it was."""

    refund_id: UUID


@event("payments.refund.failed", subject="payment_id", sequence="payment_version")
class RefundFailed(PaymentState):
    """Stripe refused a refund for good; it may be asked for again."""

    refund_id: UUID
    code: str


@event("payments.refund.refused", subject="order_id")
class RefundRefused(Message):
    """A refund cannot be: more than was paid, or nothing was."""

    order_id: UUID
    refund_id: UUID | None
    command: str
    code: str
    detail: str


@command("payments.refund.request", subject="order_id", refused_by=RefundRefused)
class RefundPayment(Message):
    """Give money back, once for each `refund_id`; only the order asks for it.

    Carries no order_version: refunds are not filtered by it.
    """

    order_id: UUID
    refund_id: UUID
    amount: Decimal | None
    """None: all that is left."""
    item_ids: list[UUID]
    keep_stock: bool


@event("payments.payment.restated", subject="payment_id", sequence="payment_version")
class PaymentRestated(PaymentState):
    """A payment as it is, said again for a view that is being rebuilt."""


@event("payments.user.erased", subject="user_id")
class PaidDataErased(Message):
    """What Stripe told of somebody whose account was deleted is cut down to ids."""

    user_id: UUID


@command("payments.payment.void", subject="order_id")
class VoidPayment(Message):
    """Give an authorisation back; only the order asks for it."""

    order_id: UUID
    order_version: int
    user_id: UUID


@command("payments.payment.drive", subject="order_id")
class DrivePayment(Message):
    """An operator drives an order on: noted in its payment's trail, and what waits is done now."""

    order_id: UUID
    action: Literal["retry", "void", "refund", "release"]
    by: Line
    """Who says so."""


@command("payments.webhook.record", subject="stripe_event_id")
class RecordWebhook(Message):
    """What Stripe told, its signature checked, its client secret taken out."""

    stripe_event_id: Line
    event_type: Line
    body: dict[str, Any]


@command("payments.state.republish", subject="after")
class RepublishPayments(Message):
    """Say every payment again, a page at a time, from the first id after `after`."""

    after: str = ""
