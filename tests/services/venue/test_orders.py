"""What orders get of seats: once, in any order of delivery, late and doubled."""

from decimal import Decimal
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest

from schemas.order import OrderItem
from schemas.venue import (
    BlockSeats,
    SeatsHeld,
    SeatsRefused,
    SeatsReleased,
    SeatsReserved,
    SeatsSold,
)
from tests.driven import message_of, postgres
from tests.services.venue.selling import Asking, Sold, Venues, place, stalls, standing, tier


@pytest.fixture
def sold(venues: Venues) -> Sold:
    """Ten seats in two rows and ten places to stand, on sale; four for one buyer."""
    return Sold(
        venues,
        pricing_mode="section",
        price_tiers=[tier("A", "30.00"), tier("B", "12.50")],
        sections=[stalls(price_tier="A"), standing(10, price_tier="B")],
    )


def area(sold: Sold) -> tuple[int, int]:
    row = (
        postgres("venue")
        .db.execute(
            "SELECT reserved, sold FROM sections WHERE plan_id = %s AND type = 'ga'", [sold.plan_id]
        )
        .fetchone()
    )
    assert row
    return row["reserved"], row["sold"]


def standing_id(sold: Sold) -> Any:  # noqa: ANN401  # A UUID.
    return sold.created.sections[-1].section_id


def test_seats_go_from_reserved_to_sold(sold: Sold) -> None:
    order = Asking(sold, 3, 1)
    said = order.reserve().one(SeatsReserved)
    assert [(i.seat_id, i.seat_label, i.quantity, i.unit_price) for i in said.items] == [
        (sold.seats[3], "R1S4", 1, Decimal("30.00")),
        (sold.seats[1], "R1S2", 1, Decimal("30.00")),
    ]
    assert (said.organizer_id, said.currency, said.hold_ttl_sec) == (sold.organizer, "EUR", 600)
    assert (said.reservation_id, said.order_version) == (order.reservation_id, 1)
    assert {each.status for each in said.seats} == {"RESERVED"}
    done = order.tell(order.completed()).one(SeatsSold)
    assert {each.status for each in done.seats} == {"SOLD"}
    assert (sold.statuses(), order.status()) == ("ASASAAAAAA", "SOLD")
    assert not order.tell(order.completed()).types, "the version is not above"


def test_a_buyer_gets_what_he_holds_and_what_is_free(sold: Sold) -> None:
    ada, bob = uuid4(), uuid4()
    sold.hold(ada, 0, 1)
    refused = Asking(sold, 1, 2, user_id=bob).reserve().one(SeatsRefused)
    assert (refused.code, refused.seat_ids) == ("seats_unavailable", [sold.seats[1]])
    assert (refused.order_id is not None, refused.order_version) == (True, 1)
    Asking(sold, 1, 2, user_id=ada).reserve().one(SeatsReserved)
    assert sold.statuses() == "HRRAAAAAAA"
    sold.later(606)
    Asking(sold, 0, user_id=bob).reserve().one(SeatsReserved)  # Ada's time and grace are over.


def test_a_second_click_is_told_of_the_buyers_own_order(sold: Sold) -> None:
    first, second = Asking(sold, 0, 1), Asking(sold, 1, 2)
    second.user_id = first.user_id
    asked = [message_of(each.wanted()) for each in (first, second)]
    own = "An unpaid order of yours has some of the seats."
    assert sold.venues.hear(*asked).one(SeatsRefused).detail == own, "in one batch"
    again = Asking(sold, 1, user_id=first.user_id).reserve().one(SeatsRefused)
    assert (again.detail, again.seat_ids) == (own, [sold.seats[1]])
    assert sold.hold(first.user_id, 0, 2).one(SeatsRefused).detail == own
    others = "Some of the seats are taken."
    assert sold.hold(uuid4(), 0).one(SeatsRefused).detail == others
    first.tell(first.completed())
    sold.hold(uuid4(), 2)
    third = Asking(sold, 0, 2, user_id=first.user_id).reserve().one(SeatsRefused)
    assert (third.detail, third.seat_ids) == (others, [sold.seats[0], sold.seats[2]])


def test_an_order_is_honoured_although_its_hold_has_run_out_meanwhile(sold: Sold) -> None:
    ada = uuid4()
    sold.hold(ada, 0)
    sold.later(1000)
    Asking(sold, 0, user_id=ada).reserve().one(SeatsReserved)


@pytest.mark.parametrize(
    ("seats", "other", "code"),
    [
        ([0, 0], {}, "invalid_request"),
        ([], {"seat_ids": []}, "invalid_request"),
        ([], {"quantity": 0}, "invalid_request"),
        ([], {"quantity": 5}, "limit_exceeded"),
        ([0, 1, 2, 3, 4], {}, "limit_exceeded"),
        ([], {"seat_ids": [uuid4()]}, "not_found"),
        ([], {"section_id": uuid4()}, "not_found"),
        ([0], {"plan_id": uuid4()}, "not_found"),
        ([0], {"ticket_id": uuid4()}, "not_found"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(
    sold: Sold, seats: list[int], other: dict[str, Any], code: str
) -> None:
    order = Asking(sold, *seats)
    assert order.reserve(**other).one(SeatsRefused).code == code
    assert (order.status(), sold.statuses()) == (None, "A" * 10)


def test_the_best_are_chosen_together_until_nothing_fits(sold: Sold) -> None:
    stall = sold.created.sections[0].section_id
    for expected in ("RRRAAAAAAA", "RRRAARRRAA"):
        order = Asking(sold)
        assert len(order.reserve(quantity=3, section_id=stall).one(SeatsReserved).items) == 3
        assert sold.statuses() == expected
    refused = Asking(sold).reserve(quantity=4, section_id=stall)
    assert len(refused.one(SeatsReserved).items) == 4, "they sit apart rather than not at all"
    assert Asking(sold).reserve(quantity=1, section_id=stall).one(SeatsRefused).code == "sold_out"
    assert Asking(sold).reserve(quantity=1).one(SeatsReserved).items[0].seat_label == "Floor"


def test_what_a_batch_gives_away_it_does_not_give_twice(sold: Sold) -> None:
    holder = uuid4()
    batch = [message_of(Asking(sold).wanted(quantity=2)) for _ in range(3)]
    batch.insert(1, message_of(sold.holding(9), user_id=holder))
    batch.append(message_of(Asking(sold, 9, user_id=holder).wanted()))
    said = sold.venues.hear(*batch)
    items = [i.seat_id for e in said.envelopes if isinstance(e.data, SeatsReserved)
             for i in e.data.items]  # fmt: skip
    assert len(items) == len(set(items)) == 7
    assert sold.seats[9] in items


def test_overdue_holds_are_given_away_by_choice_too(sold: Sold) -> None:
    for number in range(0, 10, 2):
        sold.hold(uuid4(), number, number + 1)
    stall = sold.created.sections[0].section_id
    assert Asking(sold).reserve(section_id=stall).one(SeatsRefused).code == "sold_out"
    sold.later(606)
    Asking(sold).reserve(section_id=stall).one(SeatsReserved)


def test_accessible_seats_are_for_those_who_ask(venues: Venues) -> None:
    special = [place(1, column, attributes={"accessible": True}) for column in (1, 2)]
    sold = Sold(venues, sections=[stalls(1, 4, seats=special)])
    assert Asking(sold).reserve(quantity=3).one(SeatsRefused).code == "sold_out"
    Asking(sold).reserve(quantity=2).one(SeatsReserved)
    assert sold.statuses() == "AARR"
    Asking(sold).reserve(quantity=2, accessible=True).one(SeatsReserved)


def test_who_asks_for_an_accessible_seat_is_not_left_standing(venues: Venues) -> None:
    accessible = [place(1, 1, attributes={"accessible": True})]
    sold = Sold(venues, sections=[stalls(1, 3, seats=accessible), standing()])
    Asking(sold).reserve(quantity=1, accessible=True).one(SeatsReserved)
    refused = Asking(sold).reserve(quantity=1, accessible=True).one(SeatsRefused)
    assert (refused.code, refused.detail) == ("sold_out", "No accessible seats are left.")
    there = {"quantity": 1, "accessible": True, "section_id": standing_id(sold)}
    assert Asking(sold).reserve(**there).one(SeatsRefused).code == "invalid_request"
    assert area(sold) == (0, 0)
    assert Asking(sold).reserve(quantity=3).one(SeatsReserved).items[0].quantity == 3


def test_places_are_counted_and_not_oversold(sold: Sold) -> None:
    orders = [Asking(sold) for _ in range(3)]
    for order in orders:
        said = order.reserve(quantity=4, section_id=standing_id(sold))
        if order is orders[2]:
            assert said.one(SeatsRefused).code == "sold_out"
            continue
        reserved = said.one(SeatsReserved)
        assert [(i.seat_id, i.quantity, i.unit_price) for i in reserved.items] == [
            (None, 4, Decimal("12.50"))
        ]
    assert area(sold) == (8, 0)
    orders[0].tell(orders[0].completed())
    orders[1].tell(orders[1].cancelled())
    assert area(sold) == (0, 4)
    back = orders[0].tell(orders[0].release(4, quantity=1)).one(SeatsReleased)
    assert (back.status, back.areas[0].sold, area(sold)) == ("SOLD", 3, (0, 3))
    assert orders[0].tell(orders[0].release(5, quantity=3)).one(SeatsReleased).areas[0].sold == 1
    assert orders[0].tell(orders[0].release(6, quantity=4)).one(SeatsReleased).status == "RELEASED"
    assert area(sold) == (0, 0)


# Ends.


@pytest.mark.parametrize(("status", "kept"), [("CANCELLED", "RELEASED"), ("EXPIRED", "EXPIRED")])
def test_an_ended_order_gives_its_seats_back(sold: Sold, status: str, kept: str) -> None:
    order = Asking(sold, 0, 1)
    order.reserve()
    said = order.tell(order.cancelled(status=status)).one(SeatsReleased)
    assert (said.status, len(said.seats), said.plan_id) == (kept, 2, sold.plan_id)
    assert (sold.statuses(), order.status()) == ("A" * 10, kept)
    sold.hold(uuid4(), 0, 1).one(SeatsHeld)
    assert not order.tell(order.cancelled(status=status)).types


def test_what_ended_before_it_began_is_refused_later(sold: Sold) -> None:
    for ending in ("cancelled", "release"):
        order = Asking(sold, 0)
        said = order.tell(getattr(order, ending)(2)).one(SeatsReleased)
        assert (said.status, said.plan_id, said.seats) == ("RELEASED", None, [])
        assert not order.reserve(1).types, "older than what was applied"
        assert order.reserve(3).one(SeatsRefused).code == "cancelled"
    assert sold.statuses() == "A" * 10


def test_an_order_without_seats_is_none_of_its_business(sold: Sold) -> None:
    order = Asking(sold, 0)
    assert not order.tell(order.cancelled(seated=False)).types
    assert order.status() is None
    assert not order.tell(order.completed()).types
    unknown = order.tell(order.cancelled(seated=None)).one(SeatsReleased)
    assert unknown.status == "RELEASED"


def test_an_expired_order_may_have_the_same_again(sold: Sold) -> None:
    order = Asking(sold, 0, 1)
    order.reserve()
    order.tell(order.cancelled(2, "EXPIRED"))
    again = order.reserve(3).one(SeatsReserved)
    assert ([i.seat_id for i in again.items], again.order_version) == (sold.seats[:2], 3)
    assert not order.tell(order.cancelled(2, "EXPIRED")).types, "a stale end cannot free it"
    order.tell(order.completed(4)).one(SeatsSold)
    assert sold.statuses()[:2] == "SS"


def test_an_expired_order_whose_seats_are_gone_gets_none(sold: Sold) -> None:
    order = Asking(sold, 0, 1)
    order.reserve()
    order.tell(order.cancelled(2, "EXPIRED"))
    sold.hold(uuid4(), 1)
    refused = order.reserve(3).one(SeatsRefused)
    assert (refused.code, refused.seat_ids) == ("seats_unavailable", [sold.seats[1]])
    assert (sold.statuses()[:2], order.status()) == ("AH", "EXPIRED")
    released = order.tell(order.release(4)).one(SeatsReleased)
    assert (released.status, released.seats) == ("EXPIRED", [])


def test_an_expired_order_for_places_may_have_as_many_again(sold: Sold) -> None:
    order, other = Asking(sold), Asking(sold)
    order.reserve(quantity=4, section_id=standing_id(sold))
    order.tell(order.cancelled(2, "EXPIRED"))
    order.reserve(3).one(SeatsReserved)
    assert area(sold) == (4, 0)
    order.tell(order.cancelled(4, "EXPIRED"))
    for _ in range(2):
        Asking(sold).reserve(quantity=4, section_id=standing_id(sold))
    assert order.reserve(5).one(SeatsRefused).code == "sold_out"
    assert other.status() is None


def test_a_reservation_is_answered_again_under_a_higher_version(sold: Sold) -> None:
    order = Asking(sold, 0)
    first = order.reserve(1).one(SeatsReserved)
    second = order.reserve(2).one(SeatsReserved)
    assert second.items == first.items
    assert not order.reserve(2).types
    assert not order.tell(order.cancelled(2)).types
    assert sold.statuses()[0] == "R"


@pytest.mark.parametrize("order_of", list(permutations(range(4))))
def test_any_order_of_delivery_comes_to_the_same(sold: Sold, order_of: tuple[int, ...]) -> None:
    order = Asking(sold, 0, 1)
    messages = [
        order.wanted(1), order.cancelled(3, "EXPIRED"), order.wanted(4), order.cancelled(6),
    ]  # fmt: skip
    for number in order_of:
        sold.venues.hear(message_of(messages[number]), message_of(messages[number]))
    sold.venues.hear(*(message_of(each) for each in messages))
    assert sold.statuses()[:2] == "AA"


# Refunds.


def test_refunded_seats_come_back_and_each_message_names_them_all(sold: Sold) -> None:
    order = Asking(sold, 0, 1, 2)
    order.reserve()
    order.tell(order.completed(2))
    first, second = order.release(3, 0), order.release(4, 0, 1)
    said = order.tell(second).one(SeatsReleased)
    assert (said.status, len(said.seats), sold.statuses()[:3]) == ("SOLD", 2, "AAS")
    assert not order.tell(first).types
    sold.hold(uuid4(), 0).one(SeatsHeld)
    again = order.tell(order.release(5, 0, 1, 2)).one(SeatsReleased)
    assert (again.status, sold.statuses()[:3]) == ("RELEASED", "HAA")


def test_seats_that_are_kept_stay_sold_when_their_order_ends(sold: Sold) -> None:
    order = Asking(sold, 0, 1)
    order.reserve()
    order.tell(order.completed(2))
    items = [
        OrderItem(id=uuid4(), quantity=1, unit_price=Decimal(30), seat_id=seat_id, kept=kept)
        for seat_id, kept in zip(sold.seats, (True, False), strict=False)
    ]
    said = order.tell(order.cancelled(3, items=items)).one(SeatsReleased)
    assert (said.status, sold.statuses()[:2], order.status()) == ("SOLD", "SA", "SOLD")


def test_what_is_left_is_sold_when_a_refund_overtakes_the_confirmation(sold: Sold) -> None:
    order, stander = Asking(sold, 0, 1), Asking(sold)
    order.reserve()
    said = order.tell(order.release(5, 0)).one(SeatsReleased)
    assert (said.status, sold.statuses()[:2], order.status()) == ("SOLD", "AS", "SOLD")
    assert not order.tell(order.completed(2)).types
    stander.reserve(section_id=standing_id(sold), quantity=3)
    stander.tell(stander.release(5, quantity=1))
    assert (area(sold), stander.status()) == ((0, 2), "SOLD")


def test_what_is_kept_is_sold_when_the_end_overtakes_the_confirmation(sold: Sold) -> None:
    order = Asking(sold, 0, 1)
    order.reserve()
    kept = OrderItem(
        id=uuid4(), quantity=1, unit_price=None, seat_id=sold.seats[0], refunded=True, kept=True
    )
    said = order.tell(order.cancelled(5, items=[kept])).one(SeatsReleased)
    assert (said.status, sold.statuses()[:2], order.status()) == ("SOLD", "SA", "SOLD")


def test_a_price_is_the_one_of_the_moment(sold: Sold) -> None:
    order = Asking(sold, 0)
    order.reserve()
    order.tell(order.cancelled(2, "EXPIRED"))
    postgres("venue").db.execute(
        "UPDATE price_tiers SET price = 99 WHERE plan_id = %s", [sold.plan_id]
    )
    again = order.reserve(3).one(SeatsReserved)
    assert [item.unit_price for item in again.items] == [Decimal("30.00")]
    other = Asking(sold, 1).reserve().one(SeatsReserved)
    assert [item.unit_price for item in other.items] == [Decimal(99)]


def test_a_blocked_seat_is_nobodys(sold: Sold) -> None:
    block = BlockSeats(plan_id=sold.plan_id, seat_ids=sold.seats[:1])
    sold.venues.told(block, user_id=sold.organizer)
    assert Asking(sold, 0).reserve().one(SeatsRefused).code == "seats_unavailable"
