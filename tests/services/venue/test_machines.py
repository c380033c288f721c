"""Whatever is said in whatever order: seats, areas and the ledger agree, and moves are allowed."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.expiration import ArmHold, HoldFired
from schemas.message import Message
from schemas.venue import BlockSeats, FreeSeats, UnblockSeats
from tests.driven import message_of, postgres
from tests.services.venue.selling import Asking, Sold, Venues, stalls, standing
from workers.venue.reservation import MOVES as LEDGER
from workers.venue.seat import MOVES as SEATS

BUYERS = [uuid4() for _ in range(3)]
SEAT, ORDER, BUYER = st.integers(0, 5), st.integers(0, 5), st.integers(0, 2)
_SEAT_WAYS = {(a, b) for a, ways in SEATS.items() for b in ways}
_THROUGH = {(a, c) for a, b in _SEAT_WAYS for x, c in _SEAT_WAYS if b == x == "AVAILABLE"}
_LEDGER_WAYS = {(a, b) for a, ways in LEDGER.items() for b in ways}

STEP = st.one_of(
    st.tuples(st.just("hold"), BUYER, st.lists(SEAT, min_size=1, max_size=2, unique=True)),
    st.tuples(st.just("free"), BUYER, st.none()),
    st.tuples(st.just("reserve"), ORDER, st.none()),
    st.tuples(st.just("complete"), ORDER, st.none()),
    st.tuples(st.just("cancel"), ORDER, st.sampled_from(["CANCELLED", "EXPIRED"])),
    st.tuples(st.just("release"), ORDER, st.none()),
    st.tuples(st.just("refund"), ORDER, st.none()),
    st.tuples(st.just("block"), SEAT, st.booleans()),
    st.tuples(st.just("pass"), st.sampled_from([3, 400, 700]), st.none()),
    st.tuples(st.just("fire"), BUYER, st.none()),
    st.tuples(st.just("again"), st.integers(1, 4), st.none()),
)


@dataclass
class World:
    """A small house, a few buyers and orders, and what was said to the service so far."""

    sold: Sold
    orders: list[Asking]
    versions: Counter[int] = field(default_factory=Counter)
    said: list[Any] = field(default_factory=list)
    arms: dict[UUID, ArmHold] = field(default_factory=dict)
    seats: dict[UUID, str] = field(default_factory=dict)
    ledger: dict[UUID, str] = field(default_factory=dict)

    def step(self, what: str, who: Any, more: Any) -> None:  # noqa: ANN401  # By the kind of step.
        """Do one thing."""
        if what == "pass":
            self.sold.later(who)
        elif what == "again":
            self._hear(*self.said[-who:])
        else:
            message, user_id = getattr(self, f"_{what}")(who, more)
            if message:
                self._hear(message_of(message, user_id=user_id))

    def _hear(self, *messages: Any) -> None:  # noqa: ANN401  # Envelopes.
        self.said += messages
        for each in self.sold.venues.hear(*messages).envelopes:
            if isinstance(each.data, ArmHold):
                self.arms[each.data.user_id] = each.data

    def _hold(self, buyer: int, seats: list[int]) -> tuple[Message, UUID]:
        return self.sold.holding(*seats), BUYERS[buyer]

    def _free(self, buyer: int, _: None) -> tuple[Message, UUID]:
        return FreeSeats(plan_id=self.sold.plan_id), BUYERS[buyer]

    def _block(self, seat: int, on: bool) -> tuple[Message, UUID]:  # noqa: FBT001
        kind = BlockSeats if on else UnblockSeats
        seats = [self.sold.seats[seat]]
        return kind(plan_id=self.sold.plan_id, seat_ids=seats), self.sold.organizer

    def _fire(self, buyer: int, _: None) -> tuple[Message | None, None]:
        armed = self.arms.get(BUYERS[buyer])
        return (HoldFired.of(armed) if armed else None), None

    def _reserve(self, number: int, _: None) -> tuple[Message, None]:
        order = self.orders[number]
        area = self.sold.created.sections[1].section_id if number == 5 else None
        return order.wanted(self._version(number), section_id=area), None

    def _complete(self, number: int, _: None) -> tuple[Message, None]:
        return self.orders[number].completed(self._version(number)), None

    def _cancel(self, number: int, status: str) -> tuple[Message, None]:
        return self.orders[number].cancelled(self._version(number), status), None

    def _release(self, number: int, _: None) -> tuple[Message, None]:
        return self.orders[number].release(self._version(number)), None

    def _refund(self, number: int, _: None) -> tuple[Message, None]:
        order, version = self.orders[number], self._version(number)
        if order.seat_ids is None:
            return order.release(version, quantity=1), None
        return order.release(version, self.sold.seats.index(order.seat_ids[0])), None

    def _version(self, number: int) -> int:
        self.versions[number] += 1
        return self.versions[number]

    # What must be so at any time.

    def check(self) -> None:
        """Compare the tables with each other, and with how they were."""
        values = {"plan": self.sold.plan_id, "orders": [o.order_id for o in self.orders]}
        seats = self._rows("SELECT id, status AS now FROM seats WHERE plan_id = %(plan)s", values)
        ledger = self._rows(
            "SELECT id, status AS now FROM seat_reservations WHERE order_id = ANY(%(orders)s)",
            values,
        )
        self._moved(self.seats, seats, _SEAT_WAYS | _THROUGH)
        self._moved(self.ledger, ledger, _LEDGER_WAYS)
        live = self._rows(
            "SELECT i.seat_id AS id, r.status AS now FROM seat_reservation_items i"
            " JOIN seat_reservations r ON r.id = i.reservation_id"
            " WHERE i.live AND i.seated AND r.order_id = ANY(%(orders)s)",
            values,
        )
        assert live == {i: now for i, now in seats.items() if now in {"RESERVED", "SOLD"}}
        area = self._counts(
            "SELECT reserved, sold FROM sections WHERE plan_id = %(plan)s AND type = 'ga'", values
        )
        summed = self._counts(
            "SELECT coalesce(sum(i.quantity - i.released) FILTER (WHERE r.status = 'RESERVED'), 0)"
            "::int AS reserved, coalesce(sum(i.quantity - i.released)"
            " FILTER (WHERE r.status = 'SOLD'), 0)::int AS sold FROM seat_reservation_items i"
            " JOIN seat_reservations r ON r.id = i.reservation_id"
            " WHERE i.live AND NOT i.seated AND r.order_id = ANY(%(orders)s)",
            values,
        )
        assert area == summed
        plan = self._counts("SELECT sellable FROM seating_plans WHERE id = %(plan)s", values)
        assert plan["sellable"] == 8 - list(seats.values()).count("BLOCKED")

    def _moved(self, before: dict[UUID, str], now: dict[UUID, str], ways: set[Any]) -> None:
        for key, status in now.items():
            was = before.get(key, status)
            assert was == status or (was, status) in ways
        before.update(now)

    @staticmethod
    def _rows(statement: str, values: dict[str, Any]) -> dict[UUID, str]:
        rows = postgres("venue").db.execute(statement.encode(), values)
        return {row["id"]: row["now"] for row in rows}

    @staticmethod
    def _counts(statement: str, values: dict[str, Any]) -> dict[str, int]:
        row = postgres("venue").db.execute(statement.encode(), values).fetchone()
        assert row
        return row


@pytest.mark.usefixtures("venues")
@pytest.mark.timeout(300)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=4, max_size=18))
def test_the_tables_agree_whatever_happens(
    venues: Venues, steps: list[tuple[str, Any, Any]]
) -> None:
    sold = Sold(venues, sections=[stalls(1, 6), standing(2)])
    buyers = [*BUYERS, uuid4(), uuid4(), uuid4()]
    named = [(0, 1), (1, 2), (2, 3), (4,), (4, 5), ()]
    orders = [Asking(sold, *seats, user_id=user) for seats, user in zip(named, buyers, strict=True)]
    world = World(sold, orders)
    for step in steps:
        world.step(*step)
        world.check()
