"""Many want the same seats at once, and many the best."""

import asyncio
from random import Random

import pytest

from ops.chaos.seat_crowd import Buyer, SeatCrowd
from ops.chaos.seats import Rush, seats
from ops.halls import theatre
from ops.house import build
from ops.load import Shop
from ops.local.stack import Stack

pytestmark = pytest.mark.journey
BUYERS, ORDERS_OF_EACH = 8, 8
RNG = Random(7)  # noqa: S311  # Repeatable, not secret.


def test_no_seat_is_had_by_two_and_every_refusal_is_true_though_redis_forgets(
    system: Stack,
) -> None:
    told = seats(system, Rush(seed=7, buyers=40, hold_ttl_sec=10, flush=True))
    assert told.wrong == []
    assert told.refusals > 20
    assert told.changes > 20


async def test_nobody_is_refused_while_a_fitting_choice_is_free(system: Stack) -> None:
    """Of a theatre, a random half is off sale."""
    shop = Shop(system)
    buyers = [Buyer(shop) for _ in range(BUYERS)]
    for buyer in buyers:
        await buyer.arrive()
    async with shop.connection() as edge:
        house = await build(edge, buyers[0].headers, theatre, mode="auto")
    blocked = RNG.sample(house.seat_ids, len(house.seat_ids) // 2)
    path = f"/v1/seating-plans/{house.plan_id}/blocks"
    assert (await buyers[0].does(path, {"seat_ids": blocked}))["status"] == "succeeded"
    crowd = SeatCrowd(shop, RNG, house)
    parties = [RNG.randint(2, 4) for _ in range(BUYERS * ORDERS_OF_EACH)]
    asked = zip(buyers * ORDERS_OF_EACH, parties, strict=True)
    ended = await asyncio.gather(*(crowd.best(buyer, size) for buyer, size in asked))
    assert crowd.ends() == {"best: succeeded": BUYERS * ORDERS_OF_EACH}
    given = [item["seat_id"] for each in ended for item in each.result["items"]]
    assert len(given) == len(set(given)) == sum(parties)
    assert not set(given) & set(blocked)
