"""A small world in which everything that may happen to a few orders happens in any order.

Every message is delivered twice, shuffled among all others, in batches cut anywhere; the second
copy may come after everything else has come to rest. Calls to Stripe's stand-in fail, lose their
answers or their caller; webhooks come doubled, under message ids of their own, whenever, or never.
Refunds are asked for by organizers and by strangers, made by hand at Stripe, and refused by it.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from bus.envelope import envelope_of
from http_edge.webhooks import without_secrets
from schemas.expiration import ClockTicked, TimerFired
from schemas.order import RequestRefund
from schemas.payment import DrivePayment, RecordWebhook, RefundPayment
from schemas.ticket import CancelTicket, HoldReservation
from tests.driven import postgres
from tests.saga.bags import RESTING
from tests.saga.halls import Halls
from tests.saga.stripe import Stripe
from tests.saga.town import INTENT
from workers.payment import calls
from workers.payment.gateway_worker import Desk

if TYPE_CHECKING:
    from collections.abc import Callable

HEARD = {
    *("payment_intent.amount_capturable_updated", "payment_intent.payment_failed"),
    *("payment_intent.succeeded", "payment_intent.canceled"),
    *("charge.refunded", "refund.updated", "refund.failed"),
}
"""What Stripe is asked to tell."""
LOST = 0.1
"""How much of it never comes."""


class World(Halls):
    """A town, the time that passes there, and Stripe."""

    def __init__(self, seed: int, stripe: Stripe, desk: Desk) -> None:
        """Open a ticket or two."""
        super().__init__(seed, stripe)
        self.desk = desk
        self.since = int(datetime.now(UTC).timestamp()) - 1
        self.lost = LOST
        self.faulty = self.random.random() < 0.4
        stripe.faults(seed if self.faulty else None)
        stripe.news()
        for _ in range(self.random.randint(1, 2)):
            seated = self.random.random() < 0.5
            self.tickets.append(self.build() if seated else self.offer())

    # What time does.

    def expire(self) -> None:
        """Let an order's deadline pass, and its timer fire."""
        if orders := self.order_ids():
            self.pass_deadline(self.random.choice(orders))

    def pass_deadline(self, order_id: UUID) -> None:
        self.rows(
            "order",
            "UPDATE orders SET expires_at = now() - interval '1 second' WHERE id = %s"
            " AND (status IN ('PENDING', 'AWAITING_PAYMENT') OR step = 'retaking') RETURNING id",
            order_id,
        )
        self._fire(order_id)

    def pay_late(self) -> None:
        """Let a deadline pass just before the buyer pays."""
        waiting = self.rows(
            "order",
            "SELECT id FROM orders WHERE status = 'AWAITING_PAYMENT' AND user_id = ANY(%s)",
            self.buyers,
        )
        intents = {row["order_id"]: row[INTENT] for row in self.payments() if row[INTENT]}
        if payable := [row["id"] for row in waiting if row["id"] in intents]:
            order_id = self.random.choice(payable)
            self.pass_deadline(order_id)
            self.stripe.confirm(intents[order_id], "pm_card_visa")

    def fire_early(self) -> None:
        """Fire a timer whose time has not come, or whose order has ended."""
        for order_id in self.order_ids()[:1]:
            self._fire(order_id)

    def _fire(self, order_id: UUID) -> None:
        fired = TimerFired(order_id=order_id, deadline=datetime.now(UTC), arm=1)
        self.send(envelope_of(fired, source="/expiration"))

    def tick(self) -> None:
        """Ten seconds have passed."""
        self.send(envelope_of(ClockTicked(clock="c", at=datetime.now(UTC)), source="/expiration"))

    # What Stripe does.

    def call(self) -> bool:
        """Make one of the calls that are due, or die over it; False when there is none."""
        database = postgres("payment")
        database.db.execute("UPDATE gateway_calls SET next_at = now() WHERE state = 'due'")
        due = calls.claim_calls(database.db, database.claim, [], 10_000)
        ours = {row["id"] for row in self.payments()}
        found = [each for each in due if each.payment_id in ours]
        if not found:
            return False
        call = self.random.choice(found)
        if self.faulty and self.random.random() < 0.15:
            self.desk.ask(call)  # Stripe has done the work, but nobody is there to write it down.
        else:
            self.desk.make(call)
        return True

    def hear_stripe(self) -> bool:
        """Take Stripe's new events in; False when there are none."""
        news = self.stripe.news()
        for event in news:
            if event["type"] not in HEARD or self.random.random() < self.lost:
                continue
            told = RecordWebhook(
                stripe_event_id=event["id"],
                event_type=event["type"],
                body=without_secrets(event),
            )
            for _ in range(self.random.choice([1, 1, 2])):
                self.send(envelope_of(told, source="/edge"))
        return bool(news)

    def give_back(self) -> None:
        """Refund something by hand, in Stripe's own dashboard."""
        if intents := [row[INTENT] for row in self.payments() if row["captured_amount"]]:
            self.stripe.refund(self.random.choice(intents), 100)

    def cancel_at_stripe(self) -> None:
        """Cancel an intent by hand, in Stripe's own dashboard, whatever its order counts on."""
        if intents := [row[INTENT] for row in self.payments() if row[INTENT]]:
            self.stripe.cancel(self.random.choice(intents))

    def settle_refund(self) -> None:
        """Let a bank answer to one of the refunds, or send it back that it had taken."""
        if refunds := self._at_stripe("PENDING", "SUCCEEDED"):
            self.stripe.settle(self.random.choice(refunds))

    def _at_stripe(self, *statuses: str) -> list[str]:
        rows = self.rows(
            "payment",
            "SELECT stripe_refund_id FROM refunds WHERE status = ANY(%s)"
            " AND stripe_refund_id IS NOT NULL AND payment_id = ANY(%s)",
            list(statuses),
            [row["id"] for row in self.payments()],
        )
        return [row["stripe_refund_id"] for row in rows]

    # A run.

    def live(self, orders: int, steps: int) -> None:
        """Let everything happen for a while, in any order."""
        ways: dict[Callable[[], object], float] = {
            self.deliver: 40,
            self.call: 8,
            self.hear_stripe: 6,
            self.pay: 6,
            self.authenticate: 1,
            self.refund: 2,
            self.give_back: 1,
            self.cancel_at_stripe: 0.5,
            self.settle_refund: 2,
            self.cancel: 2,
            self.expire: 2,
            self.pay_late: 2,
            self.fire_early: 1,
            self.tick: 1,
            self.edit: 1,
            self.hold: 2,
            self.block: 1,
            self.call_off: 0.15,
        }
        for _ in range(orders):
            self.place()
            for way in self.random.choices(list(ways), list(ways.values()), k=steps):
                way()

    def rest(self) -> None:
        """Let all that is under way arrive, the late copies last, and Stripe be asked."""
        self.stripe.faults(None)
        self.faulty, self.sizes = False, RESTING
        self.settle()
        self._have_banks_answer()
        self.ask_stripe()
        self._ask_again_for_failed_refunds()
        for ticket_id in self.called_off:  # Some refunds may have failed: again is no harm.
            self.ask(CancelTicket(ticket_id=ticket_id), self.organizer)
        self.settle()
        self._have_banks_answer()
        while any(bag.late for bag in self.bags.values()):
            for bag in self.bags.values():
                bag.waiting, bag.late = bag.waiting + bag.late, []
            self.settle()

    def _have_banks_answer(self) -> None:
        """Settle every refund that a bank has pending, those that this leads to included."""
        while pending := self._at_stripe("PENDING"):
            for refund in pending:
                self.stripe.settle(refund)
            self.ask_stripe()
            self.settle()

    def ask_stripe(self) -> None:
        """A minute has passed: what was not heard is asked for; an operator asks about the rest."""
        self.rows(
            "payment",
            "UPDATE payments SET asked_at = now() - interval '61 seconds' WHERE user_id = ANY(%s)"
            " RETURNING id",
            self.buyers,
        )
        self.tick()
        for row in self.payments():
            if row["captured_amount"]:
                driven = DrivePayment(order_id=row["order_id"], action="retry", by="ada")
                self.send(envelope_of(driven, source="/operator"))
        self.settle()

    def _ask_again_for_failed_refunds(self) -> None:
        """Have done so where an order has ended and some of its money is kept.

        Its organizer does for one that was sold, an operator for one that nobody has paid in time.
        """
        for row in self.rows(
            "payment",
            "SELECT p.order_id, r.id, r.amount FROM payments p JOIN refunds r"
            " ON r.payment_id = p.id AND r.status = 'FAILED' WHERE p.status = 'SUCCEEDED'"
            " AND p.user_id = ANY(%s)",
            self.buyers,
        ):
            (order,) = self.rows(
                "order", "SELECT status FROM orders WHERE id = %s", row["order_id"]
            )
            if order["status"] == "CANCELLED":
                self.ask(RequestRefund(order_id=row["order_id"]), self.organizer)
            elif order["status"] == "EXPIRED":
                again = RefundPayment(
                    order_id=row["order_id"],
                    refund_id=row["id"],
                    amount=row["amount"],
                    item_ids=[],
                    keep_stock=False,
                )
                self.send(envelope_of(again, source="/operator"))
        self.settle()

    def regret(self) -> None:
        """Let the organizer take back some of what was sold, a step at a time."""
        ways = [self.deliver, self.deliver, self.call, self.hear_stripe, self.settle_refund]
        for _ in range(self.random.randint(0, 4)):
            self.refund()
            for way in self.random.choices(ways, k=4):
                way()

    def retakes(self) -> Counter[str]:
        """Count the orders that money came late for, by what came of it."""
        told = self.rows(
            "order",
            "SELECT o.status FROM orders o WHERE o.user_id = ANY(%s) AND 1 < (SELECT count(*)"
            " FROM order_outbox b WHERE b.event_type = %s AND b.aggregate_id = o.id)",
            self.buyers,
            HoldReservation.TYPE,
        )
        vain = (row["status"] == "EXPIRED" for row in told)
        return Counter("retaken in vain" if each else "retaken" for each in vain)

    def expire_all(self) -> None:
        """Let every deadline pass."""
        for order_id in self.order_ids():
            self.pass_deadline(order_id)
        self.rest()

    def settle(self) -> None:
        while self.deliver() or self.call() or self.hear_stripe():
            pass
