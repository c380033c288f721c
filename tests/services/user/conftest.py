"""The user service on its real store, driven batch by batch."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from bus.stores.postgres import Connection
from ops.local.stack import Stack
from tests.driven import Driven, opened
from workers.user.handlers import user


@pytest.fixture(scope="session")
def users(stack: Stack) -> Iterator[Driven[Connection]]:
    """The user service, its store open."""
    with opened(user, stack.environment()) as service:
        yield Driven(service)


@pytest.fixture(scope="session")
def user_db(stack: Stack) -> Iterator[psycopg.Connection[DictRow]]:
    """A reader of our own."""
    address = stack.environment()["FOYER_USER_DATABASE_URL"]
    with psycopg.connect(address, autocommit=True, row_factory=dict_row) as connection:
        yield connection
