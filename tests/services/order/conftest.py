"""The order service on its real store, driven batch by batch."""

from collections.abc import Iterator

import pytest

from bus.stores.postgres import Connection
from ops.local.stack import Stack
from tests.driven import Driven, opened
from workers.order.handlers import order


@pytest.fixture(scope="session")
def orders(stack: Stack) -> Iterator[Driven[Connection]]:
    """The service, its store open."""
    with opened(order, stack.environment()):
        yield Driven(order)
