"""Which refunds of an order an operator asks for: those that failed before anything else."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from ops.story.actions import failed

PAID = Decimal("25.00")
ITEM, OTHER = uuid4(), uuid4()


def _refund(status: str, amount: str = "5.00", *items: object) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "amount": Decimal(amount),
        "status": status,
        "item_ids": [*items],
        "keep_stock": False,
    }


def test_each_that_failed_is_asked_for_again() -> None:
    lost = [_refund("FAILED", "5.00", ITEM), _refund("FAILED", "5.00", OTHER), _refund("FAILED")]
    assert failed([_refund("SUCCEEDED", "7.00"), *lost], PAID) == lost


def test_one_that_was_asked_for_once_more_is_made_good_by_that() -> None:
    first, again = _refund("FAILED", "5.00", ITEM), _refund("FAILED", "5.00", ITEM)
    assert failed([first, again], PAID) == [again]
    assert failed([first, _refund("PENDING", "5.00", ITEM)], PAID) == []
    assert failed([first, again, _refund("SUCCEEDED", "5.00", ITEM)], PAID) == []


def test_one_that_is_more_than_there_is_left_is_not_asked_for() -> None:
    whole = _refund("FAILED", "25.00")
    assert failed([whole], PAID) == [whole]
    assert failed([whole, _refund("SUCCEEDED", "0.01")], PAID) == []
