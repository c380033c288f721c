"""What a plan's prices come from: its ticket, and its own price levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from bus.service import Refusal
from schemas.money import MAX_AMOUNT, chargeable
from schemas.ticket import TicketStatus, TicketType, TierSpec
from workers.venue.layout import NewId


@dataclass(frozen=True, kw_only=True)
class TicketFacts:
    """What a plan needs to know of its ticket."""

    ticket_type: TicketType
    price: Decimal
    currency: str
    status: TicketStatus


@dataclass(frozen=True, kw_only=True)
class PriceTier:
    """A price level."""

    tier_id: UUID
    name: str
    price: Decimal


def read_tiers(
    specs: Sequence[TierSpec], currency: str, kept: Sequence[PriceTier], new_id: NewId
) -> list[PriceTier]:
    """Return the tiers that are asked for; one that is `kept` keeps its id.

    Raises:
        Refusal: invalid_request.
    """
    ids = {each.name: each.tier_id for each in kept}
    tiers: dict[str, PriceTier] = {}
    for spec in specs:
        if spec.name in tiers:
            raise Refusal("invalid_request", f"The price tier {spec.name!r} is there twice.")
        price = _price(spec, currency)
        tiers[spec.name] = PriceTier(
            tier_id=ids.get(spec.name) or new_id(), name=spec.name, price=price
        )
    return list(tiers.values())


def _price(spec: TierSpec, currency: str) -> Decimal:
    try:
        price = chargeable(spec.price, currency)
    except (ValueError, ArithmeticError) as error:
        raise Refusal("invalid_request", f"{spec.name}: {error}") from None
    if not 0 <= price <= MAX_AMOUNT:
        raise Refusal("invalid_request", f"{spec.name}: a price is between 0 and {MAX_AMOUNT}.")
    return price
