"""Seats over HTTP: picked, bought, expired, given back; and what is refused."""

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import httpx
import pytest

from ops.local.stack import Stack
from tests.journeys.edge.seats import watching
from tests.journeys.seating import COLUMNS, FLOOR, NEAR, PLACES, PRICE, ROWS, House, code_of, done
from tests.journeys.shop import Person, Stripe, paid, until

pytestmark = pytest.mark.journey
SEATS = ROWS * COLUMNS - 1
BUYERS, WATCHERS = 4, 500


@pytest.fixture(scope="module")
def house(organizer: Person) -> House:
    """One house for everybody: each test has seats of its own."""
    return House(organizer)


def test_a_house_is_on_sale_as_it_was_planned(house: House, buyer: Person) -> None:
    plan = buyer.read(house.path)
    rows = plan["sections"][0]["rows"]
    assert [len(row["seats"]) for row in rows] == [COLUMNS, COLUMNS, COLUMNS - 1]
    assert [row["seats"][0]["price"] for row in rows] == [NEAR, PRICE, PRICE]
    assert plan["sections"][1]["price"] == FLOOR
    ticket = buyer.read(f"/v1/tickets/{house.ticket_id}")
    assert (ticket["status"], ticket["seating_plan_id"]) == ("on_sale", house.plan_id)
    assert 0 < ticket["available"] <= SEATS + PLACES


def test_picked_seats_are_bought_and_paid(house: House, buyer: Person, stripe: Stripe) -> None:
    near, far = house.seats[0], house.seats[COLUMNS]
    held = house.hold(buyer, near, far)
    assert held["result"]["held"] == [near, far]
    assert house.letters()[0] == "H"
    result = house.buy(buyer, seat_ids=[near, far])
    assert result["total_amount"] == "42.50"
    assert {item["seat_label"] for item in result["items"]} == {"R1S1", "R2S1"}
    assert house.letters()[0] == "R", "who was told of the order sees its seats"
    assert stripe.confirm(result["payment"]) == httpx.codes.OK
    order = buyer.sees(result["order_id"], paid)
    assert {item["seat_id"]: item["unit_price"] for item in order["items"]} == {
        near: NEAR,
        far: PRICE,
    }
    assert {item["section_id"] for item in order["items"]} == {house.stalls["id"]}
    house.show(near, "S")
    house.show(far, "S")


def test_what_somebody_has_nobody_else_gets(
    house: House, buyer: Person, arrive: Callable[[], Person]
) -> None:
    mine, free, other = house.seats[1], house.seats[2], arrive()
    assert house.hold(buyer, mine)["status"] == "succeeded"
    for refused in (house.hold(other, free, mine), house.order(other, seat_ids=[free, mine])):
        assert code_of(refused) == "seats_unavailable"
        assert refused["error"]["seat_ids"] == [mine]
    assert house.letters()[1:3] == "HA", "all or none"
    given = buyer.write("DELETE", f"{house.path}/holds")
    assert given["result"]["seat_ids"] == [mine]
    assert house.letters()[1] == "A"
    assert house.hold(other, mine)["status"] == "succeeded"


async def test_who_watches_sees_it_at_once(system: Stack, house: House, buyer: Person) -> None:
    seats, port = house.seats[2 * COLUMNS :], system.layout.port("edge")
    hold = partial(buyer.http.post, f"{house.path}/holds")
    took = []
    async with watching(port, house.plan_id) as watcher:
        await watcher.until(lambda w: w.events)
        for seat in seats[:4]:
            at = house.seats.index(seat)
            answer = await asyncio.to_thread(hold, json={"seat_ids": [seat]})
            began = time.perf_counter()
            assert answer.status_code == httpx.codes.ACCEPTED
            while watcher.sections[house.stalls["id"]][at] != "H":
                await watcher.hear_one()
            took.append(time.perf_counter() - began)
    assert watcher.events[1:] == ["change"] * 4
    assert statistics.median(took) < 2, took


def _parts(seats: list[str]) -> list[list[str]]:
    """Share seats out among the buyers."""
    return [seats[number::BUYERS] for number in range(BUYERS)]


async def test_hundreds_who_watch_see_the_same(
    system: Stack, organizer: Person, arrive: Callable[[], Person]
) -> None:
    """Several pick and give back at once; whoever watched meanwhile sees what is left."""
    crowded, port = House(organizer), system.layout.port("edge")
    buyers = [arrive() for _ in range(BUYERS)]

    def change_their_minds(buyer: Person, seats: list[str]) -> None:
        for seat in seats:
            assert crowded.hold(buyer, seat)["status"] == "succeeded"
            assert buyer.write("DELETE", f"{crowded.path}/holds")["status"] == "succeeded"
        assert crowded.hold(buyer, seats[0])["status"] == "succeeded"

    async with AsyncExitStack() as watch:
        watchers = [
            await watch.enter_async_context(watching(port, crowded.plan_id))
            for _ in range(WATCHERS)
        ]
        await asyncio.gather(*(each.until(lambda w: w.events) for each in watchers))
        each_has = zip(buyers, _parts(crowded.seats), strict=True)
        await asyncio.gather(*(asyncio.to_thread(change_their_minds, *have) for have in each_has))
        final = organizer.read(f"{crowded.path}/availability")
        assert final["sections"][crowded.stalls["id"]].count("H") == BUYERS
        await asyncio.gather(
            *(each.until(lambda w: w.revision >= final["revision"]) for each in watchers)
        )
    assert [each.sections for each in watchers] == [final["sections"]] * WATCHERS
    assert {each.events[0] for each in watchers} == {"snapshot"}
    assert all("change" in each.events for each in watchers)


def test_a_seated_order_is_given_back(house: House, buyer: Person) -> None:
    seat = house.seats[3]
    result = house.buy(buyer, seat_ids=[seat])
    assert house.letters()[3] == "R"
    assert buyer.cancel(result["order_id"])["status"] == "succeeded"
    assert house.letters()[3] == "A", "who was told of the end sees the seat free"


def test_places_without_numbers_are_sold_by_quantity(
    house: House, buyer: Person, stripe: Stripe
) -> None:
    before = house.left()
    result = house.buy(buyer, section_id=house.floor["id"], quantity=3)
    assert (result["total_amount"], house.left()) == ("24.00", before - 3)
    assert [item["seat_id"] for item in result["items"]] == [None]
    assert stripe.confirm(result["payment"]) == httpx.codes.OK
    buyer.sees(result["order_id"], paid)


def test_holds_and_orders_expire(organizer: Person, arrive: Callable[[], Person]) -> None:
    hasty = arrive()
    assert hasty.read("/v1/organizer/settings") == {"hold_ttl_sec": 600}
    assert done(hasty, "PUT", "/v1/organizer/settings", {"hold_ttl_sec": 10}) == {
        "hold_ttl_sec": 10
    }
    assert hasty.read("/v1/organizer/settings") == {"hold_ttl_sec": 10}
    house, buyer = House(hasty), arrive()
    picked, ordered = house.seats[:2]
    result = house.buy(buyer, seat_ids=[ordered])
    assert house.hold(buyer, picked)["status"] == "succeeded"
    assert house.letters()[:2] == "HR"
    expired = buyer.sees(result["order_id"], lambda order: order["status"] == "EXPIRED", 30)
    assert expired["cancel_reason"] == "expired"
    for seat in (picked, ordered):
        house.show(seat, "A", 30)
    until(
        lambda: organizer.read(f"/v1/tickets/{house.ticket_id}")["available"],
        lambda left: left == SEATS + PLACES,
        15,
    )


def test_the_best_seats_are_chosen_for_who_leaves_it(
    organizer: Person, buyer: Person, stripe: Stripe
) -> None:
    house = House(organizer, "auto")
    result = house.buy(buyer, quantity=2)
    chosen = sorted(house.seats.index(item["seat_id"]) for item in result["items"])
    assert chosen == [2, 3], "the middle of the first row, side by side"
    assert house.letters()[:6] == "AARRAA"
    assert result["total_amount"] == "60.00"
    assert stripe.confirm(result["payment"]) == httpx.codes.OK
    buyer.sees(result["order_id"], paid)
    for item in result["items"]:
        house.show(item["seat_id"], "S")
    again = house.buy(buyer, section_id=house.stalls["id"], quantity=2)
    assert not {item["seat_id"] for item in again["items"]} & {house.seats[at] for at in chosen}


def test_what_cannot_be_asked_for_is_refused(
    organizer: Person, arrive: Callable[[], Person]
) -> None:
    house, buyer = House(organizer), arrive()
    foreign = House(organizer).seats[0]
    assert code_of(house.hold(buyer, foreign)) == "not_found"
    assert code_of(house.hold(buyer, *house.seats[:5])) == "limit_exceeded"
    assert code_of(house.order(buyer, quantity=1)) == "invalid_request"
    block = {"seat_ids": house.seats[:1]}
    assert code_of(buyer.write("POST", f"{house.path}/blocks", block)) == "forbidden"
    assert done(organizer, "POST", f"{house.path}/blocks", block)["seat_ids"] == house.seats[:1]
    assert code_of(house.hold(buyer, house.seats[0])) == "seats_unavailable"
    organizer.available(house.ticket_id, SEATS + PLACES - 1)
    off = done(organizer, "DELETE", f"{house.path}/activation")
    assert off == {"plan_id": house.plan_id, "ticket_id": house.ticket_id}
    assert organizer.read(f"/v1/tickets/{house.ticket_id}")["status"] == "closed"
    assert code_of(house.hold(buyer, house.seats[1])) == "not_on_sale"
    assert code_of(house.order(buyer, seat_ids=house.seats[1:2])) == "not_on_sale"


def test_an_edit_leaves_what_is_taken(organizer: Person, buyer: Person) -> None:
    house = House(organizer)
    house.buy(buyer, seat_ids=house.seats[:1])
    shape = {"name": "Matinee", "max_seats_per_order": 2}
    edited = done(organizer, "PATCH", house.path, {"version": 1, **shape})
    assert edited == {"plan_id": house.plan_id, "version": 2}
    plan = buyer.read(house.path)
    assert (plan["name"], plan["version"]) == ("Matinee", 2)
    assert house.letters()[0] == "R"
    stale = organizer.write("PATCH", house.path, {"version": 1, "name": "Late"})
    assert code_of(stale) == "version_conflict"
