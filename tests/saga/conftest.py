"""The saga's services on their real stores, and Stripe's stand-in as a process."""

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from joserfc.jwk import OKPKey

from bus.sealing import Sealer
from ops.local.stack import Stack
from tests.driven import SERVICES, opened, postgres
from tests.saga.stripe import Stripe
from tests.stripe_stand_in.conftest import SECRET_KEY, StandIn
from workers.payment.gateway import Gateway
from workers.payment.gateway_worker import Desk

NOBODY = 9
"""A port where nobody listens: the world reads the events instead of being sent them."""


@pytest.fixture(scope="session")
def services(stack: Stack) -> Iterator[None]:
    """Every service of a sale, its store open."""
    with ExitStack() as open_ones:
        for service in SERVICES.values():
            open_ones.enter_context(opened(service, stack.environment()))
        yield


@pytest.fixture(scope="session")
def stripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stripe]:
    """A stand-in of the saga's own."""
    stand_in = StandIn(tmp_path_factory.mktemp("saga") / "state", NOBODY)
    stand_in.start()
    yield Stripe(stand_in)
    stand_in.end()  # It would wait for somebody to take its webhooks.
    stand_in.http.close()


@pytest.fixture(scope="session")
def desk(services: None, stripe: Stripe) -> Desk:  # noqa: ARG001  # Its store must be open.
    """The gateway, called instead of running."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STRIPE_API_KEY", SECRET_KEY)
        environment.setenv("STRIPE_API_BASE", stripe.stand_in.url)
        gateway = Gateway()
    key = OKPKey.generate_key("X25519").as_dict(private=False)
    return Desk(gateway, Sealer(json.dumps(key)), postgres("payment"), threads=1)
