"""A plan's layout as everybody may know it."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby

import orjson

from bus.service import Refusal
from schemas.venue import PLAN_BYTES, LaidRow, LaidSeat, LaidSection, PlanLaid
from workers.venue.layout import PlanSeat, PlanSection
from workers.venue.plan import Plan

_SHORT = 2000
"""A plan with so few seats is never too long for its event."""
_ROOM = 4096
"""For the envelope around a plan."""


def laid(plan: Plan, sections: Iterable[PlanSection]) -> list[LaidSection]:
    """Return sections with their seats and prices.

    What has no price yet is shown at the ticket's: in drafts alone, since it cannot be activated.
    """
    return [
        LaidSection(
            section_id=section.section_id,
            name=section.name,
            type=section.type,
            capacity=section.capacity,
            price=_price(plan, section, None) if section.type == "ga" else None,
            position_json=section.position_json,
            rows=_rows(plan, section),
        )
        for section in sections
    ]


def check_length(message: PlanLaid) -> None:
    """Check that a message about a whole plan can be said.

    Raises:
        Refusal: invalid_request.
    """
    seats = sum(len(row.seats) for section in message.sections for row in section.rows)
    if seats > _SHORT and len(orjson.dumps(message, default=str)) > PLAN_BYTES - _ROOM:
        raise Refusal("invalid_request", "The plan with all its attributes is too large.")


def _rows(plan: Plan, section: PlanSection) -> list[LaidRow]:
    tiers = {seat.tier for seat in section.seats}
    prices = {tier: _price(plan, section, tier) for tier in tiers}
    return [
        LaidRow(label=label, seats=_seats(list(row), prices))
        for label, row in groupby(section.seats, key=lambda seat: seat.row_label)
    ]


def _seats(row: Sequence[PlanSeat], prices: dict[str | None, Decimal]) -> list[LaidSeat]:
    return [
        LaidSeat(
            seat_id=seat.seat_id,
            label=seat.label,
            column=seat.column,
            price=prices[seat.tier],
            attributes=seat.attributes,
        )
        for seat in row
    ]


def _price(plan: Plan, section: PlanSection, tier: str | None) -> Decimal:
    price = plan.price(section.tier, tier)
    return plan.ticket.price if price is None else price
