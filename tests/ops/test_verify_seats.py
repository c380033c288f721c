"""Seats on a whole system: each line about them can break, and a story tells them.

Each break is written straight into a store, as no handler ever would, looked for, and undone.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import pytest

from ops import story
from ops.local.stack import Stack
from ops.stores import Stores
from tests.journeys.seating import House
from tests.journeys.shop import Person, Stripe, paid
from tests.ops.test_verify import broken, changed


@dataclass(frozen=True)
class Bought:
    """A house with one order that is paid, of two seats, and a seat that is held."""

    order_id: str
    seat_id: str
    held_id: str
    floor_id: str
    plan_id: str
    venue_id: str


@pytest.fixture(scope="module")
def bought(whole: Stack) -> Bought:
    """Sell two seats and have another held."""
    port = whole.layout.port("edge")
    organizer, buyer = Person(port), Person(port)
    house = House(organizer)
    order = house.buy(buyer, seat_ids=house.seats[:2])
    assert Stripe(whole.layout.port("stripe")).confirm(order["payment"]) == 200
    buyer.sees(order["order_id"], paid)
    house.show(house.seats[0], "S")
    house.buy(buyer, section_id=house.floor["id"], quantity=2)
    assert house.hold(buyer, house.seats[5])["status"] == "succeeded"
    return Bought(
        order_id=order["order_id"],
        seat_id=house.seats[0],
        held_id=house.seats[5],
        floor_id=house.floor["id"],
        plan_id=house.plan_id,
        venue_id=house.venue_id,
    )


@pytest.mark.parametrize(
    ("service", "table", "key", "change", "line", "names", "why"),
    [
        ("venue", "seats", "id = '{b.seat_id}'", "status = 'AVAILABLE'", "2", "seat_id",
         "is AVAILABLE, in 1 live reservations"),
        ("venue", "seats", "id = '{b.seat_id}'", "status = 'RESERVED'", "2", "seat_id", "SOLD"),
        ("venue", "seat_reservation_items", "seat_id = '{b.seat_id}'", "live = false", "2",
         "seat_id", "is SOLD, in 0 live reservations"),
        ("venue", "seat_reservations", "order_id = '{b.order_id}'", "status = 'RELEASED'", "2",
         "order_id", "its seat reservation is RELEASED"),
        ("venue", "sections", "id = '{b.floor_id}'", "reserved = 3", "2", "floor_id",
         "counts 3 reserved"),
        ("venue", "seating_plans", "id = '{b.plan_id}'", "sellable = 3", "2", "plan_id",
         "says 3 can be sold"),
        ("venue", "seat_reservation_items", "seat_id = '{b.seat_id}'", "price = 1", "6",
         "order_id", "which was reserved at 1"),
        ("venue", "seating_plans", "id = '{b.plan_id}'", "max_seats_per_order = 1", "7",
         "plan_id", "has 2 seats"),
        ("venue", "seats", "id = '{b.held_id}'", "held_until = now() - interval '2 minutes'", "8",
         "held_id", "is held by"),
        ("view", "seats", "seat_id = '{b.seat_id}'", "status = 'A'", "9", "seat_id",
         "status S there, A here"),
        ("view", "areas", "section_id = '{b.floor_id}'", "reserved = 0", "9", "floor_id",
         "reserved 2 there"),
        ("view", "plans", "plan_id = '{b.plan_id}'", "status = 'draft'", "9", "plan_id",
         "status active there"),
        ("view", "venues", "venue_id = '{b.venue_id}'", "capacity = 1", "9", "venue_id",
         "capacity 100 there"),
    ],
)  # fmt: skip
def test_a_broken_line_about_seats_is_named(  # noqa: PLR0913, PLR0917  # One row of the table.
    whole: Stack,
    stores: Stores,
    bought: Bought,
    service: str,
    table: str,
    key: str,
    change: str,
    line: str,
    names: str,
    why: str,
) -> None:
    with (
        _without_ticks(whole) if "held_until" in change else nullcontext(),
        changed(whole, service, table, key.format(b=bought), change),
    ):
        found = broken(stores, line)
    assert why in found[getattr(bought, names)]


@contextmanager
def _without_ticks(whole: Stack) -> Iterator[None]:
    """Stop the clock: a tick would free a seat before it is looked at."""
    whole.stop("clock")
    try:
        yield
    finally:
        whole.start("clock")


def test_a_story_tells_the_seats_of_an_order(stores: Stores, bought: Bought) -> None:
    told = story.tell(stores, *story.find(stores, bought.order_id))
    assert told.seat_reservation
    assert (told.seat_reservation["status"], told.seat_reservation["quantity"]) == ("SOLD", 2)
    assert [(row["status"], row["live"]) for row in told.seats] == [("SOLD", True)] * 2
    said = [f"{each.where} {each.what}" for each in told.entries]
    for part in (
        "ticket said venues.seats.reserve",
        "venue handled venues.seats.reserve",
        "venue said venues.seats.reserved",
        "venue seat reservation",
        "venue handled orders.order.completed",
        "venue said venues.seats.sold",
    ):
        assert part in said
