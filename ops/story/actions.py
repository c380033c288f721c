"""What an operator may do about a stuck order: each is safe to repeat, each leaves a line.

    retry    dead letters about it are sent back; calls that were put off are made now; Stripe is
             asked how its payment stands
    void     the money that is set aside is given back, and an order that counted on it ends
    refund   what Stripe refused to give back is tried again; where there is nothing of the kind,
             all that is left of what was taken is given back
    release  the tickets of an order that has ended are given back once more; an open one ends

Nothing is written by hand: each is a command on the bus, judged by the service that owns what it is
about. The lines are in the audit log and in the payment's own trail.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal, get_args
from uuid import UUID, uuid5

from bus.envelope import Envelope, envelope_of, outgoing
from bus.publisher import Publisher
from ops import audit, dead
from ops.stores import Row, Stores
from ops.story.told import Story
from schemas.message import Message
from schemas.order import RequestRefund, ResolveOrder
from schemas.payment import DrivePayment, RefundPayment

Action = Literal["retry", "void", "refund", "release"]
ACTIONS: tuple[Action, ...] = get_args(Action)
_REFUNDS = UUID("5f0c6f0e-6a0c-5b0e-8a3e-2f6b0f5b7c11")  # It must never change.
_SOURCE = "/operator"


def act(stores: Stores, amqp_url: str, story: Story, action: Action) -> list[str]:
    """Do it; return what was asked for, in words.

    Raises:
        LookupError: the story is about no order.
        NotConfirmed: the broker did not take the commands.
    """
    order = story.order
    if order is None:
        msg = "there is no order to act on"
        raise LookupError(msg)
    said = list(_commands(order, story, action))
    audit.note(f"order.{action}", order_id=order["id"], said=[each.type for each in said])
    done = [f"{each.type} sent" for each in said]
    if action == "retry" and story.dead_letters:
        sent, failed = dead.replay(stores, [each["message_id"] for each in story.dead_letters])
        done.append(f"{sent} dead letters sent back, {failed} not")
    publisher = Publisher(amqp_url, name="operator", timeout_sec=10)
    publisher.start()
    try:
        for future in publisher.publish([outgoing(each) for each in said]):
            future.result()
    finally:
        publisher.stop()
    return done


def _commands(order: Row, story: Story, action: Action) -> Iterator[Envelope]:
    order_id, by = order["id"], audit.who()
    yield _said(DrivePayment(order_id=order_id, action=action, by=by))
    if action in {"void", "release"}:
        yield _said(ResolveOrder(order_id=order_id, action=action, by=by))
    elif action == "refund":
        yield from _refunds(order, story)


def _refunds(order: Row, story: Story) -> Iterator[Envelope]:
    """Ask for refunds that failed, again; only where there are none for all that is left, once."""
    captured = story.payment["captured_amount"] if story.payment else Decimal(0)
    if again := failed(story.refunds, captured):
        for each in again:
            yield _said(_again(order, each))
    elif order["status"] == "CONFIRMED":
        yield _said(RequestRefund(order_id=order["id"]), order["organizer_id"])
    elif story.payment:
        once = uuid5(_REFUNDS, f"{story.payment['id']} {len(story.refunds)}")
        yield _said(_the_rest(order, once))


def failed(refunds: Sequence[Row], captured: Decimal) -> list[Row]:
    """Return those that failed, were not asked for once more since, and are not beyond the rest."""
    latest = {(each["amount"], *each["item_ids"]): each for each in refunds}
    back = sum((each["amount"] for each in refunds if each["status"] != "FAILED"), Decimal(0))
    return [
        each
        for each in latest.values()
        if each["status"] == "FAILED" and each["amount"] <= captured - back
    ]


def _again(order: Row, refund: Row) -> RefundPayment:
    return RefundPayment(
        order_id=order["id"],
        refund_id=refund["id"],
        amount=refund["amount"],
        item_ids=refund["item_ids"],
        keep_stock=refund["keep_stock"],
    )


def _the_rest(order: Row, refund_id: UUID) -> RefundPayment:
    return RefundPayment(
        order_id=order["id"], refund_id=refund_id, amount=None, item_ids=[], keep_stock=False
    )


def _said(command: Message, user_id: UUID | None = None) -> Envelope:
    return envelope_of(command, source=_SOURCE, user_id=user_id)
