"""A whole system, processes and all, for tests that need one: on ports of its own."""

import asyncio
import os
import random
from collections.abc import Iterator

import httpx
import pytest

from ops.chaos.buyers import PLANS, Crowd, Plan, Purchase
from ops.local.stack import Stack
from ops.stores import Stores, settings
from tests.lanes import base

WHOLE_BASE = base("FOYER_WHOLE_BASE", 18120)


@pytest.fixture(scope="session")
def whole() -> Iterator[Stack]:
    """Started once, whichever folder's tests come first; `FOYER_KEEP_STACK=1` leaves it running."""
    stack = Stack(base=WHOLE_BASE)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FOYER_PORT_BASE", str(stack.layout.base))
        stack.up(fresh=not stack.running)
    yield stack
    if "FOYER_KEEP_STACK" not in os.environ and stack.running:
        stack.abandon()


@pytest.fixture
def stores(whole: Stack) -> Iterator[Stores]:
    """The whole system's stores, as an operator reads them."""
    with Stores(settings(whole.layout)) as opened:
        yield opened


def buy(whole: Stack, *plans: Plan) -> list[Purchase]:
    """Have one buyer for each plan; return what they did."""
    crowd = Crowd(f"http://127.0.0.1:{whole.layout.port('edge')}", random.Random(1))  # noqa: S311  # Not a secret.

    async def shop() -> None:
        async with httpx.AsyncClient(timeout=15) as http:
            await crowd.open(http, 1, [1000])
            for plan in plans:
                await crowd.shop(http, plan)

    asyncio.run(shop())
    assert not [each.trouble for each in crowd.purchases if each.trouble]
    assert set(plans) <= set(PLANS)
    return crowd.purchases
