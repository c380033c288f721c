"""Buyers under load: they place, pay, cancel or walk away, and repeat what got no answer.

A buyer behaves as a client should: whatever ends without an answer is sent again under the same
key, so that an edge that dies in the middle of a request costs time and nothing else; and whoever
is told that a token is over signs in again.
"""

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

Plan = Literal["pay", "decline", "cancel", "leave"]
PLANS: dict[Plan, int] = {"pay": 70, "decline": 8, "cancel": 15, "leave": 7}
"""Of a hundred buyers: pay, pay with the second card, cancel, walk away."""
_WANTED = (6, 2, 2)
"""Of ten buyers, who want the hot ticket, another one, and one that sells out."""
_LONGEST_PAUSE_SEC = 8
_PASSWORD = "correct horse battery"  # noqa: S105  # Of users that live as long as the test.
_AGAIN = {429, 502, 503, 504}
_CLIENTS = 32


@asynccontextmanager
async def clients() -> AsyncIterator[Sequence[httpx.AsyncClient]]:
    """Open what buyers share: several, for what one costs a request grows with its connections."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=10)
    async with AsyncExitStack() as opened:
        yield [
            await opened.enter_async_context(
                httpx.AsyncClient(timeout=30, limits=limits, verify=False)  # noqa: S501  # Plain HTTP.
            )
            for _ in range(_CLIENTS)
        ]


@dataclass
class Account:
    """Somebody who can sign in; several buyers at once may use it."""

    login: dict[str, str]
    token: str = ""
    signing_in: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class Purchase:
    """What one buyer did, and heard."""

    plan: Plan
    began: float
    operation_id: str | None = None
    order_id: str | None = None
    ended: float | None = None
    """When its placing was heard to have ended."""
    failed_with: str | None = None
    authorised: bool = False
    """Whether Stripe said that the money is set aside."""
    trouble: str | None = None
    """What kept the buyer from going on."""


@dataclass
class Crowd:
    """Every buyer, and all that was accepted from them."""

    edge: str
    rng: random.Random
    plans: Mapping[Plan, int] = field(default_factory=lambda: PLANS)
    wanted: Sequence[int] = _WANTED
    """How often each ticket is wanted, beside the others."""
    patience_sec: float = 90
    """How long a buyer waits for one answer, or for the end of one operation."""
    purchases: list[Purchase] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)
    """Operations that were answered with 202, or with 200 when they had ended."""
    repeats: Counter[str] = field(default_factory=Counter)
    accounts: list[Account] = field(default_factory=list)
    tickets: list[str] = field(default_factory=list)

    async def open(
        self, http: httpx.AsyncClient, buyers: int, quotas: list[int], free: int = 0
    ) -> None:
        """Make users, and tickets with these quotas; one more, if it has any, is free."""
        self.accounts = await asyncio.gather(*(self._register(http) for _ in range(buyers)))
        offers = [*((quota, "12.50") for quota in quotas), *([(free, "0.00")] if free else [])]
        self.tickets = await asyncio.gather(*(self._ticket(http, *each) for each in offers))

    async def _register(self, http: httpx.AsyncClient) -> Account:
        login = {"email": f"chaos-{uuid.uuid4().hex}@example.org", "password": _PASSWORD}
        await self.end_of(http, await self.write(http, "/v1/users", login))
        account = Account(login)
        await self._sign_in(http, account, over="")
        return account

    async def _sign_in(self, http: httpx.AsyncClient, account: Account, over: str) -> None:
        """Get a token instead of one that is over, unless somebody else has meanwhile."""
        async with account.signing_in:
            if account.token == over:
                opened = await self.write(http, "/v1/sessions", account.login)
                session = await self.end_of(http, opened)
                account.token = str(session["result"]["access_token"])

    async def _ticket(self, http: httpx.AsyncClient, quota: int, price: str) -> str:
        body = {
            "title": "Kill test",
            "price": price,
            "currency": "EUR",
            "quota": quota,
            "max_per_user": 1_000_000,
            "ticket_type": "GA",
            "event": {
                "title": "Kill test",
                "starts_at": "2030-01-01T20:00:00Z",
                "ends_at": "2030-01-01T22:00:00Z",
            },
        }
        made = await self.end_of(
            http, await self.write(http, "/v1/tickets", body, self.accounts[0])
        )
        return str(made["result"]["ticket_id"])

    async def shop(self, http: httpx.AsyncClient, plan: Plan | None = None) -> None:
        """Be one buyer, to the end; what for is left to chance unless it is said."""
        chosen = plan or self.rng.choices(list(self.plans), list(self.plans.values()))[0]
        purchase = Purchase(chosen, time.monotonic())
        self.purchases.append(purchase)
        try:
            await self._shop(http, purchase)
        except Exception as error:  # noqa: BLE001  # One buyer's trouble is told, and stops nobody else.
            purchase.trouble = repr(error)

    async def _shop(self, http: httpx.AsyncClient, purchase: Purchase) -> None:
        account = self.rng.choice(self.accounts)
        ticket = self.rng.choices(self.tickets, self.wanted[: len(self.tickets)])[0]
        wanted = {"ticket_id": ticket, "quantity": self.rng.randint(1, 3)}
        operation = await self.write(http, "/v1/orders", wanted, account)
        purchase.operation_id = operation["id"]
        operation = await self.end_of(http, operation, account)
        purchase.ended = time.monotonic()
        if operation["status"] == "failed":
            purchase.failed_with = operation["error"]["code"]
            return
        result = operation["result"]
        purchase.order_id = result["order_id"]
        if purchase.plan == "cancel":
            where = f"/v1/orders/{purchase.order_id}/cancellation"
            await self.end_of(http, await self.write(http, where, None, account), account)
        elif purchase.plan != "leave" and result["status"] != "CONFIRMED":  # That one is free.
            payment = await self._payment(http, result, account)
            if "client_secret" not in payment:
                purchase.failed_with = "too_late"
                return
            if purchase.plan == "decline":
                await self._confirm(http, payment, "pm_card_chargeDeclined")
            confirmed = await self._confirm(http, payment, "pm_card_visa")
            purchase.authorised = confirmed in {"requires_capture", "succeeded"}

    async def _payment(
        self, http: httpx.AsyncClient, result: dict[str, Any], account: Account
    ) -> dict[str, Any]:
        """Find what to pay with: in the operation's result, else with the order, while open."""
        payment: dict[str, Any] = result.get("payment") or {}
        if "client_secret" not in payment:
            order = await self._ask(
                http, "GET", f"/v1/orders/{result['order_id']}", account=account
            )
            payment = order["payment"] or {}
        return payment

    async def _confirm(self, http: httpx.AsyncClient, payment: dict[str, Any], card: str) -> str:
        """Pay as a browser does, at Stripe; return how far the intent is then."""
        secret = payment["client_secret"]
        intent = f"{payment['api_base']}/v1/payment_intents/{secret.split('_secret_')[0]}"
        key = {"authorization": f"Bearer {payment['publishable_key']}"}
        what = {"client_secret": secret, "payment_method": card}
        for _ in self._tries():
            try:
                answer = await http.post(f"{intent}/confirm", headers=key, data=what)
                if answer.status_code == 400:  # noqa: PLR2004  # It was confirmed before.
                    answer = await http.get(intent, headers=key, params={"client_secret": secret})
                if answer.status_code in {200, 402}:
                    found = answer.json()
                    return str(found.get("status") or found["error"]["payment_intent"]["status"])
            except httpx.TransportError as error:
                self.repeats[f"Stripe: {type(error).__name__}"] += 1
            await asyncio.sleep(0.5)
        msg = "Stripe did not answer"
        raise TimeoutError(msg)

    async def write(
        self, http: httpx.AsyncClient, path: str, body: object, account: Account | None = None
    ) -> dict[str, Any]:
        """Send a command until it is answered; return its operation."""
        key = {"idempotency-key": uuid.uuid4().hex, "prefer": "wait=2"} if account else {}
        operation = await self._ask(http, "POST", path, body=body, account=account, headers=key)
        self.accepted.add(operation["id"])
        return operation

    async def end_of(
        self, http: httpx.AsyncClient, operation: dict[str, Any], account: Account | None = None
    ) -> dict[str, Any]:
        """Wait until an operation has ended; return it as it is then."""
        for looks in self._tries():
            if operation["status"] != "pending":
                return operation
            await asyncio.sleep(min(looks, _LONGEST_PAUSE_SEC))  # Whoever has waited can wait.
            where = f"/v1/operations/{operation['id']}"
            waits = {"prefer": "wait=10"}
            operation = await self._ask(http, "GET", where, account=account, headers=waits)
        msg = f"operation {operation['id']} has not ended"
        raise TimeoutError(msg)

    async def _ask(  # noqa: PLR0913  # A request has these parts.
        self,
        http: httpx.AsyncClient,
        method: str,
        path: str,
        *,
        body: object = None,
        account: Account | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        sent = dict(headers or {})
        for attempt in self._tries():
            token = account.token if account else ""
            if token:
                sent["authorization"] = f"Bearer {token}"
            try:
                answer = await http.request(method, f"{self.edge}{path}", json=body, headers=sent)
                if answer.status_code == 401 and account:  # noqa: PLR2004  # It was, until then.
                    await self._sign_in(http, account, token)
                elif answer.status_code not in _AGAIN:
                    answer.raise_for_status()
                    found: dict[str, Any] = answer.json()
                    return found
                self.repeats[str(answer.status_code)] += 1
            except httpx.TransportError as error:
                self.repeats[f"edge: {type(error).__name__}"] += 1
            await asyncio.sleep(min(0.1 * 2**attempt, 1.0))
        msg = f"{method} {path} got no answer"
        raise TimeoutError(msg)

    def _tries(self) -> "Tries":
        return Tries(time.monotonic() + self.patience_sec)


class Tries:
    """Counts attempts until a deadline."""

    def __init__(self, deadline: float) -> None:
        """Take the deadline, on the monotonic clock."""
        self._deadline = deadline
        self._number = -1

    def __iter__(self) -> "Tries":
        return self

    def __next__(self) -> int:
        if time.monotonic() > self._deadline:
            raise StopIteration
        self._number += 1
        return self._number
