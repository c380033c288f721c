"""Lists of parts: a seating plan has tens of thousands of seats.

Checking each of them field by field with marshmallow would keep a process for most of a second, and
everybody else's messages waiting. What is just as it should be takes a short way; as soon as
anything is not, the whole list goes the long way, which knows what to say about it.
"""

import types
from collections.abc import Callable
from contextlib import suppress
from dataclasses import MISSING, Field
from dataclasses import fields as dataclass_fields
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from marshmallow import ValidationError, fields

Step = Callable[[Any], object]


class Many(fields.List[Any]):
    """A list of parts of one kind."""

    def __init__(self, inner: fields.Nested, part: type[Any], **how: Any) -> None:  # noqa: ANN401  # A field's own.
        """Take what one of them is checked with, the long way, and their class."""
        super().__init__(inner, **how)
        self._read = _part(part, inner.deserialize)

    def _deserialize(self, value: object, *how: Any, **more: Any) -> list[Any]:  # noqa: ANN401  # The long way's.
        if isinstance(value, list):
            with suppress(TypeError, ValueError, KeyError, InvalidOperation, ValidationError):
                return [self._read(each) for each in value]
        return super()._deserialize(value, *how, **more)


def _part(part: type[Any], otherwise: Step) -> Step:
    """Return what reads one part; `otherwise` where some of it has no short way."""
    hints = get_type_hints(part, include_extras=True)
    known = []
    for field in dataclass_fields(part):
        step = _step(hints[field.name])
        if step is None:
            return otherwise
        known.append((field.name, step, _default(field)))

    def read(told: Any) -> object:  # noqa: ANN401  # JSON.
        values = {}
        for name, step, default in known:
            if name in told:
                values[name] = step(told[name])
            else:
                values[name] = default()
        return part(**values)

    return read


def _default(field: "Field[Any]") -> Callable[[], object]:
    def missing() -> object:
        raise KeyError(field.name)

    if field.default is not MISSING:
        return lambda: field.default
    return missing if field.default_factory is MISSING else field.default_factory


def _step(hint: Any) -> Step | None:  # noqa: ANN401  # An annotation.
    """Return what reads a value, and raises for all that is not plainly right."""
    if get_origin(hint) in (Union, types.UnionType):
        (plain,) = [each for each in get_args(hint) if each is not type(None)]
        return _maybe(_step(plain), lambda step, value: None if value is None else step(value))
    if get_origin(hint) is Annotated:
        plain, *rules = get_args(hint)
        return _maybe(_step(plain), lambda step, value: _checked(step(value), rules))
    return _STEPS.get(get_origin(hint) or hint)


def _maybe(step: Step | None, around: Callable[[Step, object], object]) -> Step | None:
    """Put something around a step, if there is one."""
    return None if step is None else partial(around, step)


def _checked(value: object, rules: list[Callable[[object], object]]) -> object:
    for rule in rules:
        rule(value)
    return value


def _exactly(kind: type[Any]) -> Step:
    def step(value: object) -> object:
        if type(value) is not kind:
            raise TypeError
        return value

    return step


def _uuid(value: object) -> UUID:
    if type(value) is not str:
        raise TypeError
    return UUID(value)


def _decimal(value: object) -> Decimal:
    if type(value) is not str:
        raise TypeError
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError
    return number


_STEPS: dict[Any, Step] = {
    str: _exactly(str),
    int: _exactly(int),
    bool: _exactly(bool),
    dict: _exactly(dict),
    UUID: _uuid,
    Decimal: _decimal,
}
