"""The store itself refuses what must never be, whoever writes it."""

from typing import Any
from uuid import uuid4

import pytest
from bson.decimal128 import Decimal128
from pymongo.errors import DuplicateKeyError, WriteError

from bus.stores.mongo import Documents
from tests.driven import Driven, message_of, mongo
from tests.services.ticket.asking import Asking, offer

Tickets = Driven[Documents]


@pytest.mark.parametrize(
    "change",
    [
        {"$set": {"reserved": 11}},
        {"$inc": {"sold": 11}},
        {"$set": {"reserved": -1}},
        {"$set": {"quota": 1.5}},
        {"$set": {"price": 12.5}},
        {"$set": {"price": "12.50"}},
        {"$set": {"currency": "euro"}},
        {"$set": {"status": "sold"}},
        {"$set": {"max_per_user": 0}},
        {"$unset": {"organizer_id": ""}},
        {"$set": {"surprise": 1}},
    ],
)
def test_a_ticket_that_must_not_be(tickets: Tickets, change: dict[str, Any]) -> None:
    where = {"_id": str(offer(tickets))}
    with pytest.raises(WriteError, match="validation"):
        mongo().database.tickets.update_one(where, change)
    kept = mongo().database.tickets.find_one(where)
    assert kept
    assert kept["price"] == Decimal128("12.50")


@pytest.mark.parametrize(
    "change",
    [
        {"$set": {"status": "SOLD"}},
        {"$set": {"quantity": -1}},
        {"$set": {"order_version": 0}},
        {"$set": {"ticket_id": "any"}},
        {"$unset": {"user_id": ""}},
    ],
)
def test_a_reservation_that_must_not_be(tickets: Tickets, change: dict[str, Any]) -> None:
    asked = Asking(offer(tickets))
    tickets.told(asked.hold())
    with pytest.raises(WriteError, match="validation"):
        mongo().database.reservations.update_one({"order_id": str(asked.order_id)}, change)


def test_an_order_has_one_reservation(tickets: Tickets) -> None:
    asked = Asking(offer(tickets))
    tickets.hear(message_of(asked.hold()))
    kept = asked.reservation()
    assert kept
    again = str(uuid4())
    with pytest.raises(DuplicateKeyError):
        mongo().database.reservations.insert_one(kept | {"_id": again, "id": again})


def test_a_count_is_never_negative(tickets: Tickets) -> None:
    asked = Asking(offer(tickets))
    tickets.told(asked.hold())
    where = {"_id": f"{asked.ticket_id}:{asked.user_id}"}
    with pytest.raises(WriteError, match="validation"):
        mongo().database.user_counts.update_one(where, {"$inc": {"quantity": -3}})
