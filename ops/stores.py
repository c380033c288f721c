"""Every store of one system, opened for an operator's commands that only read.

PostgreSQL's connections refuse to write, MongoDB is read in one snapshot, and Stripe is asked
through its own SDK, the stand-in and the test mode alike. Addresses come from the environment,
else from what ``make up`` left under ``.run/``.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any, Self

import pika
import pika.exceptions
import psycopg
import pymongo
import pymongo.errors
import redis
import stripe
from pika.adapters.blocking_connection import BlockingChannel
from psycopg.rows import dict_row
from pymongo.database import Database

from bus.publisher import NotConfirmed
from bus.topology import Api
from ops.local.layout import Layout
from ops.local.settings_file import read

Row = dict[str, Any]
SERVICES = ("auth", "user", "ticket", "venue", "order", "payment", "expiration", "view")
POSTGRES = ("auth", "user", "venue", "order", "payment", "view")
_STRIPE = "https://api.stripe.com"
_PAGE_ROWS = 5000
_BLOCKED_SEC = 10
"""How long a command waits for a broker that takes nothing."""


def settings(layout: Layout | None = None) -> dict[str, str]:
    """Read the whole environment of a system; what the process was given comes first."""
    secrets = (layout or Layout.from_environment()).secrets
    known = read(secrets) if secrets.exists() else {}
    return known | ({} if layout else dict(os.environ))


class Stores:
    """Opened when first asked for, closed together."""

    def __init__(self, known: Mapping[str, str]) -> None:
        """Take a system's whole environment."""
        self._known = known
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @cached_property
    def _postgres(self) -> dict[str, psycopg.Connection[Row]]:
        return {
            service: self._open.enter_context(
                psycopg.connect(
                    self._known[f"FOYER_{service.upper()}_DATABASE_URL"],
                    autocommit=True,
                    row_factory=dict_row,
                    application_name="foyer ops",
                    options="-c default_transaction_read_only=on -c timezone=UTC",
                )
            )
            for service in POSTGRES
        }

    def rows(
        self, service: str, statement: str, values: Mapping[str, object] | None = None
    ) -> list[Row]:
        """Return the rows of a short answer from a service's PostgreSQL database."""
        return self._postgres[service].execute(statement.encode(), values).fetchall()

    @contextmanager
    def stream(self, service: str, statement: str) -> Iterator[Iterator[Row]]:
        """Read an answer of any length, a few thousand rows at a time, as of one moment."""
        connection = self._postgres[service]
        # More than one may be open on a connection: one transaction inside another is a savepoint.
        with connection.transaction(), connection.cursor(f"ops_{id(statement)}") as cursor:
            cursor.itersize = _PAGE_ROWS
            cursor.execute(statement.encode())
            yield iter(cursor)

    @cached_property
    def mongo(self) -> Database[Row]:
        """The ticket service's database."""
        client: pymongo.MongoClient[Row] = pymongo.MongoClient(
            self._known["FOYER_TICKET_MONGO_URL"], tz_aware=True, serverSelectionTimeoutMS=3000
        )
        self._open.callback(client.close)
        return client.get_default_database()

    @cached_property
    def redis(self) -> redis.Redis:
        """The expiration service's database."""
        client: redis.Redis = redis.Redis.from_url(self._known["FOYER_EXPIRATION_REDIS_URL"])
        self._open.callback(client.close)
        return client

    @cached_property
    def console(self) -> Api:
        """The broker's management interface."""
        return Api(self._known["FOYER_RABBITMQ_API_URL"])

    def channel(self) -> BlockingChannel:
        """Open a connection of its own to the broker, as its administrator."""
        address = pika.URLParameters(self._known["FOYER_ADMIN_AMQP_URL"])
        address.blocked_connection_timeout = _BLOCKED_SEC
        connection = pika.BlockingConnection(address)
        self._open.callback(lambda: connection.is_open and connection.close())
        return connection.channel()

    def waiting(self, channel: BlockingChannel, queue: str) -> int:
        """Count what is ready in a queue, as of now; the console is seconds behind."""
        return int(channel.queue_declare(queue, passive=True).method.message_count)

    @property
    def is_stand_in(self) -> bool:
        """Whether Stripe is played by the stand-in, which has no other customers."""
        return self._known.get("STRIPE_API_BASE", _STRIPE).rstrip("/") != _STRIPE

    @cached_property
    def stripe(self) -> stripe.StripeClient:
        """Stripe, through its own SDK."""
        return stripe.StripeClient(
            self._known["STRIPE_API_KEY"],
            base_addresses={"api": self._known.get("STRIPE_API_BASE", _STRIPE)},
            http_client=stripe.RequestsClient(timeout=20),
            max_network_retries=2,
        )


@contextmanager
def at_hand() -> Iterator[Stores]:
    """Open the stores of the system that this port base names, for a command.

    Raises:
        SystemExit: there is no such system, it is down, or its broker takes nothing; in a sentence.
    """
    layout = Layout.from_environment()
    known = settings()
    if "FOYER_ADMIN_DATABASE_URL" not in known:
        sys.exit(f"foyer: no system was ever started on {layout.base}; start it with `make up`")
    try:
        with Stores(known) as stores:
            yield stores
    except (pika.exceptions.ConnectionBlockedTimeout, NotConfirmed) as error:
        sys.exit(f"foyer: the broker takes nothing: a memory or disk alarm? ({error})")
    except (
        OSError,
        psycopg.OperationalError,
        pika.exceptions.AMQPConnectionError,
        pymongo.errors.ConnectionFailure,
        redis.ConnectionError,
        stripe.APIConnectionError,
    ) as error:
        told = str(error).splitlines() or [repr(error)]
        sys.exit(f"foyer: a store of {layout.base} cannot be reached; is it up? {told[0]}")
