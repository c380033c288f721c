"""A paid order, and what its service hears about its refunds."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid4

from schemas.order import RequestRefund
from schemas.payment import (
    PaymentRefunded,
    PaymentSucceeded,
    Refund,
    RefundFailed,
    RefundPayment,
)
from tests.driven import Said
from tests.services.order.buying import Buying, Orders

SEATS = [uuid4(), uuid4(), uuid4()]
_Told = TypeVar("_Told", PaymentRefunded, RefundFailed)


class Paid(Buying):
    """A paid order of three seats at 12.50, and its refunds."""

    def __init__(
        self,
        orders: Orders,
        ticket_id: UUID | None = None,
        **choice: Any,  # noqa: ANN401  # The command's fields.
    ) -> None:
        """Buy and pay."""
        super().__init__(orders, ticket_id, **(choice or {"seat_ids": SEATS}))
        self.told(self.reserved(*SEATS) if self.asked.seat_ids else self.held())
        self.told(self.authorized())
        self.told(self.payment(PaymentSucceeded, 5, status="SUCCEEDED", authorisation="captured"))
        self.refunds: list[Refund] = []
        self.payment_version = 5

    def ask(self, **told: Any) -> Said:  # noqa: ANN401  # The command's fields.
        """Ask for money back, as the organizer."""
        command = RequestRefund(order_id=self.order_id, **told)
        return self.orders.told(command, user_id=self.organizer_id, operation_id=uuid4())

    def asked_for(self, **told: Any) -> RefundPayment:  # noqa: ANN401  # The command's fields.
        """Ask, and return what the payment is asked for."""
        return self.ask(**told).one(RefundPayment)

    def done(self, asked: RefundPayment, status: Any = "SUCCEEDED") -> PaymentRefunded:  # noqa: ANN401  # A status.
        """Say that a refund has ended."""
        assert asked.amount is not None
        told = Refund.of(asked, status=status, failure=None, operation_id=None)
        self.refunds = [*self.refunds, told]
        return self._state(PaymentRefunded, refund_id=asked.refund_id)

    def failed_refund(self, asked: RefundPayment) -> RefundFailed:
        """Say that a refund does not work."""
        self.done(asked, "FAILED")
        return self._state(RefundFailed, refund_id=asked.refund_id, code="expired_or_canceled_card")

    def sent_back(self, asked: RefundPayment) -> RefundFailed:
        """Say that a bank has sent back what was given back."""
        self.refunds = [
            replace(each, status="FAILED") if each.refund_id == asked.refund_id else each
            for each in self.refunds
        ]
        return self._state(RefundFailed, refund_id=asked.refund_id, code="lost_or_stolen_card")

    def _state(self, kind: type[_Told], **more: Any) -> _Told:  # noqa: ANN401  # Its fields.
        self.payment_version += 1
        done = [each.amount for each in self.refunds if each.status == "SUCCEEDED"]
        return self.payment(
            kind,
            self.payment_version,
            refunds=self.refunds,
            refunded_amount=sum(done, Decimal(0)),
            **more,
        )

    def item_ids(self) -> list[UUID]:
        """Return its lines."""
        return [row["id"] for row in self.items()]
