"""The whole system, running, for the tests that use it as people do."""

import os
from collections.abc import Callable, Iterator

import pytest

from ops.local.stack import Stack
from tests.journeys.shop import Person, Stripe
from tests.lanes import base

JOURNEY_BASE = base("FOYER_JOURNEY_BASE", 18160)
ORDER_TTL_SEC = 15


@pytest.fixture(scope="session")
def system() -> Iterator[Stack]:
    """Servers and every process; deadlines and retries are short."""
    extra = {
        "FOYER_ORDER_TTL_SEC": str(ORDER_TTL_SEC),
        "FOYER_RETRY_DELAYS_SEC": "0.2,0.5",
        "FOYER_RATE_LIMITS": "off",
    }
    stack = Stack(JOURNEY_BASE, extra)
    keep = "FOYER_KEEP_STACK" in os.environ
    stack.up(fresh=not (keep and stack.running))
    yield stack
    if not keep:
        stack.abandon()


@pytest.fixture(scope="session")
def stripe(system: Stack) -> Iterator[Stripe]:
    """Stripe's stand-in."""
    stripe = Stripe(system.layout.port("stripe"))
    yield stripe
    stripe.http.close()


@pytest.fixture(scope="session")
def arrive(system: Stack) -> Iterator[Callable[[], Person]]:
    """Have somebody new register and sign in."""
    people: list[Person] = []

    def arrive() -> Person:
        people.append(Person(system.layout.port("edge")))
        return people[-1]

    yield arrive
    for person in people:
        person.http.close()


@pytest.fixture(scope="session")
def organizer(arrive: Callable[[], Person]) -> Person:
    """Somebody who offers tickets."""
    return arrive()


@pytest.fixture
def buyer(arrive: Callable[[], Person]) -> Person:
    """Somebody who has bought nothing yet."""
    return arrive()
