"""The saga's services, Stripe's stand-in and the gateway, as the saga's tests have them."""

from tests.saga.conftest import desk, services, stripe

__all__ = ["desk", "services", "stripe"]
