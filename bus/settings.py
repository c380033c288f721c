"""Settings: environment variables, read once, checked where they are read.

A setting that is missing or wrong stops the process with one sentence that names the variable,
before it touches anything.
"""

import os
import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

_T = TypeVar("_T")
_REQUIRED = object()


class SettingError(Exception):
    """A setting is missing or wrong; the message is one sentence for an operator."""


def read(
    name: str,
    default: object = _REQUIRED,
    convert: Callable[[str], _T] = str,  # type: ignore[assignment]  # str is the plain case
) -> _T:
    """Return the setting `name`, converted.

    Raises:
        SettingError: it is not set and has no default, or `convert` refuses it.
    """
    text = os.environ.get(name, "").strip()
    if not text:
        if default is _REQUIRED:
            msg = f"{name} is not set."
            raise SettingError(msg)
        return default  # type: ignore[return-value]  # The caller's own default.
    return checked(name, text, convert)


def checked(name: str, text: str, convert: Callable[[str], _T]) -> _T:
    """Return the setting `name`, which says `text`, converted.

    Raises:
        SettingError: `convert` refuses it.
    """
    try:
        return convert(text)
    except ValueError as error:
        msg = f"{name} is wrong: {error}"
        raise SettingError(msg) from None


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a converter for whole numbers between `least` and `most`."""

    def convert(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            msg = f"{text!r} is not a whole number between {least} and {most}."
            raise ValueError(msg)
        return int(text)

    return convert


def seconds(text: str) -> tuple[float, ...]:
    """Convert a comma-separated list of growing delays in seconds, such as `1,5,30,120`."""
    try:
        delays = tuple(float(each) for each in text.split(","))
    except ValueError:
        delays = ()
    if not delays or list(delays) != sorted(set(delays)) or delays[0] <= 0:
        msg = f"{text!r} is not a list of growing numbers of seconds."
        raise ValueError(msg)
    return delays


def url(*schemes: str) -> Callable[[str], str]:
    """Return a converter that accepts an address with one of these schemes."""

    def convert(text: str) -> str:
        if not text.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            msg = f"it must start with {' or '.join(f'{scheme}://' for scheme in schemes)}"
            raise ValueError(msg)
        return text

    return convert


def retry_delays() -> tuple[float, ...]:
    """Return how long a failed message waits before each further try, in seconds."""
    return read("FOYER_RETRY_DELAYS_SEC", (1.0, 5.0, 30.0, 120.0), seconds)


def give_up(error: SettingError) -> NoReturn:
    """End the process because of its settings: the sentence, and exit code 2."""
    sys.stderr.write(f"foyer: {error}\n")
    raise SystemExit(2)
