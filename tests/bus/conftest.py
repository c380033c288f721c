"""Fixtures: the tests' own system, and what is sent to it."""

import logging
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog

from bus.envelope import Envelope, envelope_of
from bus.runner import Runner
from ops.local.stack import Stack
from schemas.order import PlaceOrder
from tests.bus.probe import LEDGERS
from tests.bus.system import System


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    """Tracebacks of faults made on purpose take longer to draw than the tests."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def whole_system(stack: Stack) -> Iterator[System]:
    made = System(stack.environment())
    yield made
    made.close()


@pytest.fixture
def system(whole_system: System) -> Iterator[System]:
    """The system, its queues and outboxes empty."""
    whole_system.purge()
    yield whole_system
    whole_system.end_spawned()


@pytest.fixture(params=LEDGERS)
def store(request: pytest.FixtureRequest) -> str:
    """Each kind of store in turn."""
    return str(request.param)


@pytest.fixture
def runner(system: System, store: str) -> Iterator[Runner[Any]]:
    """The service's handlers on its store, without a broker; `said` is what they said."""
    service = system.service(store)
    said: list[Any] = []
    made = Runner(service, said.extend)
    made.said = said  # type: ignore[attr-defined]
    yield made
    service.store.close()


@pytest.fixture
def order() -> Callable[..., Envelope]:
    """Make a command about a ticket."""

    def made(quantity: int = 1, ticket_id: UUID | None = None) -> Envelope:
        command = PlaceOrder(ticket_id=ticket_id or uuid4(), quantity=quantity)
        return envelope_of(command, source="/edge", operation_id=uuid4(), user_id=uuid4())

    return made
