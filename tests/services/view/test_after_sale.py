"""Refunds and cancelled events on the real views: ended by whichever event comes last."""

from decimal import Decimal
from itertools import permutations
from uuid import UUID, uuid4

import pytest

from schemas.message import Message
from schemas.order import OrderCompleted, OrderItem, OrderRestated, RequestRefund, TicketEnded
from schemas.payment import PaymentRefunded, Refund
from schemas.ticket import CancelTicket, ReservationReleased, TicketCancelled
from schemas.venue import SeatsReleased
from tests.services.view.conftest import Views
from tests.unit.view.samples import Sale, envelope, ticket


class Refunding(Sale):
    """A seated order of which one item is refunded."""

    def __init__(self, views: Views) -> None:
        """Ask for the refund, as the edge does."""
        super().__init__("20.00")
        self.views, self.asked = views, uuid4()
        views.hear(envelope(self.order(OrderCompleted, 3, "CONFIRMED", seated=True)))
        views.ask(RequestRefund(order_id=self.order_id), self.asked)

    def told(self) -> list[tuple[Message, UUID | None]]:
        """Return what is said of it, and under which operation."""
        refund = Refund(
            refund_id=self.item_id,
            amount=Decimal("10.00"),
            status="SUCCEEDED",
            item_ids=[self.item_id],
            keep_stock=False,
            operation_id=self.asked,
        )
        back = OrderItem(id=self.item_id, quantity=1, unit_price=Decimal(10), refunded=True)
        return [
            (
                self.payment(
                    PaymentRefunded,
                    5,
                    refund_id=refund.refund_id,
                    refunds=[refund],
                    captured_amount=self.total,
                    refunded_amount=refund.amount,
                ),
                self.asked,
            ),
            (
                self.order(
                    OrderRestated,
                    6,
                    "CONFIRMED",
                    seated=True,
                    items=[back],
                    refunded_amount=refund.amount,
                    released_version=6,
                ),
                None,
            ),
            (self.released(6, "FINALIZED"), None),
            (
                SeatsReleased(
                    order_id=self.order_id,
                    order_version=6,
                    reservation_id=self.reservation_id,
                    status="SOLD",
                    plan_id=None,
                    seats=[],
                    areas=[],
                ),
                None,
            ),
        ]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_refund_has_ended_when_all_of_it_is_in_the_views(
    views: Views, order: tuple[int, ...]
) -> None:
    refunding = Refunding(views)
    told = refunding.told()
    for each in order:
        assert views.operation(refunding.asked)["status"] == "pending"
        event, operation_id = told[each]
        views.hear(envelope(event, operation_id))
    row = views.operation(refunding.asked)
    assert row["status"] == "succeeded"
    assert row["result"] == {
        "order_id": str(refunding.order_id),
        "refund_id": str(refunding.item_id),
    }


def test_a_stale_release_ends_no_refund(views: Views) -> None:
    refunding = Refunding(views)
    told = refunding.told()
    views.hear(*(envelope(*each) for each in told if not isinstance(each[0], ReservationReleased)))
    views.hear(envelope(refunding.released(5, "FINALIZED")))
    assert views.operation(refunding.asked)["status"] == "pending"
    views.hear(envelope(refunding.released(6, "FINALIZED")))
    assert views.operation(refunding.asked)["status"] == "succeeded"


@pytest.mark.parametrize("ended_first", [True, False])
def test_a_cancelled_event_has_ended_when_both_are_in_the_views(
    views: Views, *, ended_first: bool
) -> None:
    ticket_id, operation = uuid4(), uuid4()
    views.ask(CancelTicket(ticket_id=ticket_id), operation)
    told: list[Message] = [
        ticket(TicketCancelled, ticket_id, 3, status="cancelled"),
        TicketEnded(ticket_id=ticket_id, total=5, ended=5, failed=0, revision=4),
    ]
    first, second = reversed(told) if ended_first else told
    views.hear(envelope(first, operation))
    assert views.operation(operation)["status"] == "pending"
    views.hear(envelope(second, operation))
    assert views.operation(operation)["result"]["status"] == "cancelled"
    (progress,) = views.rows("ticket_endings", ticket_id=ticket_id)
    assert (progress["total"], progress["ended"], progress["failed"]) == (5, 5, 0)
