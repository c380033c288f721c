"""The payment service on its real store, and its gateway against the stand-in's process."""

import json
from collections.abc import Iterator

import pytest
from joserfc.jwk import OKPKey

from bus.sealing import Sealer
from bus.stores.postgres import Connection
from ops.local.stack import Stack
from tests.driven import Driven, opened, postgres
from tests.services.payment.paying import Cashier
from tests.stripe_stand_in.conftest import SECRET_KEY, StandIn
from workers.payment.gateway import Gateway
from workers.payment.gateway_worker import Desk
from workers.payment.handlers import payment

NOBODY = 9
"""A port where nobody listens for webhooks."""


@pytest.fixture(scope="session")
def payments(stack: Stack) -> Iterator[Driven[Connection]]:
    """The service, its store open."""
    with opened(payment, stack.environment()):
        yield Driven(payment)


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """Stripe."""
    stand_in = StandIn(tmp_path_factory.mktemp("payment") / "state", NOBODY)
    stand_in.start()
    yield stand_in
    stand_in.end()  # It would wait for somebody to take its webhooks.
    stand_in.http.close()


@pytest.fixture
def cashier(payments: Driven[Connection], stand_in: StandIn) -> Iterator[Cashier]:
    """The service and the gateway together; Stripe is well again afterwards."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STRIPE_API_KEY", SECRET_KEY)
        environment.setenv("STRIPE_API_BASE", stand_in.url)
        gateway = Gateway()
    key = OKPKey.generate_key("X25519").as_dict(private=False)
    desk = Desk(gateway, Sealer(json.dumps(key)), postgres("payment"), threads=1)
    yield Cashier(payments, desk, stand_in)
    stand_in.faults()
