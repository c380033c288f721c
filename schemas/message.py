"""How a command or an event is declared.

A message is a frozen dataclass with a type name. `command` and `event` register it in the
catalogue and derive, from the annotations, the marshmallow schema that every consumer checks
with. There is no second list: queues, bindings and the AsyncAPI document are made from this one.

    @event("orders.order.created", subject="order_id", sequence="order_version")
    class OrderCreated(OrderState):
        '''The order is payable.'''
"""

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass
from dataclasses import fields as dataclass_fields
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Self,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

from marshmallow import EXCLUDE, Schema, fields, post_load, validate

from schemas.many import Many

MESSAGE_BYTES = 64 * 1024
"""The longest message, as encoded, unless its declaration says otherwise."""

Sealed = Annotated[
    str,
    validate.Regexp(r"^eyJ[\w-]+(\.[\w-]*){4}$", error="Not a compact JWE."),
    validate.Length(max=8192),
]
"""A secret, encrypted to the one process that must read it (compact JWE, RFC 7516)."""

Line = Annotated[str, validate.Length(min=1, max=200), validate.Regexp(r"^[^\x00-\x1f\x7f]*\Z")]
"""A short text without control characters."""

Currency = Annotated[str, validate.Regexp(r"^[A-Z]{3}\Z")]
"""An ISO 4217 code."""

_CATALOGUE: dict[str, "type[Message]"] = {}
_M = TypeVar("_M", bound="Message")


class Message:
    """The common face of commands and events."""

    __slots__ = ()

    TYPE: ClassVar[str]
    KIND: ClassVar[Literal["command", "event"]]
    SUBJECT: ClassVar[str]
    """The field that names the aggregate."""
    SEQUENCE: ClassVar[str | None]
    """The field that holds the aggregate's revision, where there is one."""
    MAX_BYTES: ClassVar[int]
    REFUSED_BY: ClassVar["type[Message] | None"]
    """For a command: the event that answers a refusal."""

    @classmethod
    def of(cls, source: object, **given: object) -> Self:
        """Say this of `source`: each field is read from it by name, unless `given`.

        Raises:
            AttributeError: `source` does not have a field that was not given.
        """
        values = {
            field.name: given[field.name] if field.name in given else getattr(source, field.name)
            for field in dataclass_fields(cls)  # type: ignore[arg-type]  # declared ones are
        }
        return cls(**values)

    def refused(self, code: str, detail: str, **more: object) -> "Message":
        """Build the event that answers this command with a refusal.

        Its other fields are taken from `more`, then from the command; what neither has is None.
        """
        answer = self.REFUSED_BY
        if answer is None:
            msg = f"{self.TYPE} cannot be refused ({code})"
            raise TypeError(msg)
        told = more | {"command": self.TYPE, "code": code, "detail": detail}
        names = (field.name for field in dataclass_fields(answer))  # type: ignore[arg-type]
        return answer.of(
            self, **{name: told.get(name, getattr(self, name, None)) for name in names}
        )

    @property
    def subject(self) -> str:
        """The id of the aggregate that this message is about."""
        return str(getattr(self, self.SUBJECT))

    @property
    def sequence(self) -> int | None:
        """The aggregate's revision, when this message states one."""
        return getattr(self, self.SEQUENCE) if self.SEQUENCE else None


@dataclass_transform(kw_only_default=True, frozen_default=True)
def command(
    type_name: str,
    *,
    subject: str,
    refused_by: type[Message] | None = None,
    max_bytes: int = MESSAGE_BYTES,
) -> Callable[[type[_M]], type[_M]]:
    """Declare a command: imperative, heard by exactly one service."""

    def declare(cls: type[_M]) -> type[_M]:
        return _register(cls, type_name, "command", subject, None, refused_by, max_bytes)

    return declare


@dataclass_transform(kw_only_default=True, frozen_default=True)
def event(
    type_name: str,
    *,
    subject: str,
    sequence: str | None = None,
    max_bytes: int = MESSAGE_BYTES,
) -> Callable[[type[_M]], type[_M]]:
    """Declare an event: past tense, heard by whoever binds to it."""

    def declare(cls: type[_M]) -> type[_M]:
        return _register(cls, type_name, "event", subject, sequence, None, max_bytes)

    return declare


@dataclass_transform(kw_only_default=True, frozen_default=True)
def part(cls: type[_M]) -> type[_M]:
    """Declare the shape of a part of messages, or of a state that several events carry."""
    return dataclass(frozen=True, kw_only=True)(cls)


def catalogue() -> Mapping[str, type[Message]]:
    """Return every declared message by its type, the services' files all imported."""
    from schemas import auth, bus, expiration, order, payment, ticket, user, venue, view  # noqa: F401, PLC0415  # They register.

    return types.MappingProxyType(_CATALOGUE)


def _register(  # noqa: PLR0913, PLR0917  # One place where all that is known of a declaration meets.
    cls: type[_M],
    type_name: str,
    kind: Literal["command", "event"],
    subject: str,
    sequence: str | None,
    refused_by: type[Message] | None,
    max_bytes: int,
) -> type[_M]:
    if type_name in _CATALOGUE:
        msg = f"{type_name} is declared twice"
        raise TypeError(msg)
    declared = part(cls)
    names = {field.name for field in dataclass_fields(declared)}  # type: ignore[arg-type]
    if missing := {subject, sequence or subject} - names:
        msg = f"{type_name} has no field {missing}"
        raise TypeError(msg)
    declared.TYPE, declared.KIND = type_name, kind
    declared.SUBJECT, declared.SEQUENCE = subject, sequence
    declared.REFUSED_BY, declared.MAX_BYTES = refused_by, max_bytes
    _CATALOGUE[type_name] = declared
    return declared


def schema_of(cls: type[Any]) -> Schema:
    """Return the marshmallow schema of a declared message or part.

    Loading gives an instance; fields that are not declared are ignored, so that an older
    consumer understands a newer producer.
    """
    return _schema(cls)  # type: ignore[arg-type]  # mypy takes no class for hashable.


@cache
def _schema(cls: type[Any]) -> Schema:
    hints = get_type_hints(cls, include_extras=True)
    shape = {field.name: _field(hints[field.name], field) for field in dataclass_fields(cls)}
    return _schema_class(cls, shape)(unknown=EXCLUDE)


def _schema_class(cls: type[Any], shape: Mapping[str, fields.Field[Any]]) -> type[Schema]:
    def build(_: Schema, data: dict[str, Any], **__: object) -> object:
        return cls(**data)

    return type(cls.__name__, (Schema,), {**shape, "build": post_load(build)})


class Unlisted(str):
    """What is said of a value that a closed list lacks: a newer version's list may have it."""

    __slots__ = ()


class _OneOf(validate.OneOf):
    def _format_error(self, value: object) -> str:
        return Unlisted(super()._format_error(value))


class _DecimalText(fields.Decimal):
    """A decimal from text alone: a JSON number may have been a binary fraction on its way."""

    def _deserialize(
        self, value: object, attr: str | None, data: Mapping[str, Any] | None, **how: object
    ) -> Decimal:
        if not isinstance(value, str):
            raise self.make_error("invalid", input=value)  # noqa: EM101  # The name of its message.
        return super()._deserialize(value, attr, data, **how)


_PLAIN: dict[type, Callable[..., fields.Field[Any]]] = {
    str: fields.String,
    UUID: fields.UUID,
    bool: lambda **how: fields.Boolean(truthy={True}, falsy={False}, **how),
    int: lambda **how: fields.Integer(strict=True, **how),
    Decimal: lambda **how: _DecimalText(allow_nan=False, as_string=True, **how),
    datetime: fields.AwareDateTime,
}


def _field(hint: object, declared: object = None) -> fields.Field[Any]:
    """Translate one annotation; `declared` is its dataclass field, which may hold a default."""
    how: dict[str, Any] = dict(_defaults(declared))
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(each for each in get_args(hint) if each is not type(None))
        how["allow_none"] = True
    if get_origin(hint) is Annotated:
        hint, *rules = get_args(hint)
        how["validate"] = rules
    origin = get_origin(hint)
    if origin is Literal:
        return fields.String(**{**how, "validate": _OneOf(get_args(hint))})
    if origin in (list, tuple):
        inner = _field(get_args(hint)[0])
        if isinstance(inner, fields.Nested):
            return Many(inner, get_args(hint)[0], **how)
        return fields.List(inner, **how)
    if origin is dict or hint is dict:
        return fields.Dict(keys=fields.String(), **how)
    if hint in _PLAIN:
        return _PLAIN[hint](**how)
    return fields.Nested(schema_of(hint), **how)  # type: ignore[arg-type]  # A declared part.


def _defaults(declared: object) -> Iterator[tuple[str, object]]:
    default = getattr(declared, "default", MISSING)
    factory = getattr(declared, "default_factory", MISSING)
    if default is not MISSING:
        yield "load_default", default
    elif factory is not MISSING:
        yield "load_default", factory
    else:
        yield "required", True
