"""Money that comes after the deadline: the same tickets again, or the money back."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from schemas.expiration import ArmTimer, ClockTicked
from schemas.order import (
    CancelOrder,
    OrderCompleted,
    OrderRefused,
    OrderRestated,
    OrderSettled,
)
from schemas.payment import PaymentSucceeded, VoidPayment
from schemas.ticket import HoldReservation, ReleaseReservation
from schemas.venue import ReleaseSeats
from tests.driven import Said, postgres
from tests.services.order.buying import Buying, Orders

SEATS = [uuid4(), uuid4()]
GIVEN_UP = [ReleaseReservation.TYPE, VoidPayment.TYPE, OrderRestated.TYPE]


@pytest.fixture
def late(orders: Orders) -> Buying:
    """An order that expired, and whose buyer has paid since."""
    buying = Buying(orders).at("EXPIRED")
    said = buying.told(buying.authorized())
    assert said.types == [HoldReservation.TYPE, ArmTimer.TYPE, OrderRestated.TYPE]
    buying.asked, buying.timer = said.one(HoldReservation), said.one(ArmTimer)
    return buying


@pytest.fixture
def late_seats(orders: Orders) -> Buying:
    """The same, with seats that the venue had chosen."""
    buying = Buying(orders, quantity=2)
    buying.told(buying.reserved(*SEATS))
    buying.due()
    buying.told(buying.fired())
    buying.asked = buying.told(buying.authorized()).one(HoldReservation)
    return buying


def _version(buying: Buying) -> int:
    return buying.asked.order_version


def test_late_money_asks_for_the_same_again_under_a_higher_version(late: Buying) -> None:
    row = late.row()
    assert (row["status"], row["step"], row["version"]) == ("EXPIRED", "retaking", 4)
    assert (late.asked.order_version, late.asked.quantity) == (4, 2)
    assert late.timer.deadline == late.asked.expires_at == row["expires_at"]
    assert (row["expires_at"] - row["updated_at"]).total_seconds() == 300
    assert late.told(late.authorized()).types == [], "a duplicate"


def test_tickets_that_are_there_again_are_paid_for(late: Buying) -> None:
    said = late.told(late.held("99.00", _version(late)))
    completed = said.one(OrderCompleted)
    assert (completed.status, completed.step) == ("CONFIRMED", "capturing")
    assert completed.cancel_reason is None
    assert str(completed.total_amount) == "25.00", "what was authorised, whatever it costs now"
    taken = late.payment(PaymentSucceeded, 5, status="SUCCEEDED", authorisation="captured")
    assert late.told(taken).types == [OrderSettled.TYPE]


def test_the_same_seats_are_asked_for_by_name(late_seats: Buying) -> None:
    assert late_seats.asked.seat_ids == SEATS
    before = late_seats.items()
    said = late_seats.told(late_seats.reserved(*SEATS, version=_version(late_seats), price="99.00"))
    assert said.types == [OrderCompleted.TYPE]
    assert late_seats.items() == before


def test_standing_places_are_asked_for_by_their_section(orders: Orders) -> None:
    buying = Buying(orders, section_id=uuid4(), quantity=3)
    buying.told(buying.reserved(standing=3))
    buying.due()
    buying.told(buying.fired())
    again = buying.told(buying.authorized()).one(HoldReservation)
    assert (again.seat_ids, again.section_id, again.quantity) == (None, buying.reservation_id, 3)


def _gone(buying: Buying, said: Said, *, seated: bool) -> None:
    expected = [*GIVEN_UP[:1], *([ReleaseSeats.TYPE] if seated else []), *GIVEN_UP[1:]]
    assert said.types == expected
    version = _version(buying) + 1
    assert {each.data.sequence or vars(each.data)["order_version"] for each in said.envelopes} == {
        version
    }
    row = buying.row()
    assert (row["status"], row["step"], row["cancel_reason"]) == ("EXPIRED", "voided", "expired")
    again = buying.told(buying.authorized())
    assert again.types == [VoidPayment.TYPE, OrderRestated.TYPE], "the void again, nothing else"


def test_tickets_that_are_gone_give_the_money_back(late: Buying) -> None:
    refused = late.no_tickets()
    _gone(late, late.told(refused), seated=False)
    late_reply = late.told(late.held(version=_version(late)))
    assert late_reply.types == [ReleaseReservation.TYPE, OrderRestated.TYPE]


def test_seats_that_are_gone_give_the_quota_and_the_money_back(late_seats: Buying) -> None:
    refused = late_seats.no_seats(SEATS[0], version=_version(late_seats))
    _gone(late_seats, late_seats.told(refused), seated=True)
    late_reply = late_seats.told(late_seats.reserved(*SEATS, version=_version(late_seats)))
    assert late_reply.types == [ReleaseReservation.TYPE, ReleaseSeats.TYPE, OrderRestated.TYPE]


def test_a_retake_has_a_deadline(late: Buying) -> None:
    early = late.told(late.fired())
    assert early.types == [ArmTimer.TYPE]
    late.due()
    _gone(late, late.told(late.fired()), seated=False)


def test_a_retake_whose_money_is_lost_meanwhile_is_given_up(late: Buying) -> None:
    _gone(late, late.told(late.failed("voided")), seated=False)


def test_an_answer_to_the_first_hold_does_not_end_a_retake(late: Buying) -> None:
    assert late.told(late.held(version=1)).types == []
    assert late.told(late.no_seats(version=1)).types == []
    assert late.row()["step"] == "retaking"


def test_a_retake_is_not_the_buyers_to_cancel(late: Buying) -> None:
    refused = late.told(CancelOrder(order_id=late.order_id)).one(OrderRefused)
    assert refused.code == "order_not_cancellable"


def test_a_retake_is_armed_again_on_the_tick(late: Buying) -> None:

    late.due()
    postgres("order").db.execute(
        "UPDATE orders SET armed_at = now() - interval '1 minute' WHERE id = %s", [late.order_id]
    )
    said = late.told(ClockTicked(clock="clock", at=datetime.now(UTC)))
    armed: list[UUID] = [vars(each.data)["order_id"] for each in said.envelopes]
    assert late.order_id in armed
