"""Which rows an event leaves."""

from uuid import uuid4

import pytest

from schemas.auth import UserRefused, UserRegistered
from schemas.message import catalogue
from schemas.order import OrderCreated, OrderRestated
from schemas.payment import PaymentAuthorized, PaymentFailed, PaymentRequested, PaymentRestated
from schemas.ticket import TicketChanged
from tests.unit.view.samples import NOW, SEALED, Sale, ticket
from workers.view.handlers import aggregate_of, view
from workers.view.projections import (
    ACCOUNTS,
    ORDERS,
    PAYMENTS,
    RELEASES,
    TICKETS,
    in_timeline,
    projected,
)


def test_every_event_is_heard_and_no_command() -> None:
    events = sorted(name for name, each in catalogue().items() if each.KIND == "event")
    assert sorted(view.bindings("events") + view.bindings("long")) == events
    assert view.bindings("commands") == []


def test_a_ticket_can_be_sorted_by_its_start() -> None:
    row = projected(ticket(TicketChanged, uuid4(), 3))
    assert row is not None
    assert row[0] is TICKETS
    assert row[1]["starts_at"] == NOW


def test_an_event_about_nothing_that_is_shown_leaves_no_row() -> None:
    refused = UserRefused(email="a@b.example", command="x", code="email_taken", detail="x")
    assert projected(refused) is None


def test_an_account_is_a_row_of_its_own() -> None:
    row = projected(UserRegistered(user_id=uuid4(), email="a@b.example"))
    assert row is not None
    assert row[0] is ACCOUNTS
    assert row[1].keys() == set(ACCOUNTS.columns)


@pytest.mark.parametrize(
    ("status", "authorisation", "kept"),
    [
        ("PENDING", "none", SEALED),
        ("PENDING", "authorized", None),
        ("PENDING", "voiding", None),
        ("FAILED", "none", None),
        ("SUCCEEDED", "captured", None),
    ],
)
def test_a_client_secret_is_kept_while_somebody_can_pay(
    status: str, authorisation: str, kept: str | None
) -> None:
    said = Sale().payment(PaymentRestated, 2, status=status, authorisation=authorisation)
    row = projected(said)
    assert row is not None
    assert row[0] is PAYMENTS
    assert row[1]["client_secret"] == kept


def test_the_columns_are_what_the_events_carry() -> None:
    sale = Sale()
    for table, said in (
        (ORDERS, sale.order(OrderCreated, 1, "AWAITING_PAYMENT")),
        (PAYMENTS, sale.payment(PaymentRequested, 1)),
        (RELEASES, sale.released(2)),
        (TICKETS, ticket(TicketChanged, uuid4(), 1)),
    ):
        row = projected(said)
        assert row is not None
        assert row[0] is table
        assert set(table.columns) == set(row[1])


def test_what_is_said_again_did_not_happen_again() -> None:
    sale = Sale()
    assert in_timeline(sale.order(OrderCreated, 1, "AWAITING_PAYMENT"))
    assert in_timeline(sale.payment(PaymentFailed, 1))
    assert not in_timeline(sale.order(OrderRestated, 1, "AWAITING_PAYMENT"))
    assert not in_timeline(sale.payment(PaymentRestated, 1))
    assert not in_timeline(sale.released(3))


def test_an_order_and_its_payment_are_not_handled_beside_each_other() -> None:
    sale = Sale()
    about = {
        aggregate_of(sale.order(OrderCreated, 1, "AWAITING_PAYMENT")),
        aggregate_of(sale.payment(PaymentAuthorized, 3)),
        aggregate_of(sale.released(2)),
    }
    assert about == {str(sale.order_id)}


def test_nobody_waits_for_a_hot_ticket() -> None:
    ticket_id = uuid4()
    one, other = (aggregate_of(ticket(TicketChanged, ticket_id, revision)) for revision in (1, 2))
    assert one != other
