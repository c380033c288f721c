"""The buyers of the runs under faults do what a client should."""

import asyncio
import random

import httpx
import pytest

from ops.chaos.buyers import Crowd
from ops.local.stack import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.slow]
AT_ONCE = 3


def test_whoever_is_told_that_the_token_is_over_signs_in_again_once(whole: Stack) -> None:
    crowd = Crowd(f"http://127.0.0.1:{whole.layout.port('edge')}", random.Random(5))  # noqa: S311  # Not a secret.

    async def shop() -> None:
        async with httpx.AsyncClient(timeout=30) as http:
            await crowd.open(http, 1, [10])
            crowd.accounts[0].token = "over"
            before = len(crowd.accepted)
            await asyncio.gather(*(crowd.shop(http, "cancel") for _ in range(AT_ONCE)))
            # Of each its order and its cancellation; of all of them one session.
            assert len(crowd.accepted) - before == AT_ONCE * 2 + 1

    asyncio.run(shop())
    assert [each.trouble for each in crowd.purchases] == [None] * AT_ONCE
    assert crowd.repeats["401"] == AT_ONCE
