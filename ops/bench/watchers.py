"""How soon a change of a seat is seen, when hundreds watch."""

import asyncio
import statistics
import time
from collections.abc import Iterable

from ops.house import House
from ops.load import Connection, Shop

_WATCHERS = 500
_ACCEPTED = 202
_DEADLINE_SEC = 10


class _Deaf(asyncio.Protocol):
    """Somebody who watches and is not asked what they saw: only the edge has work with them."""

    def __init__(self) -> None:
        self.answered = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:  # noqa: ARG002  # asyncio's signature.
        if not self.answered.done():
            self.answered.set_result(None)


async def seen_p50_ms(
    shop: Shop, house: House, buyer: dict[str, str], seat_ids: Iterable[str]
) -> float:
    """Hold one seat after the other; return the median time from a 202 until it is seen held."""
    path = f"/v1/seating-plans/{house.plan_id}"
    asking = (
        f"GET {path}/availability HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n"
    ).encode()
    loop, deaf = asyncio.get_running_loop(), []
    for _ in range(_WATCHERS - 1):
        transport, watcher = await loop.create_connection(_Deaf, "127.0.0.1", shop.port)
        transport.write(asking)
        await watcher.answered
        deaf.append(transport)
    reader, writer = await asyncio.open_connection("127.0.0.1", shop.port, limit=1 << 20)
    writer.write(asking)
    await _hear(reader, b"event: snapshot")
    async with shop.connection() as edge:
        took = [await _seen(edge, f"{path}/holds", seat_id, buyer, reader) for seat_id in seat_ids]
    writer.close()
    for each in deaf:
        each.close()
    return statistics.median(took)


async def _seen(
    edge: Connection, path: str, seat_id: str, buyer: dict[str, str], reader: asyncio.StreamReader
) -> float:
    status, operation = await edge.post(path, {"seat_ids": [seat_id]}, buyer)
    began = time.perf_counter()
    if status != _ACCEPTED:
        msg = f"a hold was not accepted: {status} {operation}"
        raise RuntimeError(msg)
    await _hear(reader, b'"H"')
    return (time.perf_counter() - began) * 1000


async def _hear(reader: asyncio.StreamReader, what: bytes) -> None:
    """Read on until a line has it; a snapshot's own line names no seat's letter alone."""
    async with asyncio.timeout(_DEADLINE_SEC):
        while what not in (line := await reader.readline()):
            if not line:
                msg = "the stream has ended"
                raise RuntimeError(msg)
