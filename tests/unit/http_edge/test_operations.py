"""What tells one request from another, and what other threads' futures become."""

import asyncio
import threading
from concurrent.futures import Future

from bus.publisher import NotConfirmed
from http_edge.operations import _all_done, request_hash


def test_the_same_json_is_the_same_request() -> None:
    one = request_hash(b"key", {"a": 1, "b": [1, 2]})
    assert one == request_hash(b"key", {"b": [1, 2], "a": 1})
    assert one != request_hash(b"key", {"a": 1, "b": [2, 1]})
    assert one != request_hash(b"other", {"a": 1, "b": [1, 2]})


async def test_futures_of_another_thread_are_awaited_together() -> None:
    for done_before in (0, 7, 20):
        futures = [Future[None]() for _ in range(20)]

        def settle(some: list[Future[None]]) -> None:
            for number, future in enumerate(some):
                if number % 3:
                    future.set_result(None)
                else:
                    future.set_exception(NotConfirmed("no"))

        settle(futures[:done_before])
        thread = threading.Thread(target=settle, args=(futures[done_before:],))
        thread.start()
        together = await asyncio.wait_for(_all_done(futures), 5)
        thread.join()
        assert [each is None for each in together] == [
            future.exception() is None for future in futures
        ]
