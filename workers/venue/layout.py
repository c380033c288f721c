"""What a plan is made of: sections, and a seat for each place that is not missing.

Sections are cloned from the venue's or are the plan's own. Places are named by row and column,
from 1; a seat's label is "R1S3" unless the organizer says otherwise.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from bus.service import Refusal
from schemas.ticket import SeatSpec, SectionSpec, SectionType
from schemas.venue import SeatStatus, VenueSection
from workers.venue.house import (
    MOST_POSITION_BYTES,
    MOST_SECTIONS,
    check_grid,
    check_places,
    check_size,
)
from workers.venue.position import position

FLAGS = ("accessible", "companion", "restricted_view")
MOST_NAMED = 200
"""How many seats a refusal names: it is no message about a whole plan."""
_MOST_CAPACITY = 1_000_000
_MOST_ATTRIBUTE_BYTES = 1024

NewId = Callable[[], UUID]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanSeat:
    """A seat of a plan, as an organizer sees it."""

    seat_id: UUID
    row: int
    column: int
    row_label: str
    label: str
    tier: str | None = None
    attributes: dict[str, Any] | None = None
    status: SeatStatus = "AVAILABLE"

    @property
    def busy(self) -> bool:
        """Whether somebody holds or has it."""
        return self.status in {"HELD", "RESERVED", "SOLD"}


@dataclass(frozen=True, kw_only=True)
class Offer:
    """At which price tiers a section can be sold."""

    name: str
    tier: str | None
    """The section's own."""
    seat_tiers: Collection[str | None]
    """Its seats' own, of those that are not blocked; None for what goes by the section's."""


@dataclass(frozen=True, kw_only=True)
class PlanSection:
    """A section of a plan, in the plan's order."""

    section_id: UUID
    name: str
    type: SectionType
    row_count: int = 0
    column_count: int = 0
    tier: str | None = None
    position_json: dict[str, Any] | None = None
    capacity: int | None = None
    reserved: int = 0
    sold: int = 0
    seats: Sequence[PlanSeat] = field(default_factory=list)

    @property
    def sellable(self) -> int:
        """How many could be sold if nobody had any."""
        return (self.capacity or 0) + sum(seat.status != "BLOCKED" for seat in self.seats)

    @property
    def offer(self) -> Offer:
        """At which price tiers it can be sold."""
        tiers = {seat.tier for seat in self.seats if seat.status != "BLOCKED"}
        return Offer(name=self.name, tier=self.tier, seat_tiers=tiers or _seatless(self.type))


def _seatless(kind: SectionType) -> Collection[None]:
    """Name the tiers of no seats: general admission is sold at its section's."""
    return {None} if kind == "ga" else set()


def build(
    specs: Sequence[SectionSpec],
    templates: Mapping[UUID, VenueSection],
    tiers: Iterable[str],
    new_id: NewId,
) -> list[PlanSection]:
    """Make the sections and seats that an organizer asks for.

    Raises:
        Refusal: not_found, invalid_request, or plan_incomplete when there is nothing to sell.
    """
    if len(specs) > MOST_SECTIONS:
        raise Refusal("invalid_request", f"A plan has at most {MOST_SECTIONS} sections.")
    known = set(tiers)
    wanted = [_section(spec, templates, known, new_id) for spec in specs]
    _unique("The section", (section.name for section in wanted))
    check_places(
        (section.row_count * section.column_count, sum(seat.missing for seat in spec.seats))
        for section, spec in zip(wanted, specs, strict=True)
    )
    built = [
        replace(section, seats=_seats(section, spec.seats, known, new_id))
        for section, spec in zip(wanted, specs, strict=True)
    ]
    check_amount(built)
    return built


def check_amount(sections: Iterable[PlanSection]) -> None:
    """Check that a plan has something to sell, and not too much.

    Raises:
        Refusal: plan_incomplete or invalid_request.
    """
    kept = list(sections)
    amount = sum((section.capacity or 0) + len(section.seats) for section in kept)
    if not amount:
        raise Refusal("plan_incomplete", "A plan needs at least one seat or a capacity.")
    if amount > _MOST_CAPACITY:
        raise Refusal("invalid_request", f"A plan has at most {_MOST_CAPACITY} places.")


def _section(
    spec: SectionSpec, templates: Mapping[UUID, VenueSection], tiers: set[str], new_id: NewId
) -> PlanSection:
    template = None
    if spec.venue_section_id is not None:
        template = templates.get(spec.venue_section_id)
        if template is None:
            raise Refusal("not_found", f"The venue has no section {spec.venue_section_id}.")

    def said(name: str, otherwise: Any = None) -> Any:  # noqa: ANN401  # As its field is.
        own = getattr(spec, name)
        return own if own is not None else getattr(template, name, otherwise)

    name, kind = said("name"), said("type", "seated")
    if name is None:
        raise Refusal("invalid_request", "A section has a name or a venue_section_id.")
    rows, columns = said("row_count", 0), said("column_count", 0)
    check_grid(name, kind, rows, columns)
    check_size(name, said("position_json"), MOST_POSITION_BYTES)
    position(said("position_json"))
    check_tier(spec.price_tier, tiers)
    return PlanSection(
        section_id=new_id(),
        name=name,
        type=kind,
        row_count=rows if kind == "seated" else 0,
        column_count=columns if kind == "seated" else 0,
        tier=spec.price_tier,
        position_json=said("position_json"),
        capacity=_capacity(name, spec, rows * columns) if kind == "ga" else None,
    )


def _capacity(name: str, spec: SectionSpec, places: int) -> int:
    if spec.seats:
        raise Refusal("invalid_request", f"{name}: general admission has no seats.")
    capacity = places if spec.capacity is None else spec.capacity
    if not 1 <= capacity <= _MOST_CAPACITY:
        raise Refusal("invalid_request", f"{name}: general admission needs a capacity.")
    return capacity


def _seats(
    section: PlanSection, overrides: Sequence[SeatSpec], tiers: set[str], new_id: NewId
) -> list[PlanSeat]:
    special = _special(section, overrides, tiers)
    seats = []
    for row in range(1, section.row_count + 1):
        in_row = [
            _seat(row, column, special.get((row, column), _ORDINARY), new_id)
            for column in range(1, section.column_count + 1)
            if not special.get((row, column), _ORDINARY).missing
        ]
        if special:
            _unique(f"{section.name}, row {row}: the label", (seat.label for seat in in_row))
        seats += in_row
    return seats


_ORDINARY = SeatSpec(row=0, column=0)


def _seat(row: int, column: int, told: SeatSpec, new_id: NewId) -> PlanSeat:
    return PlanSeat(
        seat_id=new_id(),
        row=row,
        column=column,
        row_label=f"R{row}",
        label=told.label or f"R{row}S{column}",
        tier=told.price_tier,
        attributes=told.attributes or None,
    )


def _special(
    section: PlanSection, overrides: Sequence[SeatSpec], tiers: set[str]
) -> dict[tuple[int, int], SeatSpec]:
    special: dict[tuple[int, int], SeatSpec] = {}
    for told in overrides:
        place = f"{section.name}, row {told.row}, column {told.column}"
        if not (1 <= told.row <= section.row_count and 1 <= told.column <= section.column_count):
            raise Refusal("invalid_request", f"{place}: there is no such place.")
        if (told.row, told.column) in special:
            raise Refusal("invalid_request", f"{place} is named twice.")
        check_tier(told.price_tier, tiers)
        check_size(place, told.attributes, _MOST_ATTRIBUTE_BYTES)
        for flag in FLAGS:
            if not isinstance((told.attributes or {}).get(flag, False), bool):
                raise Refusal("invalid_request", f"{place}: {flag} is true or false.")
        special[told.row, told.column] = told
    return special


def check_tier(tier: str | None, tiers: Iterable[str]) -> None:
    """Check that a price tier is one of the plan's.

    Raises:
        Refusal: invalid_request.
    """
    if tier is not None and tier not in tiers:
        raise Refusal("invalid_request", f"There is no price tier {tier!r}.")


def _unique(what: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise Refusal("invalid_request", f"{what} {twice[0]!r} is there twice.")


def rebuilt(before: Sequence[PlanSection], wanted: Sequence[PlanSection]) -> list[PlanSection]:
    """Lay a plan out anew around what people have: what stays keeps its id and its status.

    A section is the same if its name and type are, a seat if its section and place are.

    Raises:
        Refusal: seats_unavailable or quota_below_sold, when somebody's seat would go or change.
    """
    old = {(section.name, section.type): section for section in before}
    after = []
    for section in wanted:
        same = old.pop((section.name, section.type), None)
        after.append(_kept(same, section) if same else section)
    for gone in old.values():
        _check_nobodys(gone.name, gone.seats)
        if gone.reserved + gone.sold:
            raise Refusal("quota_below_sold", f"{gone.name} has sold or reserved places.")
    return after


def _kept(before: PlanSection, wanted: PlanSection) -> PlanSection:
    if before.type == "ga" and (wanted.capacity or 0) < before.reserved + before.sold:
        raise Refusal(
            "quota_below_sold",
            f"{before.name}: {before.reserved + before.sold} are sold or reserved already.",
        )
    old = {(seat.row, seat.column): seat for seat in before.seats}
    seats, relabelled = [], []
    for seat in wanted.seats:
        same = old.pop((seat.row, seat.column), None)
        if same and same.label != seat.label:
            relabelled.append(same)
        seats.append(replace(seat, seat_id=same.seat_id, status=same.status) if same else seat)
    _check_nobodys(before.name, [*relabelled, *old.values()])
    return replace(
        wanted,
        section_id=before.section_id,
        reserved=before.reserved,
        sold=before.sold,
        seats=seats,
    )


def _check_nobodys(name: str, seats: Iterable[PlanSeat]) -> None:
    taken = [seat for seat in seats if seat.busy]
    if taken:
        labels = ", ".join(seat.label for seat in taken[:10])
        seat_ids = [seat.seat_id for seat in taken[:MOST_NAMED]]
        told = f"{name} {labels}: somebody has these."
        raise Refusal("seats_unavailable", told, seat_ids=seat_ids)
