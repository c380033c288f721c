"""Stripe's form encoding (`metadata[order]=1`, `expand[0]=latest_charge`) and typed reads of it."""

from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from ops.stripe_stand_in.errors import invalid

Value: TypeAlias = "str | dict[str, Value]"

MAX_FIELDS = 1000
MAX_DEPTH = 8


def decode(encoded: str) -> "Form":
    """Read a query string or body; StripeError 400 when it cannot be read."""
    fields: dict[str, Value] = {}
    try:
        pairs = parse_qsl(
            encoded, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError:
        invalid("Invalid request: the form could not be decoded.")
    for name, text in pairs:
        if "[" in name:
            _nest(fields, name, text)
        elif isinstance(fields.get(name), dict):
            invalid(f"Invalid object: {name}", name)
        else:
            fields[name] = text
    return Form(fields)


def _nest(fields: dict[str, Value], name: str, text: str) -> None:
    head, _, rest = name.partition("[")
    if not name.endswith("]") or not head:
        invalid(f"Invalid parameter name: {name}", name)
    path = [head, *rest[:-1].split("][")]
    if len(path) > MAX_DEPTH:
        invalid(f"Invalid object: {head} is nested too deeply", head)
    at = fields
    for step in path[:-1]:
        below = at.setdefault(step, {})
        if not isinstance(below, dict):
            invalid(f"Invalid object: {head}", head)
        at = below
    leaf = path[-1] or str(len(at))  # "expand[]" appends.
    if isinstance(at.get(leaf), dict):
        invalid(f"Invalid object: {head}", head)
    at[leaf] = text


class Form:
    """The parameters of one call."""

    __slots__ = ("fields",)

    def __init__(self, fields: dict[str, Value]) -> None:
        """Keep `fields` as decoded: text, or a dict for whatever had brackets."""
        self.fields = fields

    def __contains__(self, name: str) -> bool:
        """Tell whether the caller sent `name` at all."""
        return name in self.fields

    def only(self, allowed: frozenset[str]) -> None:
        """Refuse what Stripe would not know either."""
        for name in self.fields:
            if name not in allowed:
                invalid(f"Received unknown parameter: {name}", name, "parameter_unknown")

    def text(self, name: str, *, longest: int = 5000) -> str | None:
        """Read a string; None when it is missing or empty (Stripe's way to unset)."""
        value = self.fields.get(name)
        if isinstance(value, dict):
            invalid(f"Invalid string: {name} must be a string", name)
        if value and len(value) > longest:
            invalid(f"Invalid string: {name} must be at most {longest} characters", name)
        return value or None

    def required(self, name: str) -> str:
        """Read a string that must be there."""
        if name not in self.fields:
            invalid(f"Missing required param: {name}.", name, "parameter_missing")
        value = self.text(name)
        if value is None:
            invalid(
                f"You passed an empty string for '{name}'. We assume empty values are an attempt to"
                " unset a parameter.",
                name,
                "parameter_invalid_empty",
            )
        return value

    def integer(self, name: str) -> int | None:
        """Read an integer; amounts are in the currency's minor unit."""
        value = self.text(name)
        return None if value is None else whole(value, name)

    def flag(self, name: str) -> bool | None:
        """Read a boolean, `true` or `false`."""
        value = self.text(name)
        if value not in (None, "true", "false"):
            invalid(f"Invalid boolean: {value}", name)
        return None if value is None else value == "true"

    def choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        """Read one of a few words."""
        value = self.text(name)
        if value is not None and value not in allowed:
            invalid(f"Invalid {name}: must be one of {', '.join(allowed)}", name)
        return value

    def below(self, name: str) -> "Form":
        """Read what stands under `name` in brackets."""
        value = self.fields.get(name, {})
        if value == "":
            return Form({})
        if not isinstance(value, dict):
            invalid("Invalid object", name)
        return Form(value)

    def words(self, name: str) -> list[str]:
        """Read an array of strings."""
        found = []
        for value in self.below(name).fields.values():
            if not isinstance(value, str):
                invalid(f"Invalid array: {name}", name)
            found.append(value)
        return found

    def plain(self, name: str) -> Any:  # noqa: ANN401 - handed back as it came, in JSON
        """Hand back a parameter that the stand-in keeps and does not read."""
        return self.fields.get(name) or None

    def canonical(self) -> str:
        """Spell the parameters so that equal ones compare equal, whatever their order."""
        return _spell(self.fields)


def whole(value: str, name: str) -> int:
    """Read an integer that fits 64 bits; StripeError 400 otherwise."""
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > len("9223372036854775807") - 1:
        invalid(f"Invalid integer: {value[:40]}", name, "parameter_invalid_integer")
    return int(value)


def _spell(value: Value) -> str:
    if isinstance(value, str):
        return f"{len(value)}:{value}"
    return "{" + ",".join(f"{name}={_spell(value[name])}" for name in sorted(value)) + "}"
