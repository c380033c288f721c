"""When each operation ends, by its rule alone."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from schemas.auth import OpenSession, RegisterUser, SessionOpened, SessionRefused, UserRegistered
from schemas.bus import MessageDead
from schemas.message import Message
from schemas.order import CancelOrder, OrderRefused, PlaceOrder
from schemas.problems import PROBLEMS
from schemas.ticket import (
    CreateTicket,
    EditTicket,
    ReservationRefused,
    TicketChanged,
    TicketCreated,
    TicketEdited,
)
from tests.unit.view.samples import NOW, SEALED, ticket
from workers.view.end import End
from workers.view.operations import RULES, end_of, may_end
from workers.view.shown import Shown

ITEM: dict[str, Any] = {"id": "1", "quantity": 2, "unit_price": "10.0", "seat_id": None}
ORDER = Shown(
    order_id=uuid4(),
    operation_id=uuid4(),
    user_id=uuid4(),
    status="AWAITING_PAYMENT",
    cancel_reason=None,
    seated=False,
    items=[ITEM],
    total_amount=Decimal("20.0"),
    currency="EUR",
    expires_at=NOW,
)
PAYABLE = replace(
    ORDER, payment_id=uuid4(), payment_status="PENDING", authorisation="none",
    has_client_secret=True,
)  # fmt: skip
PAID = replace(PAYABLE, status="CONFIRMED", authorisation="captured", has_client_secret=False)
FREE = replace(ORDER, status="CONFIRMED", total_amount=Decimal(0))
CANCELLED = replace(ORDER, status="CANCELLED", cancel_reason="cancelled")


def placed(order: Shown | None, *said: Message) -> End | None:
    return end_of(PlaceOrder.TYPE, said, order)


def code_of(end: End | None) -> str:
    assert end is not None
    assert end.status == "failed"
    assert end.error is not None
    return str(end.error["code"])


@pytest.mark.parametrize(
    "order",
    [
        None,
        replace(ORDER, status="PENDING", total_amount=None, currency=None),
        ORDER,
        replace(PAYABLE, has_client_secret=False),
        replace(FREE, status="PENDING"),
        replace(ORDER, status="CONFIRMED"),
    ],
)
def test_an_order_is_not_placed_while_something_is_missing(order: Shown | None) -> None:
    assert placed(order) is None


@pytest.mark.parametrize("order", [PAYABLE, PAID, replace(PAYABLE, status="CONFIRMED")])
def test_an_order_is_placed_when_its_buyer_can_pay(order: Shown) -> None:
    end = placed(order)
    assert end is not None
    assert end.status == "succeeded"
    assert end.result == {
        "order_id": str(ORDER.order_id),
        "status": "AWAITING_PAYMENT",
        "total_amount": "20.00",
        "currency": "EUR",
        "expires_at": "2026-11-22T10:00:00Z",
        "items": [ITEM | {"unit_price": "10.00"}],
        "payment": {"id": str(PAYABLE.payment_id)},
    }


def test_a_free_order_is_placed_when_it_is_confirmed() -> None:
    end = placed(FREE)
    assert end is not None
    assert end.result is not None
    assert (end.result["status"], end.result["payment"]) == ("CONFIRMED", None)
    assert end.result["total_amount"] == "0.00"


@pytest.mark.parametrize(
    ("total", "currency", "told"), [("1500", "JPY", "1500"), ("14.25", "KWD", "14.250")]
)
def test_amounts_have_the_decimals_of_their_currency(total: str, currency: str, told: str) -> None:
    item = ITEM | {"unit_price": total}
    order = replace(PAYABLE, total_amount=Decimal(total), currency=currency, items=[item])
    end = placed(order)
    assert end is not None
    assert end.result is not None
    assert end.result["total_amount"] == told
    assert end.result["items"][0]["unit_price"] == told


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        ("CANCELLED", "sold_out", "sold_out"),
        ("CANCELLED", "timed_out", "timed_out"),
        ("CANCELLED", "cancelled", "cancelled"),
        ("CANCELLED", None, "cancelled"),
        ("EXPIRED", "expired", "expired"),
        ("EXPIRED", None, "expired"),
        ("CANCELLED", "a_reason_that_nobody_declared", "internal"),
    ],
)
def test_an_order_that_is_over_fails_its_operation(
    status: str, reason: str | None, code: str
) -> None:
    end = placed(replace(PAYABLE, status=status, cancel_reason=reason))
    assert code_of(end) == code
    assert end is not None
    assert end.error == {
        "type": f"/docs#{code}",
        "title": PROBLEMS[code].title,
        "status": PROBLEMS[code].status,
        "detail": f"{PROBLEMS[code].title}.",
        "code": code,
    }


@pytest.mark.parametrize(
    ("order", "ended"),
    [
        (None, False),
        (PAYABLE, False),
        (CANCELLED, False),
        (replace(PAYABLE, released_by=["ticket"]), False),
        (replace(CANCELLED, released_by=["ticket"]), True),
        (replace(CANCELLED, released_by=["ticket"], seated=True), False),
        (replace(CANCELLED, released_by=["ticket"], seated=None), False),
        (replace(CANCELLED, released_by=["ticket", "venue"], seated=True), True),
        (replace(CANCELLED, status="EXPIRED", released_by=["ticket"]), False),
    ],
)
def test_a_cancellation_ends_when_the_stock_is_back(order: Shown | None, *, ended: bool) -> None:
    end = end_of(CancelOrder.TYPE, [], order)
    if ended:
        told = {"order_id": str(ORDER.order_id), "status": "CANCELLED"}
        assert end == End(status="succeeded", result=told)
    else:
        assert end is None


USER_ID, TICKET_ID = uuid4(), uuid4()
OPENED = SessionOpened(
    session_id=uuid4(), user_id=USER_ID, access_token=SEALED, refresh_token=SEALED, expires_in=600
)
OWN_EVENTS: list[tuple[type[Message], Message, End]] = [
    (
        RegisterUser,
        UserRegistered(user_id=USER_ID, email="a@b.example"),
        End(status="succeeded", result={"user_id": str(USER_ID)}),
    ),
    (
        OpenSession,
        OPENED,
        End(
            status="succeeded",
            result={"token_type": "Bearer", "expires_in": 600, "user_id": str(USER_ID)},
            secret={"access_token": SEALED, "refresh_token": SEALED},
        ),
    ),
    (
        CreateTicket,
        ticket(TicketCreated, TICKET_ID, 1),
        End(status="succeeded", result={"ticket_id": str(TICKET_ID), "version": 1}),
    ),
    (
        EditTicket,
        ticket(TicketEdited, TICKET_ID, 7, version=2),
        End(status="succeeded", result={"ticket_id": str(TICKET_ID), "version": 2}),
    ),
]


@pytest.mark.parametrize(("command", "event", "end"), OWN_EVENTS)
def test_the_others_end_with_their_own_event(
    command: type[Message], event: Message, end: End
) -> None:
    assert end_of(command.TYPE, [event], None) == end
    assert end_of(command.TYPE, [event, event], None) == end
    assert end_of(command.TYPE, [], None) is None
    assert may_end(event)
    others = [each for each in RULES if each != command.TYPE]
    assert [end_of(each, [event], None) for each in others] == [None] * len(others)


def test_a_refusal_ends_the_operation_of_the_command_that_it_refuses() -> None:
    refused = SessionRefused(
        email="a@b.example", command=OpenSession.TYPE, code="bad_credentials", detail="No."
    )
    assert may_end(refused)
    end = end_of(OpenSession.TYPE, [refused], None)
    assert code_of(end) == "bad_credentials"
    assert end is not None
    assert end.error is not None
    assert (end.error["status"], end.error["detail"]) == (401, "No.")


def test_a_refusal_of_another_command_is_the_sagas_business() -> None:
    refused = ReservationRefused(
        order_id=uuid4(), order_version=1, ticket_id=uuid4(), command="tickets.reservation.hold",
        code="sold_out", detail="",
    )  # fmt: skip
    assert placed(None, refused) is None
    own = OrderRefused(order_id=None, command=PlaceOrder.TYPE, code="invalid_request", detail="")
    assert code_of(placed(None, refused, own)) == "invalid_request"


@pytest.mark.parametrize("command", [*RULES, "a.command.without.a.rule"])
def test_a_dead_message_ends_its_operation(command: str) -> None:
    dead = MessageDead(
        message_id="1", message_type="orders.order.created", queue="view.events", code="fault",
        detail="KeyError: a secret of the implementation",
    )  # fmt: skip
    end = end_of(command, [dead], None)
    assert code_of(end) == "internal"
    assert "KeyError" not in str(end)
    assert "orders.order.created" in str(end)


def test_most_events_end_nothing() -> None:
    assert not may_end(ticket(TicketChanged, uuid4(), 2))
