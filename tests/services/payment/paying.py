"""One payment, driven from the order's first event to the money's last move."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx

from bus.envelope import Outgoing, decode
from bus.runner import Runner
from bus.stores.postgres import Connection
from schemas.expiration import ClockTicked
from schemas.message import Message
from schemas.order import OrderCancelled, OrderCompleted, OrderCreated
from schemas.payment import RecordWebhook, RefundPayment, VoidPayment
from tests.driven import Driven, Said, postgres
from tests.stripe_stand_in.conftest import SECRET_KEY, StandIn
from tests.unit.view.samples import Sale
from workers.payment import calls
from workers.payment.gateway_worker import Desk

Row = dict[str, Any]
_ALL = 10_000


class Cashier:
    """The payment service, its gateway and Stripe."""

    def __init__(self, payments: Driven[Connection], desk: Desk, stand_in: StandIn) -> None:
        """Take what runs."""
        self.payments, self.desk, self.stand_in = payments, desk, stand_in

    def open(self, total: str = "25.00", currency: str = "EUR") -> "Paying":
        """Open the payment of a payable order, its intent made."""
        paying = Paying(self, total, currency)
        paying.hear(paying.created())
        paying.call()
        return paying


class Paying(Sale):
    """An order's payment."""

    def __init__(self, cashier: Cashier, total: str = "25.00", currency: str = "EUR") -> None:
        """Nothing has happened yet."""
        super().__init__(total, currency)
        self.cashier = cashier

    # What the order says.

    def created(self) -> OrderCreated:
        """Say that it can be paid."""
        return self.order(OrderCreated, 2, "AWAITING_PAYMENT")

    def completed(self, version: int = 3) -> OrderCompleted:
        """Say that it is confirmed."""
        return self.order(OrderCompleted, version, "CONFIRMED", step="capturing")

    def cancelled(self, version: int = 3, **other: Any) -> OrderCancelled:  # noqa: ANN401  # Fields.
        """Say that it has ended."""
        return self.order(OrderCancelled, version, "CANCELLED", cancel_reason="cancelled", **other)

    def void(self, version: int = 4) -> VoidPayment:
        """Ask for what is set aside to be given back."""
        return VoidPayment(order_id=self.order_id, order_version=version, user_id=self.user_id)

    def refund(
        self, amount: str | None = None, item_ids: Sequence[UUID] = (), *, keep_stock: bool = False
    ) -> RefundPayment:
        """Ask for money back: all that is left unless an amount is given."""
        return RefundPayment(
            order_id=self.order_id,
            refund_id=uuid4(),
            amount=None if amount is None else Decimal(amount),
            item_ids=[*item_ids],
            keep_stock=keep_stock,
        )

    def hear(self, message: Message) -> Said:
        """Tell the service."""
        return self.cashier.payments.told(message)

    def hear_for(self, operation: UUID, message: Message) -> Said:
        """Tell the service what an operation asks for."""
        return self.cashier.payments.told(message, operation_id=operation)

    # What Stripe says.

    def confirm(self, card: str = "pm_card_visa") -> int:
        """Pay as a buyer; return Stripe's status."""
        path = f"/v1/payment_intents/{self.row()['stripe_payment_intent_id']}/confirm"
        return self.cashier.stand_in.post(path, payment_method=card).status_code

    def webhook(self, event_type: str, event_id: str = "", **told: object) -> RecordWebhook:
        """Say what Stripe would of its intent."""
        intent = {"object": "payment_intent", "id": self.row()["stripe_payment_intent_id"]} | told
        return RecordWebhook(
            stripe_event_id=event_id or f"evt_{uuid4().hex}",
            event_type=f"payment_intent.{event_type}",
            body={"data": {"object": intent}},
        )

    def pay(self) -> Said:
        """Have the money set aside, and be told."""
        assert self.confirm() == 200
        return self.hear(self.webhook("amount_capturable_updated"))

    def paid(self, card: str = "pm_card_visa") -> "Paying":
        """Go all the way: set aside, confirmed, captured."""
        assert self.confirm(card) == 200
        self.hear(self.webhook("amount_capturable_updated"))
        self.hear(self.completed())
        self.call()
        assert self.state()[1] == "captured"
        return self

    def stripe_refunds(self) -> list[Row]:
        """Return what Stripe has given back of it, the oldest first."""
        intent = self.row()["stripe_payment_intent_id"]
        listed = self._stripe("GET", "/v1/refunds", {"payment_intent": intent, "limit": "100"})
        return [*reversed(listed["data"])]

    def give_back_at_stripe(self, units: int) -> Row:
        """Refund at Stripe itself, as somebody may in its dashboard."""
        intent = self.row()["stripe_payment_intent_id"]
        return self._stripe("POST", "/v1/refunds", {"payment_intent": intent, "amount": str(units)})

    def settle(self, stripe_refund: Row) -> None:
        """Let days pass, so that the bank answers to a refund."""
        self._stripe("POST", f"/v1/test_helpers/refunds/{stripe_refund['id']}/settle", {})

    def cancel_at_stripe(self) -> None:
        """Cancel the intent at Stripe itself."""
        path = f"/v1/payment_intents/{self.row()['stripe_payment_intent_id']}/cancel"
        self._stripe("POST", path, {})

    def capture_at_stripe(self) -> None:
        """Take the money at Stripe itself."""
        path = f"/v1/payment_intents/{self.row()['stripe_payment_intent_id']}/capture"
        self._stripe("POST", path, {})

    def refund_event(self, event_type: str, stripe_refund: Row) -> RecordWebhook:
        """Say what Stripe would of a refund."""
        return RecordWebhook(
            stripe_event_id=f"evt_{uuid4().hex}",
            event_type=event_type,
            body={"data": {"object": stripe_refund}},
        )

    def _stripe(self, method: str, path: str, form: dict[str, str]) -> Row:
        answer = self.cashier.stand_in.http.request(
            method,
            path,
            headers={"Authorization": f"Bearer {SECRET_KEY}"},
            **({"params": form} if method == "GET" else {"data": form}),  # type: ignore[arg-type]
        )
        assert answer.status_code == httpx.codes.OK, answer.text
        found: Row = answer.json()
        return found

    # What the gateway does.

    def call(self) -> Said:
        """Make every call that is due for it, those that were put off included."""
        said: list[Outgoing] = []
        Runner(self.cashier.payments.service, said.extend)
        while due := self.claim():
            for call in due:
                self.cashier.desk.make(call)
        if said:
            postgres("payment").mark([each.id for each in said])
        return Said([decode(each.body) for each in said])

    def call_once(self) -> None:
        """Make the next call, once, however it goes."""
        self.cashier.desk.make(self.claim()[0])

    def tick(self) -> Said:
        """Let ten seconds pass at the service; nobody has asked Stripe about it for a while."""
        postgres("payment").db.execute(
            "UPDATE payments SET asked_at = now() - interval '61 seconds' WHERE order_id = %s",
            [self.order_id],
        )
        return self.hear(self.clock())

    def clock(self) -> ClockTicked:
        """Say that ten seconds have passed."""
        return ClockTicked(clock="c", at=datetime.now(UTC))

    def claim(self) -> Sequence[calls.Call]:
        database = postgres("payment")
        database.db.execute("UPDATE gateway_calls SET next_at = now() WHERE state = 'due'")
        due = calls.claim_calls(database.db, database.claim, [], _ALL)
        return [each for each in due if each.payment_id == self.row()["id"]]

    # What is kept.

    def row(self) -> Row:
        """Return the payment."""
        (row,) = self._rows("SELECT * FROM payments WHERE order_id = %s", self.order_id)
        return row

    def state(self) -> tuple[str, str, Decimal]:
        """Return its status, how far its money is, and how much was taken."""
        row = self.row()
        return row["status"], row["authorisation"], row["captured_amount"]

    def refunds(self) -> list[Row]:
        """Return its refunds, the oldest first."""
        return self._rows(
            "SELECT * FROM refunds WHERE payment_id = %s ORDER BY number", self.row()["id"]
        )

    def records(self) -> list[str]:
        """Return the audit trail."""
        rows = self._rows(
            "SELECT event_type FROM payment_records WHERE payment_id = %s ORDER BY number",
            self.row()["id"],
        )
        return [row["event_type"] for row in rows]

    def calls(self) -> list[Row]:
        """Return the calls that were asked for."""
        return self._rows(
            "SELECT * FROM gateway_calls WHERE payment_id = %s ORDER BY number", self.row()["id"]
        )

    def intents(self) -> list[Row]:
        """Return what Stripe has for the order."""
        ledger = self.cashier.stand_in.http.get("/_stand_in/ledger").json()["intents"]
        return [each for each in ledger if each["metadata"].get("order_id") == str(self.order_id)]

    def _rows(self, statement: str, value: UUID) -> list[Row]:
        return postgres("payment").db.execute(statement.encode(), [value]).fetchall()
