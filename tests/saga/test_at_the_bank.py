"""Refunds that a bank takes days over: what waits for them is not broken, and all else is."""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from ops.local.stack import Stack
from ops.stores import Stores, settings
from ops.verify.ends import ends
from ops.verify.finding import Finding
from schemas.order import PlaceOrder, RequestRefund
from schemas.ticket import CancelTicket
from tests.driven import postgres
from tests.saga.stripe import Stripe
from tests.saga.town import INTENT
from tests.saga.world import World
from workers.payment.gateway_worker import Desk

AT_THE_BANK = "pending with a refund at the bank"


class Bank(World):
    """A world in which nothing is lost and each refund is pending at a bank."""

    def __init__(self, stripe: Stripe, desk: Desk) -> None:
        """Put one ticket on sale."""
        super().__init__(1, stripe, desk)
        stripe.faults(None)
        self.faulty, self.lost = False, 0.0
        self.tickets = [self.offer(price="12.50", currency="EUR", quota=9, max_per_user=9)]

    def buy(self) -> None:
        """Buy one and pay it, all the way."""
        paid = {row["order_id"] for row in self.payments()}
        self.ask(PlaceOrder(ticket_id=self.tickets[0], quantity=1), self.buyers[0])
        self.settle()
        (payment,) = [row for row in self.payments() if row["order_id"] not in paid]
        self.stripe.confirm(payment[INTENT], "pm_card_pendingRefund")
        self.settle()

    def done_by(self, command: Any) -> UUID:  # noqa: ANN401  # One of the organizer's.
        """Ask as the organizer; return the operation, when all but the bank is done."""
        self.ask(command, self.organizer)
        self.settle()
        return [*self.operations][-1]


@pytest.fixture
def bank(stripe: Stripe, desk: Desk) -> Iterator[Bank]:
    """One with a paid order."""
    bank = Bank(stripe, desk)
    bank.buy()
    yield bank
    bank.rest()  # What was forgotten is asked for.
    bank.forget()


@pytest.fixture
def stores(stack: Stack) -> Iterator[Stores]:
    """The stores, as an operator reads them."""
    with Stores(settings(stack.layout)) as opened:
        yield opened


def _ends(stores: Stores) -> tuple[set[str], Counter[str]]:
    finding = Finding("2", "ends")
    ends(stores, finding)
    return {each.id for each in finding.broken}, finding.compared


def _forget_at_stripe(bank: Bank) -> None:
    """Have one of the refunds be none that Stripe has."""
    changed = postgres("payment").db.execute(
        "UPDATE refunds SET stripe_refund_id = NULL WHERE id = (SELECT id FROM refunds"
        " WHERE payment_id = ANY(%s) ORDER BY number DESC LIMIT 1)",
        [[row["id"] for row in bank.payments()]],
    )
    assert changed.rowcount == 1


def test_a_refund_may_be_pending_at_the_bank(bank: Bank, stores: Stores) -> None:
    (order_id,) = bank.order_ids()
    operation = bank.done_by(RequestRefund(order_id=order_id))
    broken, compared = _ends(stores)
    assert str(operation) not in broken
    assert compared[AT_THE_BANK] >= 1
    _forget_at_stripe(bank)
    assert str(operation) in _ends(stores)[0]


def test_an_event_is_called_off_when_the_bank_has_answered(bank: Bank, stores: Stores) -> None:
    bank.buy()
    operation = bank.done_by(CancelTicket(ticket_id=bank.tickets[0]))
    broken, compared = _ends(stores)
    assert str(operation) not in broken
    assert compared[AT_THE_BANK] >= 1
    _forget_at_stripe(bank)
    assert str(operation) in _ends(stores)[0]
