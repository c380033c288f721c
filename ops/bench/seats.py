"""What seats take: a plan of 20,000, holds, the best available, and seated orders."""

import asyncio
import multiprocessing
import random
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from multiprocessing.synchronize import Event

import psycopg

from bus.envelope import envelope_of, outgoing
from bus.ids import new_id
from bus.publisher import Publisher
from ops.bench.crowd import each, until
from ops.bench.orders import bought, until_payable
from ops.bench.watchers import seen_p50_ms
from ops.halls import arena
from ops.house import House, build
from ops.load import Connection, Shop, signed_in
from schemas.venue import ReserveSeats

_BUYERS = 32
_MOST = 100
"""What one buyer may hold."""


async def measure(shop: Shop, scale: float) -> dict[str, float]:
    """Take the figures; `scale` shortens or lengthens the runs."""
    async with shop.connection() as edge:
        picked = await build(edge, shop.headers, arena, mode="manual", most=_MOST)
        given = await build(edge, shop.headers, arena, mode="auto")
        buyers = [await signed_in(edge) for _ in range(_BUYERS)]
    found = {"plan_created_ms": max(picked.created_ms, given.created_ms)}
    free = iter(random.Random(1).sample(picked.seat_ids, len(picked.seat_ids)))  # noqa: S311  # Not secret.
    found |= await _holds(shop, picked, buyers, free, scale)
    async with shop.connection() as edge:
        watched = islice(free, min(round(100 * scale), _MOST))
        found["change_seen_p50_ms"] = await seen_p50_ms(
            shop, picked, await signed_in(edge), watched
        )
    found["availability_per_s"] = await _availability(shop, picked, round(2000 * scale))
    found["best_available_per_s"] = await _best_available(shop, given, round(2000 * scale))
    shop.ticket_id = given.ticket_id
    count = round(400 * scale)
    found["seated_paid_per_s"] = count / await bought(shop, count)
    found["order_seat_p95_ms"] = await _orders(shop, round(100 * scale))
    with _making_plans(shop):
        found["order_beside_plan_p95_ms"] = await _orders(shop, round(100 * scale))
    return found


async def _orders(shop: Shop, count: int) -> float:
    """Order the best seat, ten times a second; return the p95 of the time until it is payable."""

    async def order(edge: Connection) -> float:
        began = time.perf_counter()
        await until_payable(shop, edge)
        return (time.perf_counter() - began) * 1000

    return statistics.quantiles(await _steadily(shop, count, order, per_sec=10), n=20)[18]


@contextmanager
def _making_plans(shop: Shop) -> Iterator[None]:
    """Have arenas' plans made, one after the other, for a client that is a process of its own."""
    alone = multiprocessing.get_context("spawn")
    began = alone.Event()
    maker = alone.Process(target=_make_plans, args=(shop.port, shop.headers, began), daemon=True)
    maker.start()
    try:
        made = began.wait(60)
        yield
        if not made or not maker.is_alive():
            msg = "no plans were made meanwhile"
            raise RuntimeError(msg)
    finally:
        maker.kill()
        maker.join()


def _make_plans(port: int, headers: dict[str, str], began: Event) -> None:
    async def make() -> None:
        async with Connection("127.0.0.1", port) as edge:
            while True:
                await build(edge, headers, arena)
                began.set()

    asyncio.run(make())


async def _holds(
    shop: Shop, house: House, buyers: list[dict[str, str]], free: Iterator[str], scale: float
) -> dict[str, float]:
    picks = zip(buyers * _MOST, free, strict=False)

    async def hold(edge: Connection) -> float:
        began = time.perf_counter()
        await _hold(edge, house, *next(picks))
        return (time.perf_counter() - began) * 1000

    async with shop.connection() as edge:
        idle = [await hold(edge) for _ in range(round(200 * scale))]
    busy = await _steadily(shop, round(1000 * scale), hold, per_sec=100)
    count, began = round(1500 * scale), time.perf_counter()
    await each(shop, count, hold, buyers=_BUYERS)
    return {
        "hold_p50_ms": statistics.median(idle),
        "hold_p95_ms": statistics.quantiles(busy, n=20)[18],
        "holds_per_s": count / (time.perf_counter() - began),
    }


async def _steadily(
    shop: Shop, count: int, act: Callable[[Connection], Awaitable[float]], *, per_sec: int
) -> list[float]:
    """Do something so many times, so often a second, however long each takes."""
    free, took, began = list[Connection](), list[float](), time.perf_counter()

    async def one(number: int) -> None:
        await asyncio.sleep(began + number / per_sec - time.perf_counter())
        edge = free.pop() if free else shop.connection()
        took.append(await act(edge))
        free.append(edge)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))
    for edge in free:
        edge.close()
    return took


async def _hold(edge: Connection, house: House, buyer: dict[str, str], seat_id: str) -> None:
    path = f"/v1/seating-plans/{house.plan_id}/holds"
    status, operation = await edge.post(
        path, {"seat_ids": [seat_id]}, {**buyer, "Prefer": "wait=10"}
    )
    if status != 200 or operation["status"] != "succeeded":  # noqa: PLR2004  # HTTP's own.
        msg = f"a free seat was not held: {status} {operation}"
        raise RuntimeError(msg)


async def _availability(shop: Shop, house: House, count: int) -> float:
    path = f"/v1/seating-plans/{house.plan_id}/availability"

    async def read(edge: Connection) -> None:
        status, answer = await edge.ask("GET", path)
        letters = sum(len(section) for section in answer["sections"].values())
        if status != 200 or letters != len(house.seat_ids):  # noqa: PLR2004  # HTTP's own.
            msg = f"not every seat was told of: {status} {answer}"
            raise RuntimeError(msg)

    began = time.perf_counter()
    await each(shop, count, read, buyers=_BUYERS)
    return count / (time.perf_counter() - began)


async def _best_available(shop: Shop, house: House, count: int) -> float:
    """Ask for the best seats as the ticket service would; count the rows that come of it."""
    publisher = Publisher(shop.environment["FOYER_TICKET_AMQP_URL"], name="bench", timeout_sec=30)
    publisher.start()
    asked = [outgoing(envelope_of(each, source="/bench")) for each in _parties(house, count)]
    await until(lambda: publisher.connected, 5)
    with psycopg.connect(shop.environment["FOYER_VENUE_DATABASE_URL"], autocommit=True) as db:
        began = time.perf_counter()
        for future in publisher.publish(asked):
            await asyncio.wrap_future(future)
        await until(lambda: _reserved(db, house) >= count, 120)
        took = time.perf_counter() - began
    publisher.stop()
    return count / took


def _parties(house: House, count: int) -> Iterator[ReserveSeats]:
    sizes = random.Random(2)  # noqa: S311  # Not secret.
    for _ in range(count):
        yield ReserveSeats(
            plan_id=uuid.UUID(house.plan_id),
            order_id=new_id(),
            order_version=1,
            reservation_id=new_id(),
            ticket_id=uuid.UUID(house.ticket_id),
            user_id=uuid.uuid4(),
            quantity=sizes.randint(1, 4),
            seat_ids=None,
            section_id=None,
            accessible=False,
            expires_at=datetime.now(UTC) + timedelta(minutes=10),
        )


def _reserved(db: psycopg.Connection, house: House) -> int:
    row = db.execute(
        "SELECT count(*) FROM seat_reservations WHERE plan_id = %s", [house.plan_id]
    ).fetchone()
    return int(row[0]) if row else 0
