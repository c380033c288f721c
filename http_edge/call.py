"""What the table of calls says of one call."""

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from marshmallow import Schema

from http_edge.json_body import BODY_BYTES
from schemas.message import Message


class Access(Enum):
    """Who may call."""

    ANYONE = "anyone; a token is not looked at"
    BETTER_WITH_TOKEN = "anyone; a token shows more"  # noqa: S105  # A description.
    USER = "a signed-in user"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One method at one path."""

    method: str
    path: str
    summary: str
    tag: str
    access: Access
    body: Schema | None = None
    body_bytes: int = BODY_BYTES
    """The longest body."""
    query: Schema | None = None
    command: type[Message] | None = None
    """For a write: what it asks for; it is answered with the operation."""
    key_required: bool = False
    answer: type[Schema] | None = None
    """For a read: the shape of its answer."""
    media_type: str = "application/json"
    has_etag: bool = False
    """For a read: who has it already is answered 304."""
    may_be_forbidden: bool = False
    stream: tuple[str, ...] = ()
    """The events that it tells as they happen (text/event-stream): always, or, beside an answer,
    to who asks for a stream."""
    own_body: bool = False
    """The resource reads the body itself."""

    @property
    def tries_secrets(self) -> bool:
        """Whether a password or a token can be guessed with it: it is rationed more strictly."""
        takes_password = self.body is not None and any("password" in n for n in self.body.fields)
        return self.command is not None and (takes_password or self.access is Access.ANYONE)

    @cached_property
    def template(self) -> str:
        """The path as the router takes it: an id that is not one leads nowhere."""
        return self.path.replace("}", ":id}")
