"""The judge of a seat sale sees what cannot have been."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from ops.chaos.seat_log import SeatLog

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
SEAT, ANNA, BEN, ONE, TWO = (str(uuid4()) for _ in range(5))


def said(kind: str, by: str, revision: int = 0, after_sec: int = 0, **data: Any) -> dict[str, Any]:  # noqa: ANN401  # An event's data.
    """Describe a message about the seat, as the outbox has it."""
    status = {"freed": "AVAILABLE", "released": "AVAILABLE"}.get(kind, kind.upper())
    seats = [{"seat_id": SEAT, "status": status, "revision": revision}]
    return {
        "event_type": f"venues.seats.{kind}",
        "payload": {"userid": by, "data": {"seats": seats} | data},
        "created_at": NOW + timedelta(seconds=after_sec),
    }


def held(by: str, revision: int, after_sec: int = 0) -> dict[str, Any]:
    """Describe a hold of ten seconds."""
    until = NOW + timedelta(seconds=after_sec + 10)
    return said("held", by, revision, after_sec, hold_expires_at=until.isoformat())


def refused(by: str, *seats: str, after_sec: int = 0) -> dict[str, Any]:
    """Describe a refusal that names seats."""
    return said("refused", by, 0, after_sec, code="seats_unavailable", seat_ids=list(seats))


def wrong(*told: dict[str, Any]) -> int:
    """Count what cannot have been."""
    log = SeatLog()
    log.play(told)
    return len(log.wrong)


def test_a_sale_as_it_should_be() -> None:
    assert not wrong(
        held(ANNA, 2),
        refused(BEN, SEAT),
        held(ANNA, 3),
        said("reserved", ANNA, 4, order_id=ONE),
        refused(ANNA, SEAT),
        said("reserved", ANNA, 4, order_id=ONE),
        said("released", ANNA, 5, order_id=ONE),
        said("reserved", BEN, 6, order_id=TWO),
        said("sold", BEN, 7, order_id=TWO),
        refused(ANNA, SEAT),
    )


def test_a_seat_in_two_orders_is_seen() -> None:
    first = said("reserved", ANNA, 2, order_id=ONE)
    assert wrong(first, said("reserved", BEN, 3, order_id=TWO))
    assert wrong(first, said("sold", BEN, 3, order_id=TWO))
    assert wrong(first, said("released", ANNA, 3), said("sold", ANNA, 4, order_id=ONE))


def test_a_broken_promise_is_seen() -> None:
    assert wrong(held(ANNA, 2), said("reserved", BEN, 3, after_sec=9, order_id=ONE))
    assert wrong(held(ANNA, 2), held(BEN, 3, after_sec=9))
    assert wrong(held(ANNA, 2), held(BEN, 3, after_sec=13)), "its grace is not over"
    assert not wrong(held(ANNA, 2), held(BEN, 3, after_sec=15))


def test_a_refusal_while_the_grace_lasts_is_true() -> None:
    assert not wrong(held(ANNA, 2), refused(BEN, SEAT, after_sec=15))
    assert wrong(held(ANNA, 2), refused(BEN, SEAT, after_sec=17))


def test_an_untrue_refusal_is_seen() -> None:
    assert wrong(refused(BEN, SEAT))
    assert wrong(refused(BEN))
    assert wrong(held(ANNA, 2), refused(ANNA, SEAT))
    assert wrong(held(ANNA, 2), refused(BEN, SEAT, after_sec=20))
    assert wrong(held(ANNA, 2), said("freed", ANNA, 3), refused(BEN, SEAT, after_sec=2))
    assert wrong(held(ANNA, 2), said("freed", ANNA, 3), refused(ANNA, SEAT))


def test_a_refusal_is_true_although_the_seat_came_free_before_it_was_written() -> None:
    assert not wrong(held(ANNA, 2), said("freed", ANNA, 3), refused(BEN, SEAT))


def test_a_change_that_was_lost_is_seen() -> None:
    assert wrong(held(ANNA, 2), said("freed", ANNA, 4))
