"""The venue service on its real stores, driven batch by batch."""

from collections.abc import Iterator

import pytest

from bus.stores.postgres import Connection
from ops.local.stack import Stack
from tests.driven import Driven, opened
from workers.venue.handlers import venue


@pytest.fixture(scope="session")
def venues(stack: Stack) -> Iterator[Driven[Connection]]:
    """The service, its stores open."""
    with opened(venue, stack.environment()):
        yield Driven(venue)
