"""One order's story."""

import argparse
import time
from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

import httpx
import orjson
import pytest

from bus.envelope import envelope_of, outgoing
from bus.publisher import Publisher
from ops import story
from ops.local.stack import Stack
from ops.stores import Stores, settings
from schemas.message import Message
from schemas.order import RequestRefund
from tests.whole import buy


def tell(stores: Stores, wanted: str) -> story.Story:
    """The story that an id leads to."""
    return story.tell(stores, *story.find(stores, wanted))


def test_a_paid_order_is_told_from_any_of_its_ids(whole: Stack, stores: Stores) -> None:
    (bought,) = buy(whole, "decline")
    assert bought.order_id
    assert bought.operation_id
    _, (operation,) = story.find(stores, bought.order_id)
    assert operation == UUID(bought.operation_id)
    found = tell(stores, bought.order_id)
    assert found.payment
    assert found.reservation
    for other in (
        bought.operation_id,
        found.payment["stripe_payment_intent_id"],
        str(found.payment["id"]),
        found.reservation["_id"],
    ):
        assert story.find(stores, other)[0] == UUID(bought.order_id)


def test_a_story_tells_every_owners_part_in_order(whole: Stack, stores: Stores) -> None:
    (bought,) = buy(whole, "decline")
    found = tell(stores, str(bought.order_id))
    for _ in range(100):  # The capture is under way when the buyer leaves.
        if found.order and found.order["step"] == "settled" and found.timer is None:
            break
        found = tell(stores, str(bought.order_id))
    assert found.order
    assert found.order["status"] == "CONFIRMED"
    assert found.timer is None
    assert found.stripe
    assert found.stripe["status"] == "succeeded"
    said = [f"{each.where} {each.what}" for each in found.entries]
    for part in (
        "edge accepted",
        "order handled orders.order.place",
        "order said tickets.reservation.hold",
        "ticket handled tickets.reservation.hold",
        "ticket said tickets.reservation.held",
        "payment call to Stripe: create",
        "Stripe intent made",
        "payment record: failed",
        "payment webhook: payment_intent.payment_failed",
        "payment record: authorized",
        "payment call to Stripe: capture",
        "payment record: captured",
        "view operation succeeded",
        "view step",
    ):
        assert part in said
    assert [each.at for each in found.entries] == sorted(each.at for each in found.entries)
    assert found.dead_letters == []


def test_an_open_orders_timer_is_told(whole: Stack, stores: Stores) -> None:
    (left,) = buy(whole, "leave")
    for _ in range(100):  # The second arming, for the time to pay, is on its way.
        found = tell(stores, str(left.order_id))
        assert found.order
        if found.timer and found.timer["arm"] == found.order["arms"]:
            break
    assert found.timer
    assert found.order
    assert abs(found.timer["due"] - found.order["expires_at"]).total_seconds() < 0.001


@pytest.mark.parametrize("wanted", ["01900000-0000-7000-8000-000000000000", "nonsense", "pi_none"])
def test_an_unknown_id_is_said_to_be_unknown(
    whole: Stack,
    wanted: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FOYER_PORT_BASE", str(whole.layout.base))
    assert story.run(argparse.Namespace(id=wanted, action=None, json=False)) == 1
    assert (
        f"not found: no order, operation or payment has the id {wanted}" in capsys.readouterr().err
    )


def test_json_and_text_tell_the_same_order(
    whole: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (bought,) = buy(whole, "cancel")
    monkeypatch.setenv("FOYER_PORT_BASE", str(whole.layout.base))
    assert story.run(argparse.Namespace(id=bought.order_id, action=None, json=True)) == 0
    assert orjson.loads(capsys.readouterr().out)["order"]["status"] == "CANCELLED"
    assert story.run(argparse.Namespace(id=bought.order_id, action=None, json=False)) == 0
    assert "status CANCELLED" in capsys.readouterr().out.replace("\n", " ")


@pytest.fixture
def act(whole: Stack, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], int]:
    """Do something about an order of the whole system; return the exit status."""
    monkeypatch.setenv("FOYER_PORT_BASE", str(whole.layout.base))

    def act(wanted: str, action: str) -> int:
        return story.run(argparse.Namespace(id=wanted, action=action, json=False))

    return act


def _until(stores: Stores, order_id: str, holds: Callable[[story.Story], object]) -> story.Story:
    deadline = time.monotonic() + 20
    while not holds(found := tell(stores, order_id)):
        assert time.monotonic() < deadline, (found.order, found.payment)
        time.sleep(0.1)
    return found


def _trail(found: story.Story) -> list[str]:
    return [each.what for each in found.entries if each.what == "record: operator"]


def test_an_operator_ends_an_open_order_and_retries_what_waits(
    whole: Stack,
    stores: Stores,
    act: Callable[[str, str], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (left,) = buy(whole, "leave")
    order_id = str(left.order_id)
    assert act(order_id, "retry") == 0
    assert act(order_id, "void") == 0
    assert "orders.order.resolve sent" in capsys.readouterr().out
    found = _until(
        stores,
        order_id,
        lambda told: (
            told.payment
            and told.payment["authorisation"] == "voided"
            and told.order
            and told.order["status"] == "CANCELLED"
        ),
    )
    for action in ("release", "void", "refund", "retry"):
        assert act(order_id, action) == 0
    found = _until(
        stores,
        order_id,
        lambda told: (
            len(_trail(told)) == 6 and told.reservation and told.reservation["status"] == "RELEASED"
        ),
    )
    assert found.refunds == []


def test_an_operator_gives_the_money_of_a_confirmed_order_back_once(
    whole: Stack, stores: Stores, act: Callable[[str, str], int]
) -> None:
    (bought,) = buy(whole, "pay")
    order_id = str(bought.order_id)
    _until(stores, order_id, lambda found: found.order and found.order["step"] == "settled")
    for _ in range(2):
        assert act(order_id, "refund") == 0
    found = _until(
        stores, order_id, lambda told: told.payment and told.payment["status"] == "REFUNDED"
    )
    found = _until(stores, order_id, lambda told: len(_trail(told)) == 2)
    assert len(found.refunds) == 1
    assert found.stripe
    assert found.stripe["refunded"] == found.stripe["amount_received"]
    audited = (whole.layout.log / "audit.log").read_text(encoding="utf-8")
    assert audited.count(f'"action":"order.refund","order_id":"{order_id}"') == 2


def test_an_operator_tries_what_stripe_refused_again_and_gives_no_more_back(
    whole: Stack, stores: Stores, act: Callable[[str, str], int]
) -> None:
    (bought,) = buy(whole, "pay")
    order_id = str(bought.order_id)
    found = _until(stores, order_id, lambda told: told.order and told.order["step"] == "settled")
    assert found.order
    _have_stripe_fail(whole, no_balance_rate={"create_refund": 1})
    try:
        asked = RequestRefund(order_id=UUID(order_id), amount=Decimal("5.00"))
        _ask(whole, asked, found.order["organizer_id"])
        _until(
            stores,
            order_id,
            lambda told: [each["status"] for each in told.refunds] == ["FAILED"],
        )
    finally:
        _have_stripe_fail(whole)
    assert act(order_id, "refund") == 0
    found = _until(
        stores, order_id, lambda told: told.payment and told.payment["refunded_amount"] > 0
    )
    assert [(each["status"], each["amount"]) for each in found.refunds] == [
        ("SUCCEEDED", Decimal("5.00"))
    ]
    assert found.order
    assert found.order["status"] == "CONFIRMED"


def _have_stripe_fail(whole: Stack, **switches: object) -> None:
    address = f"http://127.0.0.1:{whole.layout.port('stripe')}/_stand_in/faults"
    assert httpx.put(address, json=switches).status_code == httpx.codes.OK


def _ask(whole: Stack, command: Message, user_id: UUID) -> None:
    """Ask for something as somebody who is signed in would."""
    amqp_url = settings(whole.layout)["FOYER_ADMIN_AMQP_URL"]
    publisher = Publisher(amqp_url, name="somebody", timeout_sec=10)
    publisher.start()
    try:
        asked = envelope_of(command, source="/edge", user_id=user_id)
        for future in publisher.publish([outgoing(asked)]):
            future.result()
    finally:
        publisher.stop()
