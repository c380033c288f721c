"""What one transaction's events say of seats, gathered for the maps that the edge shows. Pure.

A map is one letter for each seat, in the order of its plan's layout, and what is left of each area
without numbered seats. Layouts and seats are said by different events, which come in any order: a
seat that no layout has named yet is kept until one does.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from schemas.message import Message
from schemas.venue import (
    AreaChange,
    PlanCreated,
    PlanLaid,
    PlanRestated,
    SeatChange,
    SeatsReleased,
    SeatsState,
)

Rows = list[dict[str, Any]]


class Laid(NamedTuple):
    """The layouts, where their seats are, and their areas."""

    layouts: Rows
    places: Rows
    areas: Rows
    restated: Rows
    """Of plans that were said again: the plan and the version."""
    new: bool
    """Whether all are of new plans, which nobody knows yet."""


class Changed(NamedTuple):
    """Seats and areas that are another now."""

    seats: Rows
    areas: Rows


@dataclass
class Maps:
    """The newest that was said of layouts, seats and areas in one transaction."""

    layouts: dict[UUID, PlanLaid] = field(default_factory=dict)
    seats: dict[UUID, tuple[UUID, SeatChange]] = field(default_factory=dict)
    """With the plan of each."""
    areas: dict[UUID, tuple[UUID, AreaChange]] = field(default_factory=dict)

    def hear(self, event: Message) -> None:
        """Add what an event says."""
        if isinstance(event, PlanLaid):
            known = self.layouts.get(event.plan_id)
            if known is None or known.version < event.version:
                self.layouts[event.plan_id] = event
        elif isinstance(event, SeatsState | SeatsReleased) and event.plan_id:
            for seat in event.seats:
                _keep_newest(self.seats, seat.seat_id, event.plan_id, seat)
            for area in event.areas:
                _keep_newest(self.areas, area.section_id, event.plan_id, area)

    def laid(self) -> Laid:
        """Return the rows of the layouts."""
        plans = list(self.layouts.values())
        return Laid(
            [{"plan_id": p.plan_id, "version": p.version, "sections": p.sections} for p in plans],
            [place for plan in plans for place in _places(plan)],
            [area for plan in plans for area in _areas(plan)],
            [
                {"plan_id": plan.plan_id, "version": plan.version}
                for plan in plans
                if isinstance(plan, PlanRestated)
            ],
            new=all(isinstance(plan, PlanCreated) for plan in plans),
        )

    def changed(self) -> Changed:
        """Return the rows of what became of seats and areas; a status is told by its letter."""
        return Changed(
            [
                {**vars(seat), "plan_id": plan_id, "status": seat.status[0]}
                for plan_id, seat in self.seats.values()
            ],
            [{**vars(area), "plan_id": plan_id} for plan_id, area in self.areas.values()],
        )


def _keep_newest(
    known: dict[UUID, tuple[UUID, Any]], key: UUID, plan_id: UUID, said: SeatChange | AreaChange
) -> None:
    if key not in known or known[key][1].revision < said.revision:
        known[key] = (plan_id, said)


def _places(plan: PlanLaid) -> Iterator[dict[str, Any]]:
    """Number the seats of each section, row by row, from 0."""
    for section in plan.sections:
        seats = (seat for row in section.rows for seat in row.seats)
        for index, seat in enumerate(seats):
            yield {
                "seat_id": seat.seat_id,
                "plan_id": plan.plan_id,
                "section_id": section.section_id,
                "index": index,
            }


def _areas(plan: PlanLaid) -> Rows:
    return [
        {"section_id": each.section_id, "plan_id": plan.plan_id, "capacity": each.capacity}
        for each in plan.sections
        if each.type == "ga"
    ]
