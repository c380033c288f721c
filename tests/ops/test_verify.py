"""Verify on a whole system: what holds is said to hold, and each line can break.

Each break is written straight into a store, as no handler ever would, looked for, and undone.
"""

import argparse
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import orjson
import pika
import psycopg
import pytest
from pymongo import MongoClient

from bus.topology import DEAD
from ops import dead, letters, verify
from ops.local.stack import Stack
from ops.stores import Stores, settings
from ops.verify.finding import Finding, Line, paired
from tests.whole import buy


@pytest.fixture(scope="module")
def order_id(whole: Stack) -> str:
    """An order that is paid for, among others of every end."""
    *_, paid = buy(whole, "cancel", "leave", "decline", "pay")
    assert paid.order_id
    with Stores(settings(whole.layout)) as opened:
        verify.verify(opened)  # It waits until all is at rest.
    return paid.order_id


def one(stores: Stores, service: str, statement: str, order_id: str) -> dict[str, Any]:
    """The one row of an order."""
    (row,) = stores.rows(service, statement, {"order": order_id})
    return row


@contextmanager
def changed(whole: Stack, service: str, table: str, key: str, change: str) -> Iterator[None]:
    """Have one row changed, with its owner's rights, and put back."""
    address = whole.environment()[f"FOYER_{service.upper()}_DATABASE_URL"]
    with psycopg.connect(address, autocommit=True) as db:
        row = db.execute(f"SELECT to_jsonb(t) FROM {table} t WHERE {key}".encode()).fetchone()  # noqa: S608  # Ours.
        assert row
        db.execute(f"UPDATE {table} SET {change} WHERE {key}".encode())  # noqa: S608  # Ours.
        try:
            yield
        finally:
            column = change.split(" = ", maxsplit=1)[0]
            db.execute(
                f"UPDATE {table} t SET {column} = was.{column}"  # noqa: S608  # Ours.
                f" FROM jsonb_populate_record(NULL::{table}, %s::jsonb) was WHERE t.{key}".encode(),
                [orjson.dumps(row[0]).decode()],
            )


def broken(stores: Stores, number: str) -> dict[str, str]:
    """What is broken of a line at one look, by id."""
    looks = (line.look(stores) for line in verify.LINES if line.number == number)
    return {each.id: each.why for finding in looks for each in finding.broken}


def test_a_system_that_has_sold_is_whole(stores: Stores, order_id: str) -> None:
    assert order_id
    findings = verify.verify(stores)
    assert [each for finding in findings for each in finding.broken] == []
    compared = sum((finding.compared for finding in findings), findings[0].compared)
    for what in ("orders", "payments", "tickets", "Stripe's intents", "live reservations"):
        assert compared[what] > 0


@pytest.mark.parametrize(
    ("service", "table", "key", "change", "line", "why"),
    [
        ("order", "orders", "id", "status = 'AWAITING_PAYMENT'", "1", "its reservation is FINAL"),
        ("order", "order_items", "order_id", "quantity = 99", "1", "is for 99"),
        ("order", "orders", "id", "total_amount = 1", "3", "costs 1 EUR"),
        ("order", "orders", "id", "step = 'capturing'", "8", "its step is capturing"),
        ("payment", "payments", "order_id", "authorisation = 'authorized'", "3", "is authorized"),
        ("view", "orders", "order_id", "status = 'CANCELLED'", "9", "status CONFIRMED there"),
        ("view", "orders", "order_id", "order_version = 99", "9", "order_version 4 there, 99 here"),
    ],
)
def test_a_broken_line_is_named_with_its_order(  # noqa: PLR0913, PLR0917  # One row of the table.
    whole: Stack,
    stores: Stores,
    order_id: str,
    service: str,
    table: str,
    key: str,
    change: str,
    line: str,
    why: str,
) -> None:
    with changed(whole, service, table, f"{key} = '{order_id}'", change):
        found = broken(stores, line)
    assert why in found[order_id]


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("accounts", "email = 'somebody@else.example'"),
        ("people", "revision = 99"),
        ("people", "preferences = '{}'"),
    ],
)
@pytest.mark.usefixtures("order_id")
def test_a_person_who_is_shown_wrong_is_found(
    whole: Stack, stores: Stores, table: str, change: str
) -> None:
    found = stores.rows("view", "SELECT user_id FROM accounts JOIN people USING (user_id) LIMIT 1")
    user_id = str(found[0]["user_id"])
    with changed(whole, "view", table, f"user_id = '{user_id}'", change):
        assert table in broken(stores, "9")[user_id]
    assert user_id not in broken(stores, "9")


def test_money_that_stripe_has_not_is_missed(whole: Stack, stores: Stores, order_id: str) -> None:
    payment = one(
        stores, "payment", "SELECT id, amount FROM payments WHERE order_id = %(order)s", order_id
    )
    where = f"id = '{payment['id']}'"
    with changed(whole, "payment", "payments", where, "captured_amount = 1"):
        found = broken(stores, "4")
    assert "captured_amount is 1, at Stripe" in found[str(payment["id"])]
    assert "Stripe" in found["EUR"]
    with changed(whole, "payment", "payments", where, "stripe_payment_intent_id = 'pi_nobody'"):
        found = broken(stores, "4")
    assert "does not list its intent pi_nobody" in found[str(payment["id"])]
    assert any("no payment knows it" in why for why in found.values())


def test_counters_that_moved_alone_are_found(whole: Stack, stores: Stores, order_id: str) -> None:
    order = one(
        stores, "order", "SELECT ticket_id, user_id FROM orders WHERE id = %(order)s", order_id
    )
    ticket_id, key = str(order["ticket_id"]), f"{order['ticket_id']}:{order['user_id']}"
    client: MongoClient[dict[str, Any]] = MongoClient(whole.environment()["FOYER_TICKET_MONGO_URL"])
    with client:
        database = client.get_default_database()
        database.tickets.update_one({"_id": ticket_id}, {"$inc": {"sold": 1}})
        database.user_counts.update_one({"_id": key}, {"$inc": {"quantity": 1}})
        try:
            assert "sold is" in broken(stores, "1")[ticket_id]
            assert "the counter says" in broken(stores, "7")[key]
            assert "sold" in broken(stores, "9")[ticket_id]
        finally:
            database.tickets.update_one({"_id": ticket_id}, {"$inc": {"sold": -1}})
            database.user_counts.update_one({"_id": key}, {"$inc": {"quantity": -1}})


def test_an_order_past_its_deadline_is_found_and_one_before_is_not(
    whole: Stack, stores: Stores, order_id: str
) -> None:
    assert order_id
    (left,) = buy(whole, "leave")
    assert left.order_id not in broken(stores, "8")
    where = f"id = '{left.order_id}'"
    whole.stop("clock")  # Or it would be expired before it is looked at.
    try:
        with changed(whole, "order", "orders", where, "expires_at = now() - interval '1 hour'"):
            assert "was to end at" in broken(stores, "8")[str(left.order_id)]
    finally:
        whole.start("clock")


def test_a_dead_letter_is_broken_until_it_is_explained_or_gone(
    whole: Stack, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOYER_PORT_BASE", str(whole.layout.base))
    message_id = str(uuid.uuid4())
    body = orjson.dumps({"id": message_id, "type": "orders.order.place"})
    headers = {"x-foyer-queue": "order.commands", "x-foyer-code": "malformed"}
    properties = pika.BasicProperties(headers=headers, delivery_mode=2)
    channel = stores.channel()
    channel.confirm_delivery()
    channel.basic_publish(DEAD, "order", body, properties, mandatory=True)
    assert "malformed" in broken(stores, "9")[message_id]
    dead.explain(stores, [message_id], "a test")
    assert message_id not in broken(stores, "9")
    dead.drop(stores, [message_id])
    assert message_id not in [each.message_id for each in letters.all_letters(stores)]


def test_the_command_says_it_in_its_exit_code_and_as_json(
    whole: Stack,
    order_id: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FOYER_PORT_BASE", str(whole.layout.base))
    assert verify.run(argparse.Namespace(json=False, wait=30.0)) == 0
    assert "all hold" in capsys.readouterr().out
    with changed(whole, "view", "orders", f"order_id = '{order_id}'", "step = 'voided'"):
        assert verify.run(argparse.Namespace(json=True, wait=0.0)) == 1
    told = orjson.loads(capsys.readouterr().out)
    assert told["ok"] is False
    named = [each["id"] for line in told["lines"] for each in line["broken"]]
    assert order_id in named


def test_what_moves_on_between_two_looks_is_not_broken(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = count()

    def look(_: Stores, finding: Finding) -> None:
        finding.fail(f"look {next(looks)}", "is on its way")
        finding.fail("always", "is broken")

    monkeypatch.setattr("ops.verify.LINES", (Line("1", "moves", look),))
    found = next(each for each in verify.verify(stores, 0) if each.title == "moves")
    assert [each.id for each in found.broken] == ["always"]


def test_streams_are_joined_whatever_is_missing_on_either_side() -> None:
    left = [{"id": each, "side": "left"} for each in (1, 2, 4, 7)]
    right = [{"id": each, "side": "right"} for each in (2, 3, 7, 9)]
    joined = [(key, bool(a), bool(b)) for key, a, b in paired(iter(left), iter(right), "id")]
    assert joined == [
        (1, True, False),
        (2, True, True),
        (3, False, True),
        (4, True, False),
        (7, True, True),
        (9, False, True),
    ]
