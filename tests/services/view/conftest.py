"""The view service on its real store, driven batch by batch."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from bus.envelope import Envelope, Outgoing, as_json, encode, envelope_of
from bus.runner import Done, Incoming, Runner
from ops.local.stack import Stack
from schemas.message import Message
from workers.view.handlers import view


class Views:
    """What a view process does with a batch, and what stands in its store afterwards."""

    def __init__(self, address: str) -> None:
        """Connect a reader of our own."""
        self.said: list[Outgoing] = []
        self.runner = Runner(view, self.said.extend)
        self.db = psycopg.connect(address, autocommit=True, row_factory=dict_row)

    def hear(self, *batch: Envelope) -> None:
        """Handle these in one transaction."""
        verdicts = self.runner.run([Incoming(encode(each)) for each in batch])
        assert verdicts == [Done()] * len(batch)

    def ask(
        self,
        command: Message,
        operation_id: UUID,
        age_sec: float = 0,
        user_id: UUID | None = None,
    ) -> Envelope:
        """Write an operation as the edge does; return its command."""
        asked = envelope_of(command, source="/edge", operation_id=operation_id)
        self.db.execute(
            "INSERT INTO operations (id, user_id, type, route, command, submitted_at)"
            " VALUES (%s, %s, %s, 'POST /test', %s, now() - make_interval(secs => %s))",
            (operation_id, user_id, command.TYPE, Jsonb(as_json(asked)), age_sec),
        )
        return asked

    def operation(self, operation_id: UUID) -> dict[str, Any]:
        """Return an operation's row."""
        (row,) = self.rows("operations", id=operation_id)
        return row

    def rows(self, table: str, **where: UUID | str) -> Sequence[dict[str, Any]]:
        """Return a table's rows with this value."""
        ((column, value),) = where.items()
        statement = f'SELECT * FROM {table} WHERE "{column}" = %s ORDER BY 1, 2'  # noqa: S608  # Ours.
        return self.db.execute(statement.encode(), (value,)).fetchall()


@pytest.fixture(scope="session")
def views(stack: Stack) -> Iterator[Views]:
    """The view service, its store open."""
    address = stack.environment()["FOYER_VIEW_DATABASE_URL"]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FOYER_DATABASE_URL", address)
        view.store.open("view")
        opened = Views(address)
        yield opened
        opened.db.close()
        view.store.close()
