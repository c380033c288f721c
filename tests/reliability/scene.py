"""A world in which only what is asked for happens, every message of it twice, in any order."""

import random
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from bus.envelope import envelope_of
from schemas.order import CancelOrder, PlaceOrder, RequestRefund
from tests.saga.lines import Row, check
from tests.saga.stripe import Stripe
from tests.saga.town import INTENT
from tests.saga.world import World
from workers.payment.gateway_worker import Desk


class Scene:
    """A few people, and what they do."""

    def __init__(self, stripe: Stripe, desk: Desk) -> None:
        """Nothing fails unless a test wants it to."""
        self.world = World(random.SystemRandom().randrange(2**31), stripe, desk)
        self.world.faulty, self.world.lost = False, 0
        stripe.faults(None)
        self.stripe = stripe

    def offer(self, **fixed: Any) -> UUID:  # noqa: ANN401  # The command's fields.
        """Put tickets on sale; there are enough of them unless it is said."""
        plain = {"price": Decimal("12.50"), "currency": "EUR", "quota": 50, "max_per_user": 5}
        ticket_id = self.world.offer(**plain | fixed)
        self.world.tickets.append(ticket_id)
        return ticket_id

    def person(self) -> UUID:
        """Have somebody else come."""
        self.world.buyers.append(uuid4())
        return self.world.buyers[-1]

    def place(self, ticket_id: UUID, quantity: int = 1, buyer: UUID | None = None) -> UUID:
        """Ask for tickets; return the operation. Nothing has arrived anywhere yet."""
        self.world.asked += 1
        before = set(self.world.operations)
        self.world.ask(PlaceOrder(ticket_id=ticket_id, quantity=quantity), buyer or self.person())
        (operation,) = self.world.operations.keys() - before
        return operation

    def buy(self, ticket_id: UUID, quantity: int = 1, buyer: UUID | None = None) -> UUID:
        """Ask for tickets, and let all that follows arrive; return the order."""
        operation = self.place(ticket_id, quantity, buyer)
        self.settle()
        return self.order_of(operation)["id"]  # type: ignore[no-any-return]  # It is one.

    def confirm(self, order_id: UUID, card: str = "pm_card_visa") -> None:
        """Pay at Stripe; nobody has heard of it yet."""
        self.stripe.confirm(self.payment(order_id)[INTENT], card)

    def pay(self, order_id: UUID, card: str = "pm_card_visa") -> None:
        """Pay, and let all that follows arrive."""
        self.confirm(order_id, card)
        self.settle()

    def cancel(self, order_id: UUID) -> None:
        """Have an order's buyer give it back."""
        self.world.ask(CancelOrder(order_id=order_id), self.order(order_id)["user_id"])
        self.settle()

    def refund(self, order_id: UUID, **what: Any) -> None:  # noqa: ANN401  # The command's fields.
        """Have the organizer give money back; nothing has arrived anywhere yet."""
        self.world.ask(RequestRefund(order_id=order_id, **what), self.world.organizer)

    def expire(self, order_id: UUID) -> None:
        """Let an order's deadline pass, and all that follows arrive, but nothing of Stripe's."""
        self.world.pass_deadline(order_id)
        while self.world.deliver():
            pass

    def say(self, message: Any, source: str = "/test") -> None:  # noqa: ANN401  # Any message.
        """Say something."""
        self.world.send(envelope_of(message, source=source))

    def settle(self) -> None:
        """Let all that is under way arrive."""
        self.world.settle()

    def over(self) -> None:
        """Come to rest; the lines hold."""
        self.world.rest()
        check(self.world)
        self.world.forget()

    # Looking.

    def order(self, order_id: UUID) -> Row:
        """Return an order."""
        (row,) = self.world.rows("order", "SELECT * FROM orders WHERE id = %s", order_id)
        return row

    def order_of(self, operation: UUID) -> Row:
        """Return the order that an operation has placed."""
        (row,) = self.world.rows("order", "SELECT * FROM orders WHERE operation_id = %s", operation)
        return row

    def payment(self, order_id: UUID) -> Row:
        """Return an order's payment."""
        (row,) = self.world.rows("payment", "SELECT * FROM payments WHERE order_id = %s", order_id)
        return row

    def intents(self, order_id: UUID) -> list[Row]:
        """Return what Stripe has for an order."""
        ledger = self.stripe.intents(self.world.since)
        return [each for each in ledger if each["metadata"].get("order_id") == str(order_id)]

    def ended(self, order_id: UUID) -> tuple[str, str | None]:
        """Return an order's status, and why it ended."""
        row = self.order(order_id)
        return row["status"], row["cancel_reason"]
