"""When a refund and a cancelled event have ended, by their rules alone."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.message import Message
from schemas.order import (
    OrderRefused,
    RequestRefund,
    TicketEnded,
    TicketFailed,
    TicketProgress,
)
from schemas.payment import RefundPayment, RefundRefused
from schemas.ticket import CancelTicket, TicketCancelled
from tests.unit.view.samples import ticket
from tests.unit.view.test_operations import PAID
from workers.view.end import End
from workers.view.operations import SEVERAL, end_of, may_end
from workers.view.shown import Shown

ITEMS = [{"id": str(each), "refunded": False} for each in range(2)]
OPERATION = uuid4()


def _refund(*item_ids: str, status: str = "SUCCEEDED", keep: bool = False) -> dict[str, Any]:
    return {
        "refund_id": "r",
        "operation_id": str(OPERATION),
        "status": status,
        "item_ids": list(item_ids),
        "keep_stock": keep,
        "failure": "lost_or_stolen_card" if status == "FAILED" else None,
    }


def _order(refund: dict[str, Any], refunded: str = "5.00", **other: Any) -> Shown:  # noqa: ANN401  # Its fields.
    order = replace(
        PAID,
        items=ITEMS,
        captured_amount=Decimal("20.00"),
        refunded_amount=Decimal(refunded),
        refunds=[_refund() | {"operation_id": str(uuid4())}, refund],
    )
    return replace(order, **other).asked_by(OPERATION)


def _end(order: Shown | None, *said: Message) -> End | None:
    return end_of(RequestRefund.TYPE, said, order)


DONE = End(status="succeeded", result={"order_id": str(PAID.order_id), "refund_id": "r"})
BACK = [ITEMS[0] | {"refunded": True}, ITEMS[1]]
GONE = {"status": "CANCELLED", "released_version": 6}


@pytest.mark.parametrize(
    ("order", "end"),
    [
        (None, None),
        (replace(PAID, refunds=[]).asked_by(OPERATION), None),
        (_order(_refund(status="PENDING")), None),
        (_order(_refund()), DONE),
        # Items: their seats are free, in the books of all who had them.
        (_order(_refund("0")), None),
        (_order(_refund("0"), items=BACK, released_version=6), None),
        (_order(_refund("0"), items=BACK, released_version=6, releases={"ticket": 5}), None),
        (_order(_refund("0"), items=BACK, released_version=6, releases={"ticket": 6}), DONE),
        (
            _order(
                _refund("0"), items=BACK, released_version=6, releases={"ticket": 6}, seated=True
            ),
            None,
        ),
        (
            _order(
                _refund("0"),
                items=BACK,
                released_version=6,
                releases={"ticket": 7, "venue": 6},
                seated=True,
            ),
            DONE,
        ),
        (_order(_refund("0", keep=True)), DONE),
        # All of it: the order has ended, too.
        (_order(_refund(), "20.00"), None),
        (_order(_refund(), "20.00", **GONE), None),
        (_order(_refund(keep=True), "20.00"), None),
        (_order(_refund(), "20.00", **GONE, releases={"ticket": 6}), DONE),
    ],
)
def test_a_refund_ends_with_the_money_and_whatever_stock_comes_back(
    order: Shown | None, end: End | None
) -> None:
    assert _end(order) == end


def test_a_refund_that_failed_fails_its_operation() -> None:
    end = _end(_order(_refund(status="FAILED")))
    assert end
    assert end.error
    assert end.error["code"] == "refund_failed"
    assert "lost_or_stolen_card" in end.error["detail"]


@pytest.mark.parametrize("kind", [OrderRefused, RefundRefused])
def test_a_refund_that_is_refused_fails_its_operation(kind: Any) -> None:  # noqa: ANN401  # An event.
    command = RequestRefund.TYPE if kind is OrderRefused else RefundPayment.TYPE
    told = {"order_id": uuid4(), "code": "refund_exceeds_payment", "detail": "No."}
    if kind is RefundRefused:
        told["refund_id"] = uuid4()
    end = _end(None, kind(command=command, **told))
    assert end
    assert end.error
    assert end.error["code"] == "refund_exceeds_payment"


TICKET = UUID(int=7)
CANCELLED = ticket(TicketCancelled, TICKET, 3, status="cancelled")
ENDED = TicketEnded(ticket_id=TICKET, total=3, ended=3, failed=0, revision=2)
OFF = End(status="succeeded", result={"ticket_id": str(TICKET), "status": "cancelled"})


@pytest.mark.parametrize(("first", "second"), [(CANCELLED, ENDED), (ENDED, CANCELLED)])
def test_an_event_is_off_when_it_is_cancelled_and_all_its_orders_have_ended(
    first: Message, second: Message
) -> None:
    assert CancelTicket.TYPE in SEVERAL
    assert may_end(first)
    assert end_of(CancelTicket.TYPE, [first], None, [first.TYPE]) is None
    assert end_of(CancelTicket.TYPE, [second], None, [first.TYPE, second.TYPE]) == OFF


def test_orders_that_could_not_be_refunded_fail_it() -> None:
    some = TicketProgress(ticket_id=TICKET, total=3, ended=1, failed=0, revision=1)
    assert end_of(CancelTicket.TYPE, [some], None, [CANCELLED.TYPE, some.TYPE]) is None
    failed = TicketFailed(
        ticket_id=TICKET,
        total=3,
        ended=2,
        failed=1,
        revision=2,
        command=CancelTicket.TYPE,
        code="refund_failed",
        detail="1 of 3 orders could not be refunded.",
    )
    end = end_of(CancelTicket.TYPE, [failed], None, [CANCELLED.TYPE])
    assert end
    assert end.error
    assert (end.error["code"], end.error["detail"]) == ("refund_failed", failed.detail)
