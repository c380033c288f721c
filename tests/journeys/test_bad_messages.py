"""What somebody with access to the broker may put there, while tickets are being sold."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import orjson
import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from bus.envelope import encode, envelope_of
from ops.local.stack import Stack
from schemas.order import CancelOrder
from tests.journeys.shop import DEADLINE_SEC, Person, Stripe, paid, until

pytestmark = pytest.mark.journey
SERVICES = ("order", "ticket", "venue", "payment", "expiration", "view", "auth", "user")


@pytest.fixture
def channel(system: Stack) -> Iterator[BlockingChannel]:
    """The administrator's channel."""
    address = pika.URLParameters(system.environment()["FOYER_ADMIN_AMQP_URL"])
    connection = pika.BlockingConnection(address)
    yield connection.channel()
    connection.close()


def _known(**changes: object) -> bytes:
    said = envelope_of(CancelOrder(order_id=uuid4()), source="/test")
    return orjson.dumps(orjson.loads(encode(said)) | changes)


BAD = {
    "broken JSON": (b'{"specversion": "1.0", "id"', "malformed"),
    "not JSON at all": (b"\x00\xff\xfe", "malformed"),
    "no CloudEvent": (b"[1, 2, 3]", "malformed"),
    "an unknown type": (_known(type="orders.order.praise"), "unknown_type"),
    "another schema": (_known(data={"order_id": 7}), "malformed"),
    "no data": (_known(data=None), "malformed"),
    "no id": (_known(id="not an id"), "malformed"),
    "a megabyte": (_known(data={"order_id": str(uuid4()), "more": "x" * 2**20}), "malformed"),
    "a task of somebody's": (
        orjson.dumps({"queue_name": "auth.commands", "actor_name": "handle", "args": [1]}),
        "malformed",
    ),
}


def _dead(channel: BlockingChannel, service: str) -> dict[str, Any] | None:
    """Take a dead letter away, if there is one; return its headers."""
    method, properties, _ = channel.basic_get(f"{service}.dead", auto_ack=True)
    return None if method is None else dict(properties.headers or {})


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_message_ends_among_the_dead_letters(channel: BlockingChannel, kind: str) -> None:
    body, code = BAD[kind]
    channel.basic_publish("", "order.commands", body)
    headers = until(partial(_dead, channel, "order"), bool, DEADLINE_SEC)
    assert headers is not None
    assert headers["x-foyer-code"] == code
    assert headers["x-foyer-queue"] == "order.commands"
    assert headers["x-foyer-error"]


def test_the_sale_goes_on_in_a_rain_of_bad_messages(
    channel: BlockingChannel, organizer: Person, buyer: Person, stripe: Stripe
) -> None:
    ticket_id = organizer.offer()
    for service in SERVICES:
        for body, _ in BAD.values():
            for queue in ("commands", "events"):
                channel.basic_publish("", f"{service}.{queue}", body)
    result = buyer.buy(ticket_id)
    assert stripe.confirm(result["payment"]) == 200
    buyer.sees(result["order_id"], paid)
    for service in SERVICES:
        for _ in range(2 * len(BAD)):
            headers = until(partial(_dead, channel, service), bool, DEADLINE_SEC)
            assert headers
            assert headers["x-foyer-code"] in {"malformed", "unknown_type"}
