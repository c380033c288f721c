"""The kinds of values that clients send: strict, so that a wrong type is never guessed right.

marshmallow's own fields are lenient where JSON is not ("5" is an integer to them, a bare hex
string a UUID); these are not.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import orjson
from marshmallow import ValidationError, fields, validate

from http_edge.pointers import MOST
from schemas.money import MAX_AMOUNT, chargeable, decimals
from schemas.places import COUNTRIES, LOCALE, is_timezone

_Item = TypeVar("_Item")
_UUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_TIME = re.compile(
    r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII
)
_DIGITS = re.compile(r"^[0-9]{1,9}\Z")
_AMOUNT = re.compile(r"^(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?\Z")
_LONGEST_TITLE = 200
_FREE_FORM_BYTES = 16 * 1024
_FREE_FORM_DEPTH = 8
_LARGEST_NUMBER = 1_000_000


def parse_id(text: str) -> UUID | None:
    """Return the UUID that `text` is in its canonical form, if it is one."""
    return UUID(text) if _UUID.match(text) else None


def parse_time(text: str) -> datetime | None:
    """Return the RFC 3339 time that `text` is, in UTC, if it is one."""
    if not _TIME.match(text):
        return None
    try:
        # Python knows microseconds; what is finer is cut off.
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class Id(fields.Field[UUID]):
    """A UUID in its canonical form."""

    def _deserialize(self, value: object, *_: object, **__: object) -> UUID:
        found = parse_id(value) if isinstance(value, str) else None
        if found is None:
            msg = "Not a UUID."
            raise ValidationError(msg)
        return found


class Time(fields.Field[datetime]):
    """An RFC 3339 time with an offset, as a string."""

    def _deserialize(self, value: object, *_: object, **__: object) -> datetime:
        found = parse_time(value) if isinstance(value, str) else None
        if found is None:
            msg = "Not a time as in RFC 3339, such as 2026-11-22T20:00:00Z."
            raise ValidationError(msg)
        return found


class Whole(fields.Field[int]):
    """A whole number within bounds; not a string, not a float, not a boolean."""

    def __init__(self, least: int, most: int, **how: Any) -> None:  # noqa: ANN401  # A field's own.
        """Accept `least` to `most`."""
        self.least, self.most = least, most
        how.setdefault("metadata", {"minimum": least, "maximum": most})
        super().__init__(**how)

    def _deserialize(self, value: object, *_: object, **__: object) -> int:
        if type(value) is not int or not self.least <= value <= self.most:
            msg = f"Not a whole number from {self.least} to {self.most}."
            raise ValidationError(msg)
        return value


class QueryTime(Time):
    """A time in an address, where an unescaped + has become a space."""

    def _deserialize(self, value: object, *_: object, **__: object) -> datetime:
        return super()._deserialize(value.replace(" ", "+") if isinstance(value, str) else value)


class QueryWhole(Whole):
    """A whole number in an address, in plain digits."""

    def _deserialize(self, value: object, *_: object, **__: object) -> int:
        digits = isinstance(value, str) and _DIGITS.match(value)
        return super()._deserialize(int(str(value)) if digits else None)


class Amount(fields.Field[Decimal]):
    """Money: a decimal string, zero or more, without exponent or sign.

    How many decimals it may have depends on a currency beside it: see `with_exact_price`.
    """

    def _deserialize(self, value: object, *_: object, **__: object) -> Decimal:
        if not isinstance(value, str) or not _AMOUNT.match(value):
            msg = 'Not an amount as a decimal string, such as "25.00".'
            raise ValidationError(msg)
        amount = Decimal(value)
        if amount > MAX_AMOUNT:
            msg = f"More than {MAX_AMOUNT}."
            raise ValidationError(msg)
        return amount


class Currency(fields.Field[str]):
    """An ISO 4217 code."""

    def _deserialize(self, value: object, *_: object, **__: object) -> str:
        try:
            decimals(value if isinstance(value, str) else "")
        except ValueError:
            msg = "Not a currency of ISO 4217, such as EUR."
            raise ValidationError(msg) from None
        return str(value)


class Text(fields.String):
    """A short text that says something."""

    def __init__(self, most: int = _LONGEST_TITLE, **how: Any) -> None:  # noqa: ANN401  # A field's own.
        """Accept 1 to `most` characters, not all of them spaces."""
        super().__init__(validate=[_not_blank, validate.Length(min=1, max=most)], **how)


class Flag(fields.Field[bool]):
    """True or false; not a word for it, not a number."""

    def _deserialize(self, value: object, *_: object, **__: object) -> bool:
        if not isinstance(value, bool):
            msg = "Not true or false."
            raise ValidationError(msg)
        return value


class Number(fields.Field[float]):
    """Any number that is not too large to be drawn."""

    def _deserialize(self, value: object, *_: object, **__: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            msg = "Not a number."
            raise ValidationError(msg)
        if abs(value) > _LARGEST_NUMBER:
            msg = f"Not between -{_LARGEST_NUMBER} and {_LARGEST_NUMBER}."
            raise ValidationError(msg)
        return value


class Timezone(fields.String):
    """A time zone of IANA's."""

    def __init__(self, **how: Any) -> None:  # noqa: ANN401  # A field's own.
        """Accept those that this machine knows."""
        super().__init__(validate=_check_timezone, **how)


class Several(fields.List[_Item]):
    """A list within bounds.

    marshmallow's own reads every item before it counts them, and a body has room for a million
    that are nothing. This one counts first, and reads on only while there are faults to tell.
    """

    def __init__(
        self,
        of: fields.Field[_Item],
        *,
        least: int = 0,
        most: int,
        **how: Any,  # noqa: ANN401  # A field's own.
    ) -> None:
        """Accept `least` to `most` items."""
        self._check_length = validate.Length(min=least or None, max=most)
        super().__init__(of, validate=self._check_length, **how)

    def _deserialize(self, value: object, *_: object, **how: Any) -> list[_Item | None]:  # noqa: ANN401  # marshmallow's.
        if not isinstance(value, list):
            raise self.make_error("invalid")
        self._check_length(value)
        read: list[_Item | None] = []
        faults: dict[int, Any] = {}
        for index, each in enumerate(value):
            try:
                read.append(self.inner.deserialize(each, **how))
            except ValidationError as error:
                faults[index] = error.messages
                if len(faults) == MOST:
                    break
        if faults:
            raise ValidationError(faults)
        return read


class FreeForm(fields.Dict):
    """An object of the client's own making, within what every store can hold."""

    def __init__(
        self,
        *,
        most_bytes: int = _FREE_FORM_BYTES,
        depth: int = _FREE_FORM_DEPTH,
        **how: Any,  # noqa: ANN401  # A field's own.
    ) -> None:
        """Accept any names and values, so many bytes of JSON and so many levels at most."""
        check = partial(_check_free_form, most_bytes=most_bytes, depth=depth)
        super().__init__(keys=fields.String(), validate=check, **how)


def one_of(*values: str) -> Callable[..., fields.Field[str]]:
    """Return a maker of fields that accept one of these words."""

    def make(**how: Any) -> fields.Field[str]:  # noqa: ANN401  # A field's own.
        return fields.String(validate=validate.OneOf(values), **how)

    return make


Country = one_of(*sorted(COUNTRIES))


def locale(**how: Any) -> fields.Field[str]:  # noqa: ANN401  # A field's own.
    """Make a field that accepts a language tag."""
    check = validate.Regexp(f"^{LOCALE}$", error="Not a language tag of BCP 47, such as de-AT.")
    return fields.String(validate=check, **how)


def with_exact_price(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data, its price with exactly its currency's decimals where both are told.

    Raises:
        ValidationError: it has more of them, or is too fine for cards.
    """
    price, currency = data.get("price"), data.get("currency")
    if price is not None and currency is not None:
        most = decimals(currency)
        if -price.as_tuple().exponent > most:
            msg = f"{currency} has at most {most} decimals."
            raise ValidationError({"price": [msg]})
        try:
            data["price"] = chargeable(price, currency)
        except ValueError as error:
            raise ValidationError({"price": [str(error)]}) from None
    return data


def _check_timezone(text: str) -> None:
    if not is_timezone(text):
        msg = "Not a time zone of IANA's, such as Europe/Vienna."
        raise ValidationError(msg)


def _not_blank(text: str) -> None:
    if not text.strip():
        msg = "Says nothing."
        raise ValidationError(msg)


def _check_free_form(value: dict[str, Any], most_bytes: int, depth: int) -> None:
    # The events that carry it, with everything else in them, must fit in a message.
    if len(orjson.dumps(value)) > most_bytes:
        msg = f"Longer than {most_bytes} bytes as JSON."
        raise ValidationError(msg)
    for problem in _free_form_problems(value, depth):
        raise ValidationError(problem)


def _free_form_problems(value: object, most: int, depth: int = 0) -> Iterator[str]:
    if depth > most:
        yield f"Nested more than {most} levels deep."
    elif isinstance(value, dict):
        for name, each in value.items():
            # Names that a document store gives a meaning of its own.
            if not name or name.startswith("$") or "." in name:
                yield "A name is empty, begins with $ or has a dot."
            yield from _free_form_problems(each, most, depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _free_form_problems(each, most, depth + 1)
