"""The auth service on its real store, driven batch by batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from bus.envelope import Outgoing, decode, encode, envelope_of
from bus.runner import Done, Incoming, Runner
from bus.sealing import Opener, Sealer
from ops.local.stack import Stack
from schemas.auth import KeysPublished, OpenSession, RegisterUser, SessionOpened
from schemas.message import Message
from workers.auth import seals
from workers.auth.handlers import auth

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Opened:
    """A session, as whoever signed in knows it."""

    email: str
    user_id: UUID
    session_id: UUID
    refresh_token: str


class Accounts:
    """What an auth process does with a batch, and what it says."""

    def __init__(self, settings: dict[str, str]) -> None:
        """Hold the edge's two keys, and a reader of our own."""
        self.seal = Sealer(settings["FOYER_AUTH_SEAL_PUBLIC_KEY"]).seal
        self.unseal = Opener(settings["FOYER_EDGE_SEAL_KEY"]).open
        self.said: list[Outgoing] = []
        self.runner = Runner(auth, self.said.extend)
        self.db = psycopg.connect(
            settings["FOYER_AUTH_DATABASE_URL"], autocommit=True, row_factory=dict_row
        )

    def ask(
        self,
        *commands: Message,
        operation_id: UUID | None = None,
        user_id: UUID | None = None,
    ) -> list[Message]:
        """Handle these in one transaction; return what was said."""
        self.said.clear()
        envelopes = [
            envelope_of(each, source="/edge", operation_id=operation_id, user_id=user_id)
            for each in commands
        ]
        batch = [Incoming(encode(each)) for each in envelopes]
        assert self.runner.run(batch) == [Done()] * len(batch)
        return [decode(each.body).data for each in self.said]

    def told(self, command: Message, *, user_id: UUID | None = None) -> Message:
        """Handle one message; return its one answer."""
        said = self.ask(command, user_id=user_id)
        first_key = len(said) > 1 and isinstance(said[0], KeysPublished)
        (answer,) = said[1:] if first_key else said
        return answer

    def arrive(self) -> Opened:
        """Register somebody new and sign them in."""
        email = self.address()
        self.told(RegisterUser(email=email, password=self.seal(PASSWORD)))
        return self.sign_in(email)

    def sign_in(self, email: str, password: str = PASSWORD) -> Opened:
        """Open a session."""
        said = self.told(OpenSession(email=email, password=self.seal(password)))
        assert isinstance(said, SessionOpened)
        token = self.unseal(said.refresh_token)
        return Opened(email, said.user_id, said.session_id, token)

    def confirm(self) -> None:
        """Be the broker: everything that was said is out."""
        self.db.execute("UPDATE outbox SET published_at = now() WHERE published_at IS NULL")

    def address(self) -> str:
        """Make up an address that nobody has."""
        return f"{uuid4().hex}@example.org"


@pytest.fixture(scope="session")
def accounts(stack: Stack) -> Iterator[Accounts]:
    """The auth service, its store open."""
    settings = stack.environment()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FOYER_DATABASE_URL", settings["FOYER_AUTH_DATABASE_URL"])
        environment.setenv("FOYER_SEAL_KEY", settings["FOYER_AUTH_SEAL_KEY"])
        environment.setenv("FOYER_EDGE_SEAL_PUBLIC_KEY", settings["FOYER_EDGE_SEAL_PUBLIC_KEY"])
        seals.ours.cache_clear()
        seals.edge.cache_clear()
        auth.store.open("auth")
        opened = Accounts(settings)
        yield opened
        opened.db.close()
        auth.store.close()
