"""The services on their real stores, with Stripe's stand-in, and scenes that are played on them."""

from collections.abc import Iterator

import pytest

from tests.reliability.scene import Scene
from tests.saga.conftest import desk, services, stripe
from tests.saga.stripe import Stripe
from workers.payment.gateway_worker import Desk

__all__ = ["desk", "services", "stripe"]


@pytest.fixture
def scene(stripe: Stripe, desk: Desk) -> Iterator[Scene]:
    """A scene whose lines are checked when it is over."""
    scene = Scene(stripe, desk)
    yield scene
    scene.over()
