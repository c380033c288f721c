"""What an edit may not do to prices."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from uuid import UUID

from bus.service import Refusal
from workers.venue.layout import MOST_NAMED, PlanSection, check_tier
from workers.venue.plan import Plan


def check_unchanged(
    before: Plan, old: Iterable[PlanSection], after: Plan, new: Iterable[PlanSection]
) -> None:
    """Check that an edit gives nobody's seat another price.

    Raises:
        Refusal: seats_unavailable.
    """
    paid = dict(_taken(before, old))
    changed = [key for key, price in _taken(after, new) if paid[key] != price]
    if changed:
        raise Refusal(
            "seats_unavailable",
            f"{changed[0][1]} is somebody's at {paid[changed[0]]}; it stays so.",
            seat_ids=[seat_id for seat_id, _ in changed if seat_id][:MOST_NAMED],
        )


def _taken(
    plan: Plan, sections: Iterable[PlanSection]
) -> Iterable[tuple[tuple[UUID | None, str], Decimal | None]]:
    """Go through what people have, by seat and name, with its price; places have no seat."""
    for section in sections:
        if section.reserved + section.sold:
            yield (None, section.name), plan.price(section.tier)
        for seat in section.seats:
            if seat.busy:
                label = f"{section.name} {seat.label}"
                yield (seat.seat_id, label), plan.price(section.tier, seat.tier)


def with_tiers_known(plan: Plan, sections: Sequence[PlanSection]) -> Sequence[PlanSection]:
    """Return sections whose price tiers the plan has.

    Raises:
        Refusal: invalid_request.
    """
    for section in sections:
        for tier in {section.tier, *(seat.tier for seat in section.seats)}:
            check_tier(tier, plan.tier_names)
    return sections
