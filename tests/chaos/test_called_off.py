"""An event is called off, and whoever ends its orders is killed twice on the way.

``FOYER_CALLED_OFF`` sets how many orders there are.
"""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import uuid4

import httpx
import pytest

from ops.local.stack import Stack
from ops.stores import Stores
from ops.verify import verify
from tests.journeys.shop import Json, Person, Stripe, until

pytestmark = [pytest.mark.chaos, pytest.mark.slow]
ORDERS = int(os.environ.get("FOYER_CALLED_OFF", "40"))
BUYERS = 4
WITHIN_SEC = 60 + ORDERS / 5


@pytest.fixture
def people(whole: Stack) -> Iterator[list[Person]]:
    """An organizer, then buyers."""
    with ExitStack() as leaving:
        came = [Person(whole.layout.port("edge")) for _ in range(BUYERS + 1)]
        for each in came:
            leaving.callback(each.http.close)
        yield came


@pytest.mark.timeout(200 + ORDERS)
def test_every_order_of_a_cancelled_event_ends_whoever_dies(
    whole: Stack, stores: Stores, people: list[Person]
) -> None:
    organizer, *buyers = people
    ticket_id = organizer.offer(quota=ORDERS, max_per_user=ORDERS)
    path = f"/v1/tickets/{ticket_id}"
    stripe = Stripe(whole.layout.port("stripe"))
    with ThreadPoolExecutor(BUYERS) as pool:
        list(pool.map(lambda buyer: _shop(buyer, ticket_id, stripe), buyers))
    until(lambda: _statuses(organizer, path), lambda seen: "PENDING" not in seen, WITHIN_SEC)
    asked = organizer.http.post(
        f"{path}/cancellation", headers={"Idempotency-Key": uuid4().hex}
    ).json()
    killed = {0}  # Nobody's pid; and a dead one's is told until its supervisor has noticed.
    for victim in ("order", "payment", "order", "ticket"):
        pid = until(lambda name=victim: whole.pid(name), lambda pid: pid not in killed, WITHIN_SEC)  # type: ignore[misc]  # A pid.
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
    ended = until(
        lambda: organizer.read(f"/v1/operations/{asked['id']}"),
        lambda seen: seen["status"] != "pending",
        WITHIN_SEC,
    )
    assert ended["status"] == "succeeded", ended
    # Its end is the ticket's word; the last orders' may be told by those who came after the dead.
    until(lambda: set(_statuses(organizer, path)), lambda seen: seen == {"CANCELLED"}, WITHIN_SEC)
    progress = organizer.read(path)["cancellation"]
    assert progress == {"total": ORDERS, "ended": ORDERS, "failed": 0}
    broken = [each for finding in verify(stores) for each in finding.broken]
    assert broken == []
    _check_money(stripe, organizer, path)


def _shop(buyer: Person, ticket_id: str, stripe: Stripe) -> None:
    """Buy, and pay three of four."""
    for number in range(ORDERS // BUYERS):
        payment = buyer.buy(ticket_id)["payment"]
        if number % 4:
            assert stripe.confirm(payment) == httpx.codes.OK


def _orders(organizer: Person, path: str) -> Iterator[Json]:
    cursor = ""
    while True:
        page = organizer.read(f"{path}/orders?limit=100{cursor}")
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={page['next_cursor']}"


def _statuses(organizer: Person, path: str) -> list[str]:
    return [each["status"] for each in _orders(organizer, path)]


def _check_money(stripe: Stripe, organizer: Person, path: str) -> None:
    """What was taken went back, all of it, and nothing is set aside."""
    ours = {each["id"] for each in _orders(organizer, path)}
    ledger = stripe.http.get("/_stand_in/ledger").json()["intents"]
    mine = [each for each in ledger if each["metadata"].get("order_id") in ours]
    assert len(mine) == ORDERS
    assert {each["captured"] - each["refunded"] + each["held"] for each in mine} == {0}
    assert any(each["refunded"] for each in mine)
