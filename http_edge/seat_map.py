"""One plan's map of seats, as a process has it: a letter for each seat. Pure.

A letter: A available, H held, R reserved, S sold, B blocked.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property

import orjson

Change = tuple[str, int | None, str | int]
"""Section, index and letter; for an area without numbered seats None and what is left of it."""


class SeatMap:
    """The map at one revision; every change makes another one of it.

    Another version of the plan is never told as a change: all is read anew.
    """

    def __init__(
        self, revision: int, version: int, seated: Mapping[str, bytes], areas: Mapping[str, int]
    ) -> None:
        """Take the plan's version, the letters of each section, and what is left of each area."""
        self.revision = revision
        self._version = version
        self._seated = seated
        self._areas = areas

    def changed(self, revision: int, changes: Iterable[Change]) -> "SeatMap":
        """Return the map as it is after these changes."""
        seated: dict[str, bytes | bytearray] = dict(self._seated)
        areas = dict(self._areas)
        for section, index, state in changes:
            if index is None:
                areas[section] = int(state)
                continue
            letters = seated[section]
            if not isinstance(letters, bytearray):
                letters = seated[section] = bytearray(letters)
            letters[index] = ord(str(state))
        frozen = {name: bytes(told) for name, told in seated.items()}
        return SeatMap(revision, self._version, frozen, areas)

    @cached_property
    def body(self) -> bytes:
        """The map as JSON."""
        sections: dict[str, object] = {
            name: letters.decode() for name, letters in self._seated.items()
        }
        sections |= {name: {"available": max(left, 0)} for name, left in self._areas.items()}
        return orjson.dumps(
            {"revision": self.revision, "version": self._version, "sections": sections}
        )


def merged(changes: Iterable[Change]) -> list[Change]:
    """Return the last change of each seat and area."""
    last = {(section, index): state for section, index, state in changes}
    return [(section, index, state) for (section, index), state in last.items()]
