"""The ticket service on its real store, driven batch by batch."""

from collections.abc import Iterator

import pytest

from bus.stores.mongo import Documents
from ops.local.stack import Stack
from tests.driven import Driven, opened
from workers.ticket.handlers import ticket


@pytest.fixture(scope="session")
def tickets(stack: Stack) -> Iterator[Driven[Documents]]:
    """The service, its store open."""
    with opened(ticket, stack.environment()):
        yield Driven(ticket)
