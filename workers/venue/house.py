"""A venue and the sections that are kept in it for the next event, with their rules."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from bus.service import Refusal
from schemas.ticket import SectionType
from schemas.venue import (
    AddSection,
    CreateVenue,
    EditSection,
    EditVenue,
    VenueSection,
    VenueState,
)

MOST_SEATS = 50_000
MOST_PLACES = 100_000
"""Of a plan, those that are missing in it included."""
MOST_SECTIONS = 500
MOST_POSITION_BYTES = 4 * 1024
LEAST_TTL_SEC, MOST_TTL_SEC = 5, 3600
_LONGEST_ADDRESS = 1000
_MOST_PEOPLE = 1_000_000
_EDITED = ("name", "capacity", "timezone", "address")
_EDITED_OF_SECTION = (
    "name",
    "type",
    "row_count",
    "column_count",
    "position_json",
    "display_order",
)


@dataclass(frozen=True, kw_only=True)
class House(VenueState):
    """A venue as its service keeps it."""

    @classmethod
    def create(
        cls, command: CreateVenue, *, venue_id: UUID, organizer_id: UUID, now: datetime
    ) -> "House":
        """Make a venue of what an organizer says.

        Raises:
            Refusal: invalid_request.
        """
        return cls(
            venue_id=venue_id,
            organizer_id=organizer_id,
            name=command.name,
            capacity=command.capacity,
            timezone=command.timezone,
            address=command.address,
            sections=[],
            revision=1,
            created_at=now,
            updated_at=now,
        ).checked()

    def owned_by(self, user_id: UUID | None) -> "House":
        """Let its organizer pass.

        Raises:
            Refusal: forbidden.
        """
        if user_id != self.organizer_id:
            raise Refusal("forbidden", "The venue belongs to another organizer.")
        return self

    def edit(self, command: EditVenue, now: datetime) -> "House":
        """Change what is given.

        Raises:
            Refusal: invalid_request.
        """
        return replace(self, **_given(command, _EDITED)).moved(now).checked()

    def add(self, command: AddSection, *, section_id: UUID, now: datetime) -> "House":
        """Add a section.

        Raises:
            Refusal: invalid_request.
        """
        return self._with([*self.sections, VenueSection.of(command, section_id=section_id)], now)

    def change(self, command: EditSection, now: datetime) -> "House":
        """Change what is given of a section.

        Raises:
            Refusal: not_found or invalid_request.
        """
        self.section(command.section_id)
        given = _given(command, _EDITED_OF_SECTION)
        return self._with(
            [
                replace(each, **given) if each.section_id == command.section_id else each
                for each in self.sections
            ],
            now,
        )

    def remove(self, section_id: UUID, now: datetime) -> "House":
        """Take a section away.

        Raises:
            Refusal: not_found.
        """
        self.section(section_id)
        return self._with([each for each in self.sections if each.section_id != section_id], now)

    def section(self, section_id: UUID) -> VenueSection:
        """Return one of its sections.

        Raises:
            Refusal: not_found.
        """
        for each in self.sections:
            if each.section_id == section_id:
                return each
        raise Refusal("not_found", f"The venue has no section {section_id}.")

    def _with(self, sections: list[VenueSection], now: datetime) -> "House":
        if len(sections) > MOST_SECTIONS:
            raise Refusal("invalid_request", f"A venue has at most {MOST_SECTIONS} sections.")
        for each in sections:
            check_grid(each.name, each.type, each.row_count, each.column_count)
            check_size(each.name, each.position_json, MOST_POSITION_BYTES)
        in_order = sorted(sections, key=lambda each: each.display_order)
        return replace(self, sections=in_order).moved(now)

    def moved(self, now: datetime) -> "House":
        """Count a change."""
        return replace(self, revision=self.revision + 1, updated_at=now)

    def checked(self) -> "House":
        """Return it if it makes sense.

        Raises:
            Refusal: invalid_request.
        """
        if not 1 <= self.capacity <= _MOST_PEOPLE:
            raise Refusal("invalid_request", f"A capacity is between 1 and {_MOST_PEOPLE}.")
        if len(self.address) > _LONGEST_ADDRESS:
            raise Refusal("invalid_request", f"An address has at most {_LONGEST_ADDRESS} letters.")
        try:
            ZoneInfo(self.timezone)
        except (ValueError, LookupError, OSError):
            raise Refusal("invalid_request", f"{self.timezone} is not a time zone.") from None
        return self


def check_grid(name: str, kind: SectionType, rows: int, columns: int) -> None:
    """Check that a section's grid is one.

    Raises:
        Refusal: invalid_request.
    """
    if rows < 0 or columns < 0 or rows * columns > MOST_PLACES:
        raise Refusal("invalid_request", f"{name}: a section has at most {MOST_PLACES} places.")
    if kind == "seated" and not rows * columns:
        raise Refusal("invalid_request", f"{name}: a seated section has rows and columns.")


def check_places(sections: Iterable[tuple[int, int]]) -> None:
    """Check that sections are no more than a plan can have: places, and how many are missing.

    Raises:
        Refusal: invalid_request.
    """
    counted = list(sections)
    if sum(places for places, _ in counted) > MOST_PLACES:
        told = f"A plan has at most {MOST_PLACES} places, missing ones included."
        raise Refusal("invalid_request", told)
    if sum(max(places - missing, 0) for places, missing in counted) > MOST_SEATS:
        raise Refusal("invalid_request", f"A plan has at most {MOST_SEATS} seats.")


def check_size(name: str, document: dict[str, Any] | None, most_bytes: int) -> None:
    """Check that a document which we only keep is not too long.

    Raises:
        Refusal: invalid_request.
    """
    if document and len(orjson.dumps(document)) > most_bytes:
        raise Refusal("invalid_request", f"{name}: {most_bytes // 1024} KiB at most.")


def check_ttl(hold_ttl_sec: int) -> int:
    """Return how long a hold lasts, if that is allowed.

    Raises:
        Refusal: invalid_request.
    """
    if not LEAST_TTL_SEC <= hold_ttl_sec <= MOST_TTL_SEC:
        raise Refusal(
            "invalid_request", f"hold_ttl_sec is between {LEAST_TTL_SEC} and {MOST_TTL_SEC}."
        )
    return hold_ttl_sec


def _given(command: EditVenue | EditSection, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(command, name)) is not None}
