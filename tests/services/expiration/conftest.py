"""The expiration service on its real store, driven batch by batch."""

from collections.abc import Iterator

import pytest

from bus.stores.redis import Keys
from ops.local.stack import Stack
from tests.driven import Driven, opened
from workers.expiration.handlers import expiration


@pytest.fixture(scope="session")
def timing(stack: Stack) -> Iterator[Driven[Keys]]:
    """The service, its store open."""
    with opened(expiration, stack.environment()):
        yield Driven(expiration)
