"""An event that is called off: every order of it ends, those that were being placed, too."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.message import Message
from schemas.order import (
    EndOrders,
    OrderCancelled,
    OrderRefused,
    OrderRestated,
    PlaceOrder,
    TicketEnded,
    TicketFailed,
    TicketProgress,
)
from schemas.payment import RefundPayment, VoidPayment
from schemas.ticket import HoldReservation, ReleaseReservation, TicketCancelled
from tests.driven import Said
from tests.services.order.buying import Buying, Orders
from tests.services.order.paid import SEATS, Paid
from tests.unit.view.samples import ticket
from workers.order import ending_handlers


class Event:
    """An event, its orders, and the operation that calls it off."""

    def __init__(self, orders: Orders) -> None:
        """Make up its ids."""
        self.orders, self.ticket_id, self.operation_id = orders, uuid4(), uuid4()

    def buying(self, **choice: Any) -> Buying:  # noqa: ANN401  # The command's fields.
        """Place an order."""
        return Buying(self.orders, self.ticket_id, **choice)

    def paid(self) -> Paid:
        """Place an order of three seats and pay it."""
        return Paid(self.orders, self.ticket_id, seat_ids=SEATS)

    def call_off(self) -> EndOrders:
        """Call it off; return what the service tells itself."""
        event = ticket(TicketCancelled, self.ticket_id, 7, status="cancelled")
        said = self.orders.told(event, operation_id=self.operation_id)
        assert said.types == [EndOrders.TYPE]
        return said.one(EndOrders)

    def ended(self) -> list[Said]:
        """Call it off, and let every page be ended."""
        said = [self.orders.told(self.call_off())]
        while EndOrders.TYPE in said[-1].types:
            said.append(self.orders.told(said[-1].one(EndOrders)))
        return said


@pytest.fixture
def event(orders: Orders) -> Event:
    """One with a ticket of its own."""
    return Event(orders)


def _all(said: list[Said], kind: type[Message]) -> list[Any]:
    found = [each.data for one in said for each in one.envelopes]
    return [each for each in found if isinstance(each, kind)]


def _cancelled(said: list[Said]) -> set[UUID]:
    ended = _all(said, OrderCancelled)
    assert {each.cancel_reason for each in ended} <= {"event_cancelled"}
    return {each.order_id for each in ended}


def test_what_is_not_paid_ends_at_once(event: Event) -> None:
    pending, payable, free = event.buying(), event.buying(), event.buying()
    payable.at("AWAITING_PAYMENT")
    free.told(free.held("0.00"))
    event.buying().at("EXPIRED")
    said = event.ended()
    assert _cancelled(said) == {pending.order_id, payable.order_id, free.order_id}
    (whole,) = _all(said, TicketEnded)
    assert (whole.total, whole.ended, whole.failed) == (4, 4, 0)


def test_a_step_of_each_order_goes_to_its_own_operation(event: Event) -> None:
    pending = event.buying()
    (said,) = event.ended()
    told = {each.type: each.operation_id for each in said.envelopes}
    assert told == {
        OrderCancelled.TYPE: pending.operation_id,
        TicketEnded.TYPE: event.operation_id,
    }


def test_an_event_without_orders_has_ended(event: Event) -> None:
    (whole,) = _all(event.ended(), TicketEnded)
    assert (whole.total, whole.revision) == (0, 1)


def test_what_is_paid_ends_when_all_that_is_left_has_gone_back(event: Event) -> None:
    paid = event.paid()
    item = paid.asked_for(item_ids=paid.item_ids()[:1])
    said = event.ended()
    (rest,) = _all(said, RefundPayment)
    assert str(rest.amount) == "25.00", "what is under way is not asked for twice"
    (first,) = _all(said, TicketProgress)
    assert (first.total, first.ended) == (1, 0)
    assert OrderRestated.TYPE in paid.told(paid.done(item)).types
    last = paid.told(paid.done(rest))
    assert last.one(OrderCancelled).cancel_reason == "event_cancelled"
    assert last.one(TicketEnded).ended == 1


def test_pages_follow_each_other_and_a_repeated_one_does_no_harm(
    event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending_handlers, "_PAGE", 2)
    paid, orders = event.paid(), [event.buying() for _ in range(4)]
    first = event.call_off()
    said = [event.orders.told(first)]
    while EndOrders.TYPE in said[-1].types:
        said.append(event.orders.told(said[-1].one(EndOrders)))
    assert len(said) == 3
    assert _cancelled(said) == {each.order_id for each in orders}
    assert len(_all(said, RefundPayment)) == 1
    assert [len(_all([each], OrderCancelled)) for each in said] == [1, 2, 1]
    again = event.orders.told(EndOrders(ticket_id=event.ticket_id))
    assert again.types == [EndOrders.TYPE], "the refund is under way"
    assert paid.row()["status"] == "CONFIRMED"


def test_new_orders_are_refused_at_once(event: Event) -> None:
    event.call_off()
    said = event.orders.told(
        PlaceOrder(ticket_id=event.ticket_id, quantity=1), user_id=uuid4(), operation_id=uuid4()
    )
    assert said.types == [OrderRefused.TYPE]
    assert said.one(OrderRefused).code == "event_cancelled"


def test_an_order_that_was_being_placed_ends_when_it_hears_of_its_tickets(event: Event) -> None:
    general, seated = event.buying(), event.buying(seat_ids=SEATS)
    event.call_off()
    said = general.told(general.held())
    assert said.one(OrderCancelled).cancel_reason == "event_cancelled"
    ended = seated.told(seated.reserved(*SEATS)).one(OrderCancelled)
    assert (ended.cancel_reason, ended.seated) == ("event_cancelled", True)


def test_money_for_an_event_that_is_off_is_not_taken(event: Event) -> None:
    payable, expired = event.buying().at("AWAITING_PAYMENT"), event.buying().at("EXPIRED")
    event.call_off()
    ended = payable.told(payable.authorized()).one(OrderCancelled)
    assert ended.cancel_reason == "event_cancelled"
    again = payable.told(payable.authorized())
    assert again.types == [VoidPayment.TYPE, OrderRestated.TYPE]
    assert expired.told(expired.authorized()).types == [VoidPayment.TYPE, OrderRestated.TYPE]


def test_a_retake_is_given_up(event: Event) -> None:
    late, later = event.buying().at("EXPIRED"), event.buying().at("EXPIRED")
    late.told(late.authorized())
    hold = later.told(later.authorized()).one(HoldReservation)
    event.call_off()
    answered = later.told(later.held(version=hold.order_version))
    assert VoidPayment.TYPE in answered.types
    (said,) = [event.orders.told(EndOrders(ticket_id=event.ticket_id))]
    assert {ReleaseReservation.TYPE, VoidPayment.TYPE, TicketEnded.TYPE} <= set(said.types)
    assert (late.row()["step"], later.row()["step"]) == ("voided", "voided")


def test_a_refund_that_fails_is_told_and_calling_off_again_tries_again(event: Event) -> None:
    paid = event.paid()
    (asked,) = _all(event.ended(), RefundPayment)
    failed = paid.told(paid.failed_refund(asked)).one(TicketFailed)
    assert (failed.failed, failed.ended, failed.code) == (1, 0, "refund_failed")
    event.operation_id = uuid4()
    said = event.ended()
    (again,) = _all(said, RefundPayment)
    assert again.refund_id != asked.refund_id
    assert _all(said, TicketFailed) == []
    last = paid.told(paid.done(again))
    assert last.one(TicketEnded).ended == 1
    (told,) = [each for each in last.envelopes if each.type == TicketEnded.TYPE]
    assert told.operation_id == event.operation_id


def test_a_failed_refund_that_was_made_good_is_told_of_as_ended(event: Event) -> None:
    """An operator had the same refund tried again: nobody called the event off once more."""
    paid = event.paid()
    (asked,) = _all(event.ended(), RefundPayment)
    assert paid.told(paid.failed_refund(asked)).one(TicketFailed).failed == 1
    paid.refunds.clear()
    last = paid.told(paid.done(asked)).one(TicketEnded)
    assert (last.ended, last.failed, last.revision) == (1, 0, 3)


def test_what_a_failed_refund_had_set_aside_goes_back_with_the_rest(event: Event) -> None:
    paid = event.paid()
    item = paid.asked_for(item_ids=paid.item_ids()[:1])
    (rest,) = _all(event.ended(), RefundPayment)
    more = paid.told(paid.failed_refund(item)).one(RefundPayment)
    assert str(more.amount) == "12.50"
    paid.told(paid.done(rest))
    assert paid.told(paid.done(more)).one(TicketEnded).ended == 1


def test_two_who_call_it_off_both_hear_the_end(event: Event) -> None:
    paid, first = event.paid(), event.operation_id
    (asked,) = _all(event.ended(), RefundPayment)
    event.operation_id = uuid4()
    assert _all(event.ended(), RefundPayment) == []
    last = paid.told(paid.done(asked))
    told = [each.operation_id for each in last.envelopes if each.type == TicketEnded.TYPE]
    assert told == [first, event.operation_id]
