"""A payment and its allowed moves.

    PENDING -> SUCCEEDED, FAILED · SUCCEEDED -> REFUNDED (in full)

Beside the status, `authorisation` tells how far the money is: none, authorized (set aside),
capturing, captured; or refused, capture_failed, voiding, voided, which end in FAILED. Once it is
voiding it is never again reported as authorised. What ended without money, but was taken at Stripe
by somebody else, becomes captured, so that it can be given back.

A refund is PENDING until Stripe has said what became of it. What is pending counts as given back
when another one is asked for, so that no more than was captured can ever go back.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from bus.service import Refusal
from schemas.order import OrderState
from schemas.payment import Authorisation, PaymentState, PaymentStatus, Refund, RefundStatus

MOVES: dict[Authorisation, set[Authorisation]] = {
    "none": {"authorized", "refused", "voiding"},
    "authorized": {"capturing", "voiding"},
    "capturing": {"captured", "capture_failed"},
    "voiding": {"voided", "captured"},
    "captured": set(),
    "refused": set(),
    "capture_failed": {"captured"},
    "voided": set(),
}
REFUND_MOVES: dict[RefundStatus, set[RefundStatus]] = {
    "PENDING": {"SUCCEEDED", "FAILED"},
    "SUCCEEDED": {"FAILED"},  # A bank may send it back, days later.
    "FAILED": {"PENDING", "SUCCEEDED"},
}
STATUS: dict[Authorisation, PaymentStatus] = {
    "none": "PENDING",
    "authorized": "PENDING",
    "capturing": "PENDING",
    "voiding": "PENDING",
    "captured": "SUCCEEDED",
    "refused": "FAILED",
    "capture_failed": "FAILED",
    "voided": "FAILED",
}


@dataclass(frozen=True, kw_only=True)
class Payment(PaymentState):
    """A payment as its service keeps it."""

    stripe_payment_intent_id: str | None = None
    operation_id: UUID | None = None
    """The operation that placed the order, so that its steps are seen."""
    created_at: datetime

    @classmethod
    def of_order(cls, order: OrderState, *, payment_id: UUID, now: datetime) -> "Payment":
        """Open the payment of a payable order."""
        if order.total_amount is None or order.currency is None:
            msg = f"order {order.order_id} has no total"
            raise ValueError(msg)
        return cls._new(order, payment_id, order.total_amount, order.currency, now)

    @classmethod
    def tombstone(cls, order: OrderState, *, payment_id: UUID, now: datetime) -> "Payment":
        """Note that an order ended before its payment began: none will be opened for it."""
        opened = cls._new(order, payment_id, Decimal(0), order.currency or "XXX", now)
        return replace(opened, status="FAILED", authorisation="voided")

    @classmethod
    def _new(
        cls, order: OrderState, payment_id: UUID, amount: Decimal, currency: str, now: datetime
    ) -> "Payment":
        return cls(
            payment_id=payment_id,
            payment_version=1,
            order_id=order.order_id,
            order_version=order.order_version,
            user_id=order.user_id,
            method=order.method,
            amount=amount,
            currency=currency,
            status="PENDING",
            authorisation="none",
            captured_amount=Decimal(0),
            refunded_amount=Decimal(0),
            client_secret=None,
            failure=None,
            operation_id=order.operation_id,
            created_at=now,
            updated_at=now,
        )

    @property
    def announced(self) -> bool:
        """Whether anybody was told of it: not before its intent, and never of a tombstone."""
        return self.payment_version > 1

    @property
    def left(self) -> Decimal:
        """How much may still be asked back, of what was captured or is about to be."""
        back = sum((each.amount for each in self.refunds if each.status != "FAILED"), Decimal(0))
        return (self.captured_amount or self.amount) - back

    def refundable(self, wanted: Decimal | None) -> Decimal:
        """Return how much a refund is for: what is wanted, or all that is left.

        Raises:
            Refusal: refund_exceeds_payment, when there is not so much, or there will be none.
        """
        if self.authorisation not in {"authorized", "capturing", "captured"}:
            raise Refusal("refund_exceeds_payment", "Nothing was paid.")
        amount = self.left if wanted is None else wanted
        if amount <= 0 or amount > self.left:
            left = f"{self.left} {self.currency} are left of what was paid."
            raise Refusal("refund_exceeds_payment", left)
        return amount

    def refund(self, refund_id: UUID | None) -> Refund | None:
        """Return one of its refunds."""
        return next((each for each in self.refunds if each.refund_id == refund_id), None)

    def may(self, authorisation: Authorisation) -> bool:
        """Whether it may move there."""
        return authorisation in MOVES[self.authorisation]

    def seen(self, order_version: int) -> "Payment":
        """Apply the order's version."""
        return replace(self, order_version=order_version)

    def requested(self, intent_id: str, sealed_secret: str | None, now: datetime) -> "Payment":
        """Its intent exists: the buyer can pay, when the secret is to be known."""
        return self._changed(now, stripe_payment_intent_id=intent_id, client_secret=sealed_secret)

    def refunding(self, refund: Refund, now: datetime) -> "Payment":
        """Note a refund as it is now; the status follows what was given back.

        Raises:
            ValueError: it has ended in another way already.
        """
        known = self.refund(refund.refund_id)
        if known is None:
            refunds = [*self.refunds, refund]
        elif refund.status in REFUND_MOVES[known.status]:
            refunds = [refund if each is known else each for each in self.refunds]
        else:
            msg = f"a refund cannot go from {known.status} to {refund.status}"
            raise ValueError(msg)
        back = sum((each.amount for each in refunds if each.status == "SUCCEEDED"), Decimal(0))
        return self._changed(
            now, refunds=refunds, refunded_amount=back, status=self._status_at(back)
        )

    def _status_at(self, back: Decimal) -> PaymentStatus:
        if self.captured_amount and back == self.captured_amount:
            return "REFUNDED"
        return STATUS[self.authorisation]

    def declined(self, code: str, now: datetime) -> "Payment":
        """A card was declined; another may be tried."""
        return self._changed(now, failure=code)

    def moved(
        self,
        authorisation: Authorisation,
        now: datetime,
        **changes: Any,  # noqa: ANN401  # Fields of its own.
    ) -> "Payment":
        """Move, and let the status follow.

        Raises:
            ValueError: the table does not know this move.
        """
        if not self.may(authorisation):
            msg = f"a payment cannot go from {self.authorisation} to {authorisation}"
            raise ValueError(msg)
        return self._changed(
            now, authorisation=authorisation, status=STATUS[authorisation], **changes
        )

    def _changed(self, now: datetime, **changes: Any) -> "Payment":  # noqa: ANN401  # Its own fields.
        return replace(self, payment_version=self.payment_version + 1, updated_at=now, **changes)
