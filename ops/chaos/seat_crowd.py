"""A crowd that wants the same seats: everybody at once, by hand, over HTTP.

Each buyer picks a few seats of a small house at random, holds them and orders them. Some order
without a hold; of those who get seats some pay, some give them back, some walk away.
"""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from ops.house import House
from ops.load import Answer, Connection, Shop

_ATTEMPTS = 400
_AGAIN = {429, 502, 503, 504}
_MOST_SEATS = 4
_NO_HOLD, _PAY, _CANCEL = 0.2, 0.4, 0.6
"""Of all: how many order without a hold. Of those who have seats: up to here they pay, cancel."""


@dataclass(frozen=True)
class Attempt:
    """What somebody asked for, and how it ended."""

    kind: str
    user_id: str
    seat_ids: tuple[str, ...]
    operation_id: str
    finished_at: datetime
    end: str
    """`succeeded`, or the code that it failed with."""
    named: tuple[str, ...] = ()
    """The seats that the refusal names."""
    result: Any = None


@dataclass
class SeatCrowd:
    """Buyers who are signed in, and all that they tried."""

    shop: Shop
    rng: random.Random
    house: House
    attempts: list[Attempt] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    at_it: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first attempt of all has ended."""

    async def rush(self, buyers: Sequence["Buyer"]) -> None:
        """Have all of them come at once."""
        plans = [self._plan() for _ in buyers]
        await asyncio.gather(
            *(self._one(self._buy(buyer, *plan)) for buyer, plan in zip(buyers, plans, strict=True))
        )

    async def pairs(self, buyers: Sequence["Buyer"]) -> None:
        """Have one hold and another order the same seat, at the same moment; a seat each pair."""
        seats = self.rng.sample(self.house.seat_ids, len(buyers) // 2)
        holding, ordering = buyers[::2], buyers[1::2]
        await asyncio.gather(
            *(self._one(self._hold(b, (s,))) for b, s in zip(holding, seats, strict=True)),
            *(self._one(self._order(b, (s,))) for b, s in zip(ordering, seats, strict=False)),
        )

    def ends(self) -> dict[str, int]:
        """Count how attempts ended."""
        return dict(Counter(f"{each.kind}: {each.end}" for each in self.attempts))

    def _plan(self) -> tuple[tuple[str, ...], bool, float]:
        seats = self.rng.sample(self.house.seat_ids, self.rng.randint(1, _MOST_SEATS))
        return tuple(seats), self.rng.random() > _NO_HOLD, self.rng.random()

    async def _one(self, does: Any) -> None:  # noqa: ANN401  # A coroutine of any of these.
        try:
            await does
        except Exception as error:  # noqa: BLE001  # One buyer's trouble is told, and stops nobody else.
            self.trouble.append(repr(error))
            self.at_it.set()

    async def _buy(self, buyer: "Buyer", seats: tuple[str, ...], hold: bool, then: float) -> None:  # noqa: FBT001  # A plan.
        held = await self._hold(buyer, seats) if hold else None
        if held and held.end != "succeeded":
            return
        ordered = await self._order(buyer, seats, held.result["hold_expires_at"] if held else "")
        if ordered.end != "succeeded":
            return
        if then < _PAY:
            async with Connection("127.0.0.1", self.shop.stack.layout.port("stripe")) as stripe:
                await self.shop.pay(stripe, ordered.result["payment"])
        elif then < _CANCEL:
            path = f"/v1/orders/{ordered.result['order_id']}/cancellation"
            await self._try(buyer, "cancel", seats, path, None)

    async def _hold(self, buyer: "Buyer", seats: tuple[str, ...]) -> Attempt:
        path = f"/v1/seating-plans/{self.house.plan_id}/holds"
        return await self._try(buyer, "hold", seats, path, {"seat_ids": seats})

    async def _order(self, buyer: "Buyer", seats: tuple[str, ...], held_until: str = "") -> Attempt:
        what = {"ticket_id": self.house.ticket_id, "seat_ids": seats}
        ordered = await self._try(buyer, "order", seats, "/v1/orders", what)
        lasts = held_until and datetime.fromisoformat(held_until)
        if ordered.end != "succeeded" and lasts and ordered.finished_at < lasts:
            self.trouble.append(f"a hold until {held_until} was not honoured: {ordered}")
        return ordered

    async def best(self, buyer: "Buyer", quantity: int) -> Attempt:
        """Order the best seats for so many."""
        what = {"ticket_id": self.house.ticket_id, "quantity": quantity}
        return await self._try(buyer, "best", (), "/v1/orders", what)

    async def _try(
        self, buyer: "Buyer", kind: str, seats: tuple[str, ...], path: str, body: object
    ) -> Attempt:
        operation = await buyer.does(path, body)
        error = operation["error"] or {}
        attempt = Attempt(
            kind,
            buyer.user_id,
            seats,
            operation["id"],
            datetime.fromisoformat(operation["finished_at"]),
            error.get("code", operation["status"]),
            tuple(error.get("seat_ids") or ()),
            operation["result"],
        )
        self.attempts.append(attempt)
        self.at_it.set()
        return attempt


class Buyer:
    """Somebody with an account, who waits for what was asked for to end."""

    def __init__(self, shop: Shop) -> None:
        """Be nobody yet: `arrive` comes first."""
        self._shop = shop
        self._login = {"email": f"{uuid.uuid4().hex}@example.org", "password": "a long password"}
        self.headers: dict[str, str] = {}
        self.user_id = ""

    async def arrive(self) -> None:
        """Register if that was not done, and sign in: a token does not live for long."""
        if not self.user_id:
            made = await self.does("/v1/users", self._login)
            self.user_id = made["result"]["user_id"]
        session = (await self.does("/v1/sessions", self._login))["result"]
        self.headers = {"Authorization": f"Bearer {session['access_token']}"}

    async def does(self, path: str, body: object, method: str = "POST") -> Any:  # noqa: ANN401  # JSON.
        """Ask for something and wait for its end; what got no answer is asked for again.

        Raises:
            TimeoutError: it has no end.
            RuntimeError: it was not accepted.
        """
        headers = {**self.headers, "Prefer": "wait=10"}
        if self.headers:
            headers["Idempotency-Key"] = uuid.uuid4().hex
        async with self._shop.connection() as edge:
            answer = await self._ask(edge, method, path, body, headers)
            for _ in range(_ATTEMPTS):
                if answer.json["status"] != "pending":
                    return answer.json
                operation = f"/v1/operations/{answer.json['id']}"
                answer = await self._ask(edge, "GET", operation, None, headers)
        msg = f"{path} has no end"
        raise TimeoutError(msg)

    @staticmethod
    async def _ask(
        edge: Connection, method: str, path: str, body: object, headers: dict[str, str]
    ) -> Answer:
        answer = Answer(503, None)
        for _ in range(_ATTEMPTS):
            try:
                if body is None:
                    answer = await edge.ask(method, path, headers=headers)
                else:
                    how = {"Content-Type": "application/json", **headers}
                    answer = await edge.ask(method, path, orjson.dumps(body), how)
            except OSError:
                edge.close()
            if answer.status not in _AGAIN:
                break
            await asyncio.sleep(0.25)
        if answer.status not in {200, 202}:
            msg = f"{path} was answered {answer}"
            raise RuntimeError(msg)
        return answer
