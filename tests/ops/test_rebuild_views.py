"""What was lost from the views comes back from its owners, and nobody notices a rebuild."""

import asyncio
import itertools
import random
import threading
from collections import Counter
from typing import Self

import httpx
import psycopg
import pytest

from ops.chaos import Plan, sell
from ops.chaos.buyers import Crowd
from ops.local.stack import Stack
from ops.rebuild_views import rebuild
from ops.stores import Row, Stores
from ops.verify import verify
from tests.whole import buy

# Rows of what has ended; the columns that say when a view was written are content, too.
_ENDED = {
    "orders": "order_id = ANY(%(orders)s)",
    "payments": "order_id = ANY(%(orders)s)",
    "order_timeline": "order_id = ANY(%(orders)s)",
    "order_releases": "order_id = ANY(%(orders)s)",
    "tickets": "ticket_id IN (SELECT ticket_id FROM orders WHERE order_id = ANY(%(orders)s))",
    "signing_keys": "true",
    "operations": "id IN (SELECT operation_id FROM orders WHERE order_id = ANY(%(orders)s))",
    "operation_steps": "operation_id IN"
    " (SELECT operation_id FROM orders WHERE order_id = ANY(%(orders)s))",
}


def test_lost_rows_come_back(whole: Stack, stores: Stores) -> None:
    (paid,) = buy(whole, "pay")
    known = whole.environment()
    address = known["FOYER_VIEW_DATABASE_URL"]
    assert rebuild(stores, known["FOYER_ADMIN_AMQP_URL"], 60)[0].broken == []
    with psycopg.connect(address, autocommit=True) as view:
        lost = [
            view.execute("DELETE FROM orders WHERE order_id = %s", [paid.order_id]).rowcount,
            view.execute("DELETE FROM payments WHERE order_id = %s", [paid.order_id]).rowcount,
            view.execute("DELETE FROM tickets").rowcount,
            view.execute("DELETE FROM accounts").rowcount,
            view.execute("DELETE FROM people").rowcount,
        ]
    assert min(lost) > 0
    findings = rebuild(stores, known["FOYER_ADMIN_AMQP_URL"], 60)
    assert [each for finding in findings for each in finding.broken] == []
    assert findings[0].compared["orders"] > 0


def content(stores: Stores, orders: list[str | None]) -> dict[str, list[Row]]:
    """Return all that is shown about these orders."""
    return {
        table: stores.rows(
            "view",
            f"SELECT to_jsonb(t) AS row FROM {table} t WHERE {which} ORDER BY to_jsonb(t)::text",  # noqa: S608  # Ours.
            {"orders": orders},
        )
        for table, which in _ENDED.items()
    }


class Reader:
    """Somebody who reads all the time, and what they were answered."""

    def __init__(self, crowd: Crowd, ended: Crowd, paid: str) -> None:
        """Read what everybody may, and an order that was `paid` by a buyer of before."""
        self.answers: Counter[int] = Counter()
        self.seen: set[str] = set()
        self._crowd = crowd
        self._paths = [
            "/v1/tickets",
            f"/v1/tickets/{ended.tickets[0]}",
            "/v1/orders",
            f"/v1/orders/{paid}",
        ]
        self._paid = paid
        self._token = ended.accounts[0].token
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _read(self) -> None:
        login = {"authorization": f"Bearer {self._token}"}
        with httpx.Client(base_url=self._crowd.edge, headers=login, timeout=15) as http:
            for path in itertools.cycle(self._paths):
                if self._stopping.wait(0.01):
                    return
                answer = http.get(path)
                self.answers[answer.status_code] += 1
                if path.endswith(self._paid):
                    self.seen.add(answer.text)


@pytest.mark.timeout(300)
def test_a_rebuild_during_a_sale_is_not_noticed(whole: Stack, stores: Stores) -> None:
    edge = f"http://127.0.0.1:{whole.layout.port('edge')}"
    before, during = Crowd(edge, random.Random(1)), Crowd(edge, random.Random(2))  # noqa: S311  # Not secret.

    async def buy_before() -> None:
        async with httpx.AsyncClient(timeout=15) as http:
            await before.open(http, 1, [1000])
            for plan in ("pay", "cancel", "pay"):
                await before.shop(http, plan)

    asyncio.run(buy_before())
    assert [line.broken for line in verify(stores) if line.broken] == []
    orders = [each.order_id for each in before.purchases]
    was = content(stores, orders)
    assert all(was.values()), {table: len(rows) for table, rows in was.items()}

    def disturb() -> None:
        with Reader(during, before, str(orders[0])) as reader:
            for _ in range(3):
                findings = rebuild(stores, whole.environment()["FOYER_ADMIN_AMQP_URL"], 60)
                assert [each for finding in findings for each in finding.broken] == []
        assert reader.answers.keys() == {200}, reader.answers
        assert reader.answers[200] > 20
        assert len(reader.seen) == 1, "an order that had ended looked different meanwhile"

    asyncio.run(sell(during, Plan(seed=2, seconds=5, orders_per_sec=5), disturb))
    assert [each.trouble for each in during.purchases if each.trouble] == []
    assert len(during.purchases) > 20
    assert [line.broken for line in verify(stores) if line.broken] == []
    assert content(stores, orders) == was
