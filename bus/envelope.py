"""The wire format: CloudEvents 1.0, structured JSON.

An envelope is what the bus knows of a message: who said it, about what, because of what, for
which operation. `decode` checks everything; whatever it refuses is malformed and is never
handled. Extensions: operationid, causationid, userid, traceparent, sequence.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from marshmallow import ValidationError

from bus.ids import new_id
from schemas.message import Message, Unlisted, catalogue, schema_of

CONTENT_TYPE = "application/cloudevents+json"
COMMANDS, EVENTS = "foyer.commands", "foyer.events"


class Malformed(Exception):  # noqa: N818  # What the message is.
    """Not a message of ours: a bug or an attack, never handled and never retried."""


class UnknownType(Exception):  # noqa: N818  # What the message is of.
    """A well-formed message of a type, or with a list's value, that this version does not know."""


def trace_id(traceparent: object) -> str | None:
    """Return the trace that a `traceparent` (W3C Trace Context) belongs to."""
    return traceparent[3:35] if isinstance(traceparent, str) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """One message with its context."""

    id: UUID
    source: str
    data: Message
    time: datetime
    operation_id: UUID | None = None
    causation_id: UUID | None = None
    user_id: UUID | None = None
    traceparent: str | None = None

    @property
    def type(self) -> str:
        """The message's type name."""
        return self.data.TYPE


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """An encoded message on its way to an exchange."""

    id: UUID
    type: str
    exchange: str
    routing_key: str
    body: bytes
    subject: str = ""
    headers: dict[str, Any] = field(default_factory=dict)
    again: bool = False
    """Whether it was said before: the outbox may have it still."""


def envelope_of(  # noqa: PLR0913  # The context is as wide as it is.
    message: Message,
    *,
    source: str,
    operation_id: UUID | None = None,
    user_id: UUID | None = None,
    causation_id: UUID | None = None,
    traceparent: str | None = None,
    message_id: UUID | None = None,
) -> Envelope:
    """Wrap a message that is said now."""
    return Envelope(
        id=message_id or new_id(),
        source=source,
        data=message,
        time=datetime.now(UTC),
        operation_id=operation_id,
        causation_id=causation_id,
        user_id=user_id,
        traceparent=traceparent,
    )


def encode(envelope: Envelope) -> bytes:
    """Write an envelope as CloudEvents JSON.

    Raises:
        Malformed: it is longer than its type may be.
    """
    message = envelope.data
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": envelope.id,
        "source": envelope.source,
        "type": message.TYPE,
        "subject": message.subject,
        "time": envelope.time,
        "datacontenttype": "application/json",
        "dataschema": f"urn:foyer:{message.TYPE}:1",
    }
    extensions = {
        "sequence": None if message.sequence is None else str(message.sequence),
        "operationid": envelope.operation_id,
        "causationid": envelope.causation_id,
        "userid": envelope.user_id,
        "traceparent": envelope.traceparent,
    }
    document |= {name: value for name, value in extensions.items() if value is not None}
    document["data"] = message
    body = orjson.dumps(document, default=str, option=orjson.OPT_UTC_Z)
    if len(body) > message.MAX_BYTES:
        msg = f"{message.TYPE} is {len(body)} bytes long; it may have {message.MAX_BYTES}."
        raise Malformed(msg)
    return body


def as_json(envelope: Envelope) -> dict[str, Any]:
    """Return the CloudEvent as plain JSON values, for a store that keeps it."""
    document: dict[str, Any] = orjson.loads(encode(envelope))
    return document


def outgoing(envelope: Envelope) -> Outgoing:
    """Encode an envelope and say where it goes."""
    return Outgoing(
        id=envelope.id,
        type=envelope.type,
        exchange=COMMANDS if envelope.data.KIND == "command" else EVENTS,
        routing_key=envelope.type,
        body=encode(envelope),
        subject=envelope.data.subject,
    )


def restored(message_id: UUID, message_type: str, body: bytes) -> Outgoing:
    """Rebuild an outgoing message from its outbox row."""
    declared = catalogue()[message_type]
    return Outgoing(
        id=message_id,
        type=message_type,
        exchange=COMMANDS if declared.KIND == "command" else EVENTS,
        routing_key=message_type,
        body=body,
    )


def decode(body: bytes) -> Envelope:
    """Read and check an envelope.

    Raises:
        Malformed: not CloudEvents JSON, or its data does not fit its type.
        UnknownType: well-formed, of a type that the catalogue does not have, or with values that
            closed lists of its type do not have.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        msg = f"Not JSON: {error}"
        raise Malformed(msg) from None
    if not isinstance(document, dict) or document.get("specversion") != "1.0":
        msg = "Not a CloudEvent of version 1.0."
        raise Malformed(msg)
    declared = catalogue().get(str(document.get("type")))
    if declared is None:
        msg = f"No message has the type {str(document.get('type'))[:100]!r}."
        raise UnknownType(msg)
    if len(body) > declared.MAX_BYTES:
        msg = f"{declared.TYPE} is {len(body)} bytes long; it may have {declared.MAX_BYTES}."
        raise Malformed(msg)
    try:
        return Envelope(
            id=UUID(document["id"]),
            source=str(document["source"]),
            time=_time(document["time"]),
            data=_data(declared, document),
            operation_id=_optional_id(document, "operationid"),
            causation_id=_optional_id(document, "causationid"),
            user_id=_optional_id(document, "userid"),
            traceparent=document.get("traceparent"),
        )
    except ValidationError as error:
        msg = f"{declared.TYPE} does not fit its schema: {error.messages}"
        raise (UnknownType if _only_unlisted(error.messages) else Malformed)(msg) from None
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        msg = f"A CloudEvents attribute is missing or wrong: {error!r}"
        raise Malformed(msg) from None


def _only_unlisted(faults: object) -> bool:
    """Whether all that is wrong, at any depth, are values that a closed list lacks."""
    if isinstance(faults, dict):
        return all(map(_only_unlisted, faults.values()))
    if isinstance(faults, list):
        return all(map(_only_unlisted, faults))
    return isinstance(faults, Unlisted)


def _time(text: str) -> datetime:
    said_at = datetime.fromisoformat(text)
    if said_at.tzinfo is None:
        msg = f"{text} has no offset from UTC"
        raise ValueError(msg)
    return said_at


def _data(declared: type[Message], document: dict[str, Any]) -> Message:
    data: Any = document.get("data")  # Whatever it is, the schema judges it.
    message: Message = schema_of(declared).load(data)
    return message


def _optional_id(document: dict[str, Any], name: str) -> UUID | None:
    value = document.get(name)
    return None if value is None else UUID(value)
