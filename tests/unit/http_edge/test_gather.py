"""Requests that are served together."""

import asyncio

import pytest

from http_edge.gather import Gatherer, Group


async def test_what_arrives_meanwhile_is_the_next_group() -> None:
    sizes: list[int] = []
    may_go_on = asyncio.Event()

    async def work(group: Group[int, int]) -> None:
        sizes.append(len(group))
        await may_go_on.wait()
        for asked, answer in group:
            answer.set_result(asked * 2)

    gatherer = Gatherer(work, most=5)
    first = gatherer.ask(1)
    await asyncio.sleep(0)
    rest = [gatherer.ask(number) for number in range(2, 10)]
    may_go_on.set()
    assert await asyncio.gather(first, *rest) == [number * 2 for number in range(1, 10)]
    assert sizes == [1, 5, 3]


async def test_a_group_that_fails_fails_its_own_only() -> None:
    async def work(group: Group[str, str]) -> None:
        await asyncio.sleep(0)
        if any(asked == "bad" for asked, _ in group):
            raise LookupError
        for asked, answer in group:
            answer.set_result(asked)

    gatherer = Gatherer(work, most=1)
    bad, good = gatherer.ask("bad"), gatherer.ask("good")
    with pytest.raises(LookupError):
        await bad
    assert await good == "good"


async def test_who_has_left_is_not_served_and_disturbs_nobody() -> None:
    served: list[int] = []

    async def work(group: Group[int, int]) -> None:
        await asyncio.sleep(0)
        for asked, answer in group:
            served.append(asked)
            answer.set_result(asked)

    gatherer = Gatherer(work, most=10)
    first = gatherer.ask(1)
    await asyncio.sleep(0)
    left, stayed = gatherer.ask(2), gatherer.ask(3)
    left.cancel()
    assert await first == 1
    assert await stayed == 3
    assert served == [1, 3]
