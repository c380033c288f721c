"""People who offer, buy, pay, cancel and give back, whenever they like."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from bus.envelope import as_json, decode, envelope_of
from bus.runner import Done, Incoming
from bus.stores.postgres import jsonb
from schemas.message import Message
from schemas.order import CancelOrder, PlaceOrder, RequestRefund
from schemas.ticket import CancelTicket, CreateTicket, EditTicket, TicketCreated, TicketEvent
from tests.driven import postgres
from tests.saga.bags import Bags
from tests.saga.stripe import Stripe

PRICES = [("12.50", "EUR"), ("1500", "JPY"), ("14.250", "KWD"), ("700", "ISK"), ("0", "EUR")]
CARDS = {
    "pm_card_visa": 8,
    "pm_card_applePay": 2,
    "pm_card_chargeDeclined": 3,
    "pm_card_threeDSecure2Required": 2,
    "pm_card_pendingRefund": 2,
    "pm_card_refundFail": 4,
    "pm_card_captureFails": 2,
    "pm_card_captureExpires": 1,
}
INTENT = "stripe_payment_intent_id"


class Town(Bags):
    """A few tickets, their organizer, and buyers."""

    def __init__(self, seed: int, stripe: Stripe) -> None:
        """Nobody has done anything yet."""
        super().__init__(seed)
        self.stripe = stripe
        self.buyers = [uuid4() for _ in range(self.random.randint(1, 3))]
        self.organizer = uuid4()
        self.operations: dict[UUID, Message] = {}
        self.called_off: set[UUID] = set()
        self.asked = 0
        self.tickets: list[UUID] = []

    def ask(self, command: Message, user: UUID) -> None:
        """Accept a command as the edge does: its operation first."""
        operation = uuid4()
        asked = envelope_of(command, source="/edge", operation_id=operation, user_id=user)
        postgres("view").db.execute(
            "INSERT INTO operations (id, user_id, type, route, command, republished)"
            " VALUES (%s, %s, %s, 'POST /saga', %s, 100)",
            [operation, user, command.TYPE, jsonb(as_json(asked))],
        )
        self.operations[operation] = command
        self.send(asked)

    def place(self) -> None:
        """Buy a few."""
        ticket_id = self.random.choice(self.tickets) if self.random.random() < 0.97 else uuid4()
        self.asked += 1
        command = PlaceOrder(ticket_id=ticket_id, **self.choice(ticket_id))
        self.ask(command, self.random.choice(self.buyers))

    def choice(self, _: UUID) -> dict[str, Any]:
        """Say what to buy of a ticket."""
        return {"quantity": self.random.randint(1, 3)}

    def pay(self) -> None:
        """Confirm an intent, whatever has become of its order meanwhile."""
        if intents := list(filter(None, (row[INTENT] for row in self.payments()))):
            (card,) = self.random.choices(list(CARDS), list(CARDS.values()))
            self.stripe.confirm(self.random.choice(intents), card)

    def cancel(self) -> None:
        """Give an order back; a stranger may try."""
        if orders := self.order_ids():
            about = self.random.choice(orders)
            self.ask(CancelOrder(order_id=about), self.random.choice([*self.buyers, uuid4()]))

    def authenticate(self) -> None:
        """Answer the bank's question, if it asks one."""
        if intents := list(filter(None, (row[INTENT] for row in self.payments()))):
            outcome = self.random.choice(["succeeded", "succeeded", "failed"])
            self.stripe.authenticate(self.random.choice(intents), outcome)

    def refund(self) -> None:
        """Give money back: all, an amount or some items; a stranger may try."""
        found = self.rows("order", "SELECT * FROM orders WHERE user_id = ANY(%s)", self.buyers)
        if not found:
            return
        order = self.random.choice([*(o for o in found if o["status"] == "CONFIRMED"), *found])
        items = self.rows("order", "SELECT id FROM order_items WHERE order_id = %s", order["id"])
        amount = (order["total_amount"] or Decimal(1)) / self.random.choice([1, 2, 3])
        ways: list[dict[str, Any]] = [
            {},
            {"amount": amount.quantize(order["total_amount"] or Decimal(1))},
            {"item_ids": [self.random.choice(items)["id"]]},
        ]
        command = RequestRefund(
            order_id=order["id"],
            keep_stock=self.random.random() < 0.3,
            **self.random.choice(ways),
        )
        self.ask(command, self.random.choice([*[self.organizer] * 9, uuid4()]))

    def edit(self) -> None:
        """Change a ticket while it is being sold."""
        ticket_id = self.random.choice(self.tickets)
        changes: list[dict[str, Any]] = [
            {"price": Decimal(20)},
            {"quota": self.random.randint(1, 9)},
        ]
        command = EditTicket(
            ticket_id=ticket_id, version=self.random.randint(1, 2), **self.random.choice(changes)
        )
        self.ask(command, self.organizer)

    def call_off(self) -> None:
        """Cancel an event, perhaps one that was cancelled before."""
        ticket_id = self.random.choice(self.tickets)
        self.called_off.add(ticket_id)
        self.ask(CancelTicket(ticket_id=ticket_id), self.organizer)

    def offer(self, **fixed: Any) -> UUID:  # noqa: ANN401  # The command's fields.
        """Put a ticket on sale; what is not given is left to chance."""
        price, currency = self.random.choice(PRICES)
        starts = datetime(2037, 1, 1, 20, tzinfo=UTC)
        told: dict[str, Any] = {
            "title": "A concert",
            "price": Decimal(price),
            "currency": currency,
            "quota": self.random.randint(1, 8),
            "max_per_user": self.random.randint(1, 5),
            "ticket_type": "GA",
            "event": TicketEvent(title="A", starts_at=starts, ends_at=starts + timedelta(hours=2)),
        }
        command = CreateTicket(**told | fixed)
        before = len(self.bags["view"].waiting)
        self.ask(command, self.organizer)
        while self.bags["ticket"].waiting:
            body = self.bags["ticket"].waiting.pop()
            assert self.runners["ticket"].run([Incoming(body)]) == [Done()]
        said = [decode(body).data for body in self.bags["view"].waiting[before:]]
        return next(each.ticket_id for each in said if isinstance(each, TicketCreated))

    # Looking.

    def order_ids(self) -> list[UUID]:
        """Return the orders that these tickets' buyers have placed."""
        found = self.rows("order", "SELECT id FROM orders WHERE user_id = ANY(%s)", self.buyers)
        return [row["id"] for row in found]

    def items(self) -> list[dict[str, Any]]:
        """Return the lines of these orders."""
        return self.rows(
            "order",
            "SELECT i.* FROM order_items i JOIN orders o ON o.id = i.order_id"
            " WHERE o.user_id = ANY(%s) ORDER BY i.id",
            self.buyers,
        )

    def payments(self) -> list[dict[str, Any]]:
        """Return these buyers' payments."""
        return self.rows("payment", "SELECT * FROM payments WHERE user_id = ANY(%s)", self.buyers)
