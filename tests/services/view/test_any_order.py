"""In whatever order an order's events arrive, and how often: the same views, the same end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.envelope import Envelope
from schemas.message import Message
from schemas.order import (
    CancelOrder,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderRefused,
    OrderRestated,
    OrderState,
    PlaceOrder,
)
from schemas.payment import (
    PaymentAuthorized,
    PaymentDeclined,
    PaymentFailed,
    PaymentRequested,
    PaymentState,
    PaymentSucceeded,
)
from schemas.ticket import ReservationRefused, ReservationReleased
from tests.services.view.conftest import Views
from tests.unit.view.samples import Sale, envelope
from workers.view.projections import in_timeline, projected

EXAMPLES = 30


@dataclass(frozen=True)
class Story:
    """What may happen to one order, and how its operations may end."""

    tell: Callable[[Sale], list[Message]]
    placed: frozenset[str]
    cancelled: str | None = None
    """How the buyer's cancellation ends, where there is one."""


def _paid(sale: Sale) -> list[Message]:
    return [
        sale.order(OrderCreated, 2, "AWAITING_PAYMENT"),
        sale.payment(PaymentRequested, 1),
        sale.payment(PaymentDeclined, 2, failure="card_declined"),
        sale.payment(PaymentAuthorized, 3, authorisation="authorized"),
        sale.order(OrderCompleted, 3, "CONFIRMED", step="capturing"),
        sale.payment(
            PaymentSucceeded,
            4,
            status="SUCCEEDED",
            authorisation="captured",
            captured_amount=sale.total,
        ),
        sale.order(OrderRestated, 4, "CONFIRMED", step="settled"),
    ]


def _free(sale: Sale) -> list[Message]:
    return [
        sale.order(
            OrderCompleted, 2, "CONFIRMED", items=[], total_amount=Decimal(0), step="settled"
        )
    ]


def _sold_out(sale: Sale) -> list[Message]:
    unknown: dict[str, Any] = {
        "total_amount": None,
        "currency": None,
        "items": [],
        "expires_at": None,
    }
    return [
        ReservationRefused(
            order_id=sale.order_id,
            order_version=1,
            ticket_id=sale.ticket_id,
            command="tickets.reservation.hold",
            code="sold_out",
            detail="",
        ),
        sale.order(OrderCancelled, 2, "CANCELLED", cancel_reason="sold_out", **unknown),
        sale.released(2),
    ]


def _payment_refused(sale: Sale) -> list[Message]:
    return [
        sale.order(OrderCreated, 2, "AWAITING_PAYMENT"),
        sale.payment(PaymentFailed, 1, status="FAILED", client_secret=None, failure="refused"),
        sale.order(OrderCancelled, 3, "CANCELLED", cancel_reason="payment_refused"),
        sale.released(3),
    ]


def _given_back(sale: Sale) -> list[Message]:
    return [
        sale.order(OrderCancelled, 2, "CANCELLED", cancel_reason="cancelled"),
        sale.released(2),
    ]


def _expired(sale: Sale) -> list[Message]:
    return [
        sale.order(OrderCreated, 2, "AWAITING_PAYMENT"),
        sale.payment(PaymentRequested, 1),
        sale.order(OrderCancelled, 3, "EXPIRED", cancel_reason="expired"),
        sale.released(3, "EXPIRED"),
        sale.payment(PaymentFailed, 2, status="FAILED", authorisation="voided", client_secret=None),
    ]


def _refused(_: Sale) -> list[Message]:
    return [OrderRefused(order_id=None, command=PlaceOrder.TYPE, code="not_on_sale", detail="")]


STORIES = {
    "paid": Story(_paid, frozenset({"AWAITING_PAYMENT"})),
    "free": Story(_free, frozenset({"CONFIRMED"})),
    "sold out": Story(_sold_out, frozenset({"sold_out"})),
    "payment refused": Story(_payment_refused, frozenset({"payment_refused"})),
    "given back": Story(_given_back, frozenset({"cancelled"}), "CANCELLED"),
    # Both ends are true; the one that the views could tell first is told.
    "expired": Story(_expired, frozenset({"AWAITING_PAYMENT", "expired"})),
    "refused": Story(_refused, frozenset({"not_on_sale"})),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_any_order(views: Views, story: Story) -> None:
    @settings(max_examples=EXAMPLES, database=None)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        sale, cancelling = Sale(), uuid4()
        views.ask(PlaceOrder(ticket_id=sale.ticket_id, quantity=2), sale.operation_id)
        if story.cancelled:
            views.ask(CancelOrder(order_id=sale.order_id), cancelling, user_id=sale.user_id)
        told = [_envelope(data, event, sale, cancelling) for event in story.tell(sale)]
        for batch in _deliveries(data, told):
            views.hear(*batch)
        _check_rows(views, sale, told)
        assert _end(views, sale.operation_id) in story.placed
        if story.cancelled:
            assert _end(views, cancelling) == story.cancelled

    check()


def _envelope(data: st.DataObject, event: Message, sale: Sale, cancelling: UUID) -> Envelope:
    """Wrap an event; under which operation an order's event was said makes no difference."""
    if isinstance(event, OrderState | PaymentState | ReservationReleased):
        said_under = data.draw(st.sampled_from([sale.operation_id, cancelling, uuid4(), None]))
        return envelope(event, said_under)
    return envelope(event, sale.operation_id)


def _deliveries(data: st.DataObject, told: Sequence[Envelope]) -> list[list[Envelope]]:
    """Shuffle, repeat and cut into batches; a repeat may also come under an id of its own."""
    repeated = data.draw(st.lists(st.sampled_from(told), max_size=4))
    again = [
        replace(each, id=uuid4()) for each in data.draw(st.lists(st.sampled_from(told), max_size=2))
    ]
    restated = [each for each in again if not in_timeline(each.data) and each.operation_id is None]
    shuffled = data.draw(st.permutations([*told, *repeated, *restated]))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(shuffled)))))
    edges = [0, *cuts, len(shuffled)]
    batches = [list(shuffled[a:b]) for a, b in pairwise(edges)]
    return [each for each in batches if each]


def _end(views: Views, operation_id: UUID) -> str:
    """Return the status in the result, or the code of the error."""
    row = views.operation(operation_id)
    assert row["status"] != "pending"
    return str(row["result"]["status"] if row["status"] == "succeeded" else row["error"]["code"])


def _check_rows(views: Views, sale: Sale, told: Sequence[Envelope]) -> None:
    for table, state in (("orders", OrderState), ("payments", PaymentState)):
        versions = [each.data for each in told if isinstance(each.data, state)]
        newest = max(versions, key=lambda event: event.sequence or 0, default=None)
        shown = views.rows(table, order_id=sale.order_id)
        assert [_plain(row) for row in shown] == ([] if newest is None else [_expected(newest)])
    happened = {each.id for each in told if in_timeline(each.data)}
    assert {
        row["message_id"] for row in views.rows("order_timeline", order_id=sale.order_id)
    } == happened
    for operation in {each.operation_id for each in told if each.operation_id}:
        steps = {row["message_id"] for row in views.rows("operation_steps", operation_id=operation)}
        assert steps == {each.id for each in told if each.operation_id == operation}


def _expected(newest: Message) -> dict[str, Any]:
    row = projected(newest)
    assert row is not None
    return _plain(row[1])


def _plain(row: Any) -> dict[str, Any]:  # noqa: ANN401  # A row or a state's fields.
    """Leave the items out: they are stored as JSON, and compared where they are told."""
    return {name: value for name, value in row.items() if name != "items"}
