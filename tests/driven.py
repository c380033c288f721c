"""Services driven directly: batch by batch on their real stores, without a broker."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar
from uuid import UUID

import pytest

from bus.envelope import Envelope, Outgoing, decode, encode, envelope_of
from bus.runner import Done, Incoming, Runner
from bus.service import Service
from bus.stores.mongo import Mongo
from bus.stores.postgres import Postgres
from bus.stores.redis import Redis
from schemas.message import Message
from workers.expiration.handlers import expiration
from workers.order.handlers import order
from workers.payment.handlers import payment
from workers.ticket.handlers import ticket
from workers.venue.handlers import venue
from workers.view.handlers import view

DB = TypeVar("DB")
M = TypeVar("M", bound=Message)

SERVICES: Mapping[str, Service[Any]] = {
    each.name: each for each in (order, ticket, venue, payment, expiration, view)
}
_ADDRESSES = {
    "order": {"FOYER_DATABASE_URL": "FOYER_ORDER_DATABASE_URL"},
    "payment": {"FOYER_DATABASE_URL": "FOYER_PAYMENT_DATABASE_URL"},
    "venue": {
        "FOYER_DATABASE_URL": "FOYER_VENUE_DATABASE_URL",
        "FOYER_REDIS_URL": "FOYER_VENUE_REDIS_URL",
    },
    "view": {"FOYER_DATABASE_URL": "FOYER_VIEW_DATABASE_URL"},
    "ticket": {"FOYER_MONGO_URL": "FOYER_TICKET_MONGO_URL"},
    "expiration": {"FOYER_REDIS_URL": "FOYER_EXPIRATION_REDIS_URL"},
    "user": {"FOYER_DATABASE_URL": "FOYER_USER_DATABASE_URL"},
}


def postgres(name: str) -> Postgres:
    """Return a service's store, which is PostgreSQL."""
    store = SERVICES[name].store
    assert isinstance(store, Postgres)
    return store


def mongo() -> Mongo:
    """Return the ticket service's store."""
    store = ticket.store
    assert isinstance(store, Mongo)
    return store


def redis() -> Redis:
    """Return the expiration service's store."""
    store = expiration.store
    assert isinstance(store, Redis)
    return store


@contextmanager
def opened(service: Service[Any], known: Mapping[str, str]) -> Iterator[Service[Any]]:
    """Open a service's store, at the address that its process would be given."""
    with pytest.MonkeyPatch.context() as environment:
        for setting, address in _ADDRESSES[service.name].items():
            environment.setenv(setting, known[address])
        service.store.open(service.name)
    try:
        yield service
    finally:
        service.store.close()


class Driven(Generic[DB]):
    """A service as its process runs it."""

    def __init__(self, service: Service[DB]) -> None:
        """Take a service whose store is open."""
        self.service = service
        self._said: list[Outgoing] = []
        self._runner = Runner(service, self._said.extend)

    def hear(self, *batch: Envelope) -> "Said":
        """Handle these in one transaction; return what was said."""
        del self._said[:]
        verdicts = self._runner.run([Incoming(encode(each)) for each in batch])
        assert verdicts == [Done()] * len(batch), verdicts
        if self._said:
            self.service.store.mark([each.id for each in self._said])
        return Said([decode(each.body) for each in self._said])

    def told(
        self, message: Message, *, user_id: UUID | None = None, operation_id: UUID | None = None
    ) -> "Said":
        """Handle one message that is said now."""
        return self.hear(message_of(message, user_id=user_id, operation_id=operation_id))


class Said:
    """What a service said in one transaction."""

    def __init__(self, envelopes: Sequence[Envelope]) -> None:
        """Keep them in order."""
        self.envelopes = envelopes

    @property
    def types(self) -> list[str]:
        """Return the messages' types, in order."""
        return [each.type for each in self.envelopes]

    def one(self, kind: type[M]) -> M:
        """Return the only message of this type."""
        (found,) = [each.data for each in self.envelopes if isinstance(each.data, kind)]
        return found


def message_of(
    message: Message, *, user_id: UUID | None = None, operation_id: UUID | None = None
) -> Envelope:
    """Wrap a message under an id of its own."""
    return envelope_of(message, source="/test", user_id=user_id, operation_id=operation_id)
