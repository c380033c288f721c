"""An order, its allowed moves and its rules.

    PENDING          -> AWAITING_PAYMENT, CONFIRMED (free), CANCELLED
    AWAITING_PAYMENT -> CONFIRMED, CANCELLED, EXPIRED
    EXPIRED          -> CONFIRMED (retaken)
    CONFIRMED        -> CANCELLED (refunded, event cancelled, capture failed, a free one given back)

`step` drives the saga beside the status. Every move that says something raises `version`, which
is `order_version` on the wire: what another service does for an order, it does for the highest
version that it has seen. While an EXPIRED order is `retaking` it asks for its tickets again,
because money came late, and has a deadline for that; once it is `voided`, it only gives money
back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from bus.service import Refusal
from schemas.order import OrderState, OrderStatus, OrderStep, PlaceOrder
from schemas.payment import PaymentState
from schemas.ticket import ReservationHeld
from schemas.venue import SeatsReserved
from workers.order import items as lines
from workers.order.items import NewId

MOVES: dict[OrderStatus, set[OrderStatus]] = {
    "PENDING": {"AWAITING_PAYMENT", "CONFIRMED", "CANCELLED"},
    "AWAITING_PAYMENT": {"CONFIRMED", "CANCELLED", "EXPIRED"},
    "EXPIRED": {"CONFIRMED"},
    "CONFIRMED": {"CANCELLED"},
    "CANCELLED": set(),
}


@dataclass(frozen=True, kw_only=True)
class Lifetimes:
    """How long an order may stay unfinished."""

    pending: timedelta
    payable: timedelta


@dataclass(frozen=True, kw_only=True)
class Order(OrderState):
    """An order as its service keeps it: what everybody may know, and the saga's own notes."""

    awaited_version: int | None = None
    """The version of the hold whose reply is awaited."""
    arms: int = 0
    """How many timers were armed for it."""
    payment_version: int = 0
    """The newest of its payment that was heard to tell of refunds."""
    event_cancelled: bool = False
    """Whether its ticket's event was called off."""

    @classmethod
    def place(  # noqa: PLR0913  # Who, what and when.
        cls,
        command: PlaceOrder,
        *,
        new_id: NewId,
        buyer: UUID,
        operation_id: UUID,
        now: datetime,
        lifetimes: Lifetimes,
    ) -> "Order":
        """Open an order; nothing is promised yet.

        Raises:
            Refusal: invalid_request, unless it asks in exactly one way.
        """
        return cls(
            order_id=new_id(),
            order_version=1,
            user_id=buyer,
            ticket_id=command.ticket_id,
            organizer_id=None,
            reservation_id=new_id(),
            status="PENDING",
            step="holding",
            cancel_reason=None,
            seated=None,
            method=command.method,
            items=lines.asked(command, new_id),
            total_amount=None,
            currency=None,
            expires_at=now + lifetimes.pending,
            created_at=now,
            updated_at=now,
            operation_id=operation_id,
            awaited_version=1,
            arms=1,
        )

    # What is read of it by the messages that it says.

    @property
    def quantity(self) -> int:
        """How many tickets it is for."""
        return lines.count(self.items)

    @property
    def seat_ids(self) -> list[UUID] | None:
        """Its seats, where it has chosen them or was given them."""
        return lines.seats_of(self.items) or None

    @property
    def section_id(self) -> UUID | None:
        """Where its seats are to be chosen, or its places without seats are."""
        return None if self.seat_ids else self.items[0].section_id

    @property
    def deadline(self) -> datetime:
        """When it ends by itself.

        Raises:
            LookupError: it has ended, or is paid.
        """
        if not self.has_deadline or self.expires_at is None:
            msg = f"a {self.status} order has no deadline"
            raise LookupError(msg)
        return self.expires_at

    @property
    def has_deadline(self) -> bool:
        """Whether it ends by itself unless something happens."""
        return self.open or self.step == "retaking"

    @property
    def open(self) -> bool:
        """Whether it has yet to be paid."""
        return self.status in {"PENDING", "AWAITING_PAYMENT"}

    @property
    def arm(self) -> int:
        """The number of its latest timer."""
        return self.arms

    @property
    def ended(self) -> bool:
        """Whether it ended without tickets, and is not asking for them again."""
        return self.status in {"CANCELLED", "EXPIRED"} and self.step != "retaking"

    @property
    def refunds_heard(self) -> bool:
        """Whether refunds of its payment were told of: it was paid, then."""
        return self.payment_version > 0

    def awaits(self, order_version: int) -> bool:
        """Whether this is the reply to a hold that it waits for."""
        return self.step in {"holding", "retaking"} and order_version == self.awaited_version

    # Moves.

    def held(self, event: ReservationHeld, *, now: datetime, lifetimes: Lifetimes) -> "Order":
        """Take the price; become payable, or confirmed when there is nothing to pay."""
        items = [replace(item, unit_price=event.unit_price) for item in self.items]
        owned = replace(self, organizer_id=event.organizer_id, items=items, seated=False)
        return owned.priced(event.currency, now, lifetimes.payable)

    def reserved(self, event: SeatsReserved, *, new_id: NewId, now: datetime) -> "Order":
        """Take the seats at their prices; it can be paid for as long as their organizer says."""
        items = lines.seated(self.items, event.items, new_id)
        owned = replace(self, organizer_id=event.organizer_id, seated=True, items=items)
        return owned.priced(event.currency, now, timedelta(seconds=event.hold_ttl_sec))

    def priced(self, currency: str, now: datetime, payable: timedelta) -> "Order":
        """Add up what its items cost."""
        prices = ((each.unit_price or Decimal(0)) * each.quantity for each in self.items)
        total = sum(prices, Decimal(0))
        priced = replace(self, total_amount=total, currency=currency, awaited_version=None)
        if total == 0:
            return priced.moved("CONFIRMED", "settled", now, expires_at=None)
        return priced.moved(
            "AWAITING_PAYMENT", "payable", now, expires_at=now + payable, arms=self.arms + 1
        )

    def retake(self, now: datetime, lifetimes: Lifetimes) -> "Order":
        """Ask for the same again: money came after its deadline."""
        return self.said(
            now,
            step="retaking",
            awaited_version=self.order_version + 1,
            expires_at=now + lifetimes.pending,
            arms=self.arms + 1,
        )

    def retaken(self, now: datetime) -> "Order":
        """It has its tickets again, at the prices that were authorised."""
        return replace(self, cancel_reason=None, awaited_version=None).confirm(now)

    def confirm(self, now: datetime) -> "Order":
        """Its payment is authorised: nothing but a refund undoes it from here."""
        return self.moved("CONFIRMED", "capturing", now, expires_at=None)

    def settle(self, now: datetime) -> "Order":
        """Its money has been taken."""
        return self.said(now, step="settled")

    def void(self, now: datetime) -> "Order":
        """Its payment is to be given back, whatever is heard of it from now on."""
        return self.said(now, step="voided", awaited_version=None)

    def insist(self, now: datetime) -> "Order":
        """Say something again, under a version of its own."""
        return self.said(now)

    def cancel(
        self,
        reason: str,
        now: datetime,
        *,
        detail: str | None = None,
        seats_taken: Sequence[UUID] = (),
    ) -> "Order":
        """End, for a reason that its buyer is told."""
        step: OrderStep = "voided" if self.step == "voided" else "settled"
        return self.moved(
            "CANCELLED",
            step,
            now,
            cancel_reason=reason,
            cancel_detail=detail or None,
            seats_taken=list(seats_taken),
            awaited_version=None,
            expires_at=None,
            released_version=self.order_version + 1,
        )

    def refunded(self, event: PaymentState, now: datetime) -> "Order":
        """Note what was given back by now; with the last of it a confirmed order ends.

        The event tells of all refunds of its payment, so that only the newest is looked at. Items
        that were refunded and kept stay sold, and so does all that is left when the refund of the
        rest keeps its stock.
        """
        if event.payment_version <= self.payment_version:
            return self
        done = [each for each in event.refunds if each.status == "SUCCEEDED"]
        items = self.items
        for each in done:
            items = lines.refunded(items, set(each.item_ids), kept=each.keep_stock)
        heard = replace(self, payment_version=event.payment_version)
        amount = event.refunded_amount
        if self.status == "CONFIRMED" and amount and amount >= (self.total_amount or 0):
            rest = {item.id for item in items}
            keeps = bool(done) and done[-1].keep_stock and not done[-1].item_ids
            items = lines.refunded(items, rest, kept=keeps)
            ended = replace(heard, items=items, refunded_amount=amount)
            return ended.cancel("event_cancelled" if self.event_cancelled else "refunded", now)
        if amount == self.refunded_amount and items == self.items:
            return heard
        if lines.given_back(items) != lines.given_back(self.items):
            heard = replace(heard, released_version=self.order_version + 1)
        return heard.said(now, items=items, refunded_amount=amount)

    def cancel_for_buyer(self, now: datetime) -> "Order":
        """End it because its buyer asks.

        Raises:
            Refusal: order_not_cancellable, when it has ended or money is on its way.
        """
        free = self.status == "CONFIRMED" and self.total_amount == 0
        if not (self.open or free):
            raise Refusal("order_not_cancellable", f"The order is {self.status} already.")
        return self.cancel("cancelled", now)

    def end_at_deadline(self, now: datetime) -> "Order":
        """End because nothing came in time: timed out while PENDING, expired while unpaid."""
        if self.status == "PENDING":
            return self.cancel("timed_out", now)
        return self.moved("EXPIRED", "settled", now, cancel_reason="expired")

    def rearmed(self) -> "Order":
        """Count another timer; nothing else about it changes."""
        return replace(self, arms=self.arms + 1)

    def moved(
        self,
        status: OrderStatus,
        step: OrderStep,
        now: datetime,
        **changes: Any,  # noqa: ANN401  # Fields of its own.
    ) -> "Order":
        """Move, and say so.

        Raises:
            ValueError: the table does not know this move.
        """
        if status not in MOVES[self.status]:
            msg = f"an order cannot go from {self.status} to {status}"
            raise ValueError(msg)
        return self.said(now, status=status, step=step, **changes)

    def said(self, now: datetime, **changes: Any) -> "Order":  # noqa: ANN401  # Its own fields.
        """Raise the version, because something is said of it."""
        return replace(self, order_version=self.order_version + 1, updated_at=now, **changes)
