"""What orders of general admission take."""

import asyncio
import statistics
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pymongo

from bus.envelope import envelope_of, outgoing
from bus.ids import new_id
from bus.publisher import Publisher
from ops.bench.crowd import cpu_ms, each, until
from ops.load import Connection, Shop
from schemas.ticket import HoldReservation

_BUYERS = 32
_CROWD = 64


async def measure(shop: Shop, scale: float) -> dict[str, float]:
    """Take the figures; `scale` shortens or lengthens the runs."""
    found: dict[str, float] = {}
    await each(shop, round(100 * scale), lambda edge: until_payable(shop, edge), buyers=8)
    found |= await _idle(shop, round(200 * scale))
    found["hop_p50_ms"] = _hop(shop)
    found["payable_per_s"] = await _payable(shop, round(900 * scale))
    found |= await _paid(shop, round(600 * scale))
    found["hot_ticket_per_s"] = await _hot_ticket(shop, round(4000 * scale))
    found["accept_per_s"] = await _accept(shop, round(4000 * scale))
    return found


async def _idle(shop: Shop, count: int) -> dict[str, float]:
    times = []
    async with shop.connection() as edge:
        for _ in range(count):
            began = time.perf_counter()
            await until_payable(shop, edge)
            times.append((time.perf_counter() - began) * 1000)
    return {
        "order_p50_ms": statistics.median(times),
        "order_p95_ms": statistics.quantiles(times, n=20)[18],
    }


def _hop(shop: Shop) -> float:
    """Read what both ends noted: written to order's outbox, begun to be handled by payment."""
    with psycopg.connect(shop.environment["FOYER_ORDER_DATABASE_URL"]) as db:
        rows = db.execute(
            "SELECT id, created_at FROM order_outbox WHERE event_type = 'orders.order.created'"
            " ORDER BY created_at DESC LIMIT 150"
        ).fetchall()
    said: dict[uuid.UUID, datetime] = dict(rows)
    with psycopg.connect(shop.environment["FOYER_PAYMENT_DATABASE_URL"]) as db:
        heard: list[tuple[uuid.UUID, datetime]] = db.execute(
            "SELECT message_id, handled_at FROM inbox WHERE message_id = ANY(%s)", [list(said)]
        ).fetchall()
    return statistics.median((at - said[id_]).total_seconds() * 1000 for id_, at in heard)


async def _payable(shop: Shop, count: int) -> float:
    began = time.perf_counter()
    await each(shop, count, lambda edge: until_payable(shop, edge), buyers=_BUYERS)
    return count / (time.perf_counter() - began)


async def _paid(shop: Shop, count: int) -> dict[str, float]:
    cpu = cpu_ms(shop.stack)
    took = await bought(shop, count)
    spent = {name: (value - cpu.get(name, 0)) / count for name, value in cpu_ms(shop.stack).items()}
    figures = {f"cpu_ms.{name}": value for name, value in sorted(spent.items())}
    return {"paid_per_s": count / took, "cpu_ms.all": sum(spent.values()), **figures}


async def bought(shop: Shop, count: int) -> float:
    """Have so many buy one of the shop's ticket; return the seconds until all is captured."""
    address = urlsplit(shop.environment["STRIPE_API_BASE"])
    stripe = asyncio.Queue[Connection]()
    for _ in range(_BUYERS):
        stripe.put_nowait(Connection(str(address.hostname), address.port or 80))
    before, began = shop.captured(), time.perf_counter()

    async def buy(edge: Connection) -> None:
        operation = await until_payable(shop, edge)
        card = await stripe.get()
        await shop.pay(card, operation["result"]["payment"])
        stripe.put_nowait(card)

    await each(shop, count, buy, buyers=_BUYERS)
    await until(lambda: shop.captured() >= before + count, 60)
    while not stripe.empty():
        stripe.get_nowait().close()
    return time.perf_counter() - began


async def _accept(shop: Shop, count: int) -> float:
    async def accept(edge: Connection) -> None:
        status, operation = await shop.order(edge)
        if status != 202:  # noqa: PLR2004  # HTTP's own.
            msg = f"not accepted: {status} {operation}"
            raise RuntimeError(msg)

    began = time.perf_counter()
    await each(shop, count, accept, buyers=_CROWD)
    rate = count / (time.perf_counter() - began)
    await until(lambda: shop.pending() == 0, 240)
    return rate


async def _hot_ticket(shop: Shop, count: int) -> float:
    """Send holds of one ticket as the order service would; count the rows that come of it."""
    async with shop.connection() as edge:
        ticket_id = uuid.UUID(await shop.offer(edge, quota=1_000_000))
    publisher = Publisher(shop.environment["FOYER_ORDER_AMQP_URL"], name="bench", timeout_sec=30)
    publisher.start()
    tickets = pymongo.MongoClient[dict[str, Any]](shop.environment["FOYER_TICKET_MONGO_URL"])
    reservations = tickets.get_default_database().reservations
    holds = [outgoing(envelope_of(_hold(ticket_id), source="/bench")) for _ in range(count)]
    await until(lambda: publisher.connected, 5)
    began = time.perf_counter()
    for future in publisher.publish(holds):
        await asyncio.wrap_future(future)
    held = {"ticket_id": str(ticket_id)}
    await until(lambda: reservations.count_documents(held) >= count, 60)
    took = time.perf_counter() - began
    publisher.stop()
    tickets.close()
    return count / took


def _hold(ticket_id: uuid.UUID) -> HoldReservation:
    return HoldReservation(
        order_id=new_id(),
        order_version=1,
        reservation_id=new_id(),
        ticket_id=ticket_id,
        user_id=uuid.uuid4(),
        quantity=1,
        expires_at=datetime.now(UTC) + timedelta(minutes=5),
    )


async def until_payable(shop: Shop, edge: Connection) -> Any:  # noqa: ANN401  # JSON.
    """Order one and return the operation, which has ended well."""
    status, operation = await shop.order(edge, wait_sec=10)
    if status != 200 or operation["status"] != "succeeded":  # noqa: PLR2004  # HTTP's own.
        msg = f"an order did not become payable: {status} {operation}"
        raise RuntimeError(msg)
    return operation
