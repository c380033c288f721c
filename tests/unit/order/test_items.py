"""What an order is for: a quantity, or seats, one line each."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from bus.service import Refusal
from schemas.order import OrderItem, PlaceOrder
from schemas.venue import ReservedItem
from workers.order import items

SEATS = [uuid4(), uuid4()]
SECTION = uuid4()


def _asked(**choice: Any) -> list[OrderItem]:  # noqa: ANN401  # The command's fields.
    return items.asked(PlaceOrder(ticket_id=uuid4(), **choice), uuid4)


def _reserved(seat_id: UUID | None, price: str = "10.00", quantity: int = 1) -> ReservedItem:
    return ReservedItem(
        seat_id=seat_id,
        section_id=SECTION,
        seat_label="A 12" if seat_id else "Standing",
        quantity=quantity,
        unit_price=Decimal(price),
    )


def test_named_seats_have_a_line_each_and_a_quantity_has_one() -> None:
    assert [(item.seat_id, item.quantity) for item in _asked(seat_ids=SEATS)] == [
        (SEATS[0], 1),
        (SEATS[1], 1),
    ]
    (item,) = _asked(quantity=3, section_id=SECTION)
    assert (item.seat_id, item.section_id, item.quantity) == (None, SECTION, 3)
    (item,) = _asked(quantity=2)
    assert (item.section_id, item.quantity, item.unit_price) == (None, 2, None)


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"seat_ids": []},
        {"seat_ids": [SEATS[0], SEATS[0]]},
        {"seat_ids": SEATS, "quantity": 2},
        {"seat_ids": SEATS, "section_id": SECTION},
        {"section_id": SECTION},
        {"quantity": 0},
        {"quantity": -1, "section_id": SECTION},
    ],
)
def test_there_is_exactly_one_way_of_saying_what(choice: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="invalid_request"):
        _asked(**choice)


def test_a_reserved_seat_keeps_the_line_that_asked_for_it() -> None:
    asked = _asked(seat_ids=SEATS)
    seated = items.seated(asked, [_reserved(SEATS[1], "20.00"), _reserved(SEATS[0])], uuid4)
    assert [(each.id, each.seat_id) for each in seated] == [
        (asked[1].id, SEATS[1]),
        (asked[0].id, SEATS[0]),
    ]
    assert [str(each.unit_price) for each in seated] == ["20.00", "10.00"]


def test_seats_chosen_by_quantity_replace_its_line() -> None:
    asked = _asked(quantity=2)
    seated = items.seated(asked, [_reserved(each) for each in SEATS], uuid4)
    assert [each.seat_id for each in seated] == SEATS
    assert len({each.id for each in seated} | {asked[0].id}) == 3
    (standing,) = items.seated(_asked(quantity=2), [_reserved(None, quantity=2)], uuid4)
    assert (standing.seat_id, standing.quantity, standing.seat_label) == (None, 2, "Standing")


def test_what_is_refunded_is_given_back_unless_it_is_kept() -> None:
    asked = _asked(seat_ids=[uuid4() for _ in range(3)])
    first = items.refunded(asked, {asked[0].id}, kept=False)
    second = items.refunded(first, {asked[0].id, asked[1].id}, kept=True)
    assert [(each.refunded, each.kept) for each in second] == [
        (True, False),
        (True, True),
        (False, False),
    ]
    assert items.given_back(second) == [second[0]]
    assert items.count(second) == 3
