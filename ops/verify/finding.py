"""What a check compared, and what it found broken."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ops.stores import Stores

Compared = Mapping[str, Any]


@dataclass(frozen=True)
class Broken:
    """One thing that is not as it must be."""

    line: str
    id: str
    why: str


@dataclass
class Finding:
    """What the check of one line has seen so far."""

    line: str
    title: str
    compared: Counter[str] = field(default_factory=Counter)
    """What was looked at, by its name, and how often."""
    broken: list[Broken] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What an operator may want to know although nothing is broken."""

    def check(self, ok: object, what: object, why: str) -> None:
        """Note something as broken unless it is as it must be."""
        if not ok:
            self.fail(what, why)

    def fail(self, what: object, why: str) -> None:
        """Note something as broken."""
        self.broken.append(Broken(self.line, str(what), why))


@dataclass(frozen=True)
class Line:
    """A line that must never break, as `data-model` numbers it, and how it is checked."""

    number: str
    title: str
    check: Callable[[Stores, Finding], None]

    def look(self, stores: Stores) -> Finding:
        """Check it now."""
        finding = Finding(self.number, self.title)
        self.check(stores, finding)
        return finding


def paired(
    left: Iterator[Compared], right: Iterator[Compared], key: str
) -> Iterator[tuple[Any, Compared | None, Compared | None]]:
    """Join two streams that are sorted by a key, without holding either in memory."""
    ours, theirs = next(left, None), next(right, None)
    while ours is not None or theirs is not None:
        if theirs is None or (ours is not None and ours[key] < theirs[key]):
            assert ours is not None  # noqa: S101  # One of the two is there.
            yield ours[key], ours, None
            ours = next(left, None)
        elif ours is None or theirs[key] < ours[key]:
            yield theirs[key], None, theirs
            theirs = next(right, None)
        else:
            yield ours[key], ours, theirs
            ours, theirs = next(left, None), next(right, None)


def differences(ours: Compared, theirs: Compared) -> str:
    """Say in which fields two copies differ: `status CONFIRMED here, CANCELLED there`."""
    return ", ".join(
        f"{name} {ours[name]!s} there, {theirs[name]!s} here"
        for name in ours
        if _plain(ours[name]) != _plain(theirs[name])
    )


def _plain(value: object) -> object:
    """Amounts are the same whether they are written with decimals or not."""
    return value.normalize() if isinstance(value, Decimal) else value
