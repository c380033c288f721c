"""A seating plan: its allowed moves, its prices, its rules.

    draft -> active <-> inactive

`version` tells one layout from another and is moved by the organizer's edits alone (of the plan,
or of its ticket's price); `revision` counts every change of the plan, its blocked seats included.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from marshmallow import ValidationError

from bus.service import Refusal
from schemas.message import schema_of
from schemas.money import chargeable
from schemas.ticket import (
    AssignmentMode,
    PlanShape,
    PricingMode,
)
from schemas.venue import CreatePlan, PlanStatus, Tier
from workers.venue.house import MOST_POSITION_BYTES, check_size
from workers.venue.layout import NewId, Offer, PlanSection
from workers.venue.position import point
from workers.venue.tiers import PriceTier, TicketFacts, read_tiers

MOVES: dict[PlanStatus, set[PlanStatus]] = {
    "draft": {"active"},
    "active": {"inactive"},
    "inactive": {"active"},
}
MOST_SEATS_PER_ORDER = 100
"""What the messages about one order have room for."""
_MOST_LAYOUT_BYTES = 256 * 1024
_MODES = {"SEATED_MANUAL": "manual", "SEATED_AUTO": "auto"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan as its service keeps it, without its seats."""

    plan_id: UUID
    venue_id: UUID
    ticket_id: UUID
    organizer_id: UUID
    name: str
    status: PlanStatus
    assignment_mode: AssignmentMode
    pricing_mode: PricingMode
    max_seats_per_order: int
    tiers: Sequence[PriceTier]
    focal_point: dict[str, Any] | None
    prevent_orphans: bool
    layout_json: dict[str, Any] | None
    sellable: int
    version: int
    revision: int
    created_at: datetime
    updated_at: datetime
    ticket: TicketFacts
    hold_ttl_sec: int
    """The organizer's."""

    @classmethod
    def create(
        cls, command: CreatePlan, ticket: TicketFacts, *, new_id: NewId, now: datetime
    ) -> "Plan":
        """Begin a plan of what an organizer asks for; its sections are built beside it.

        Raises:
            Refusal: invalid_request.
        """
        return cls(
            plan_id=new_id(),
            venue_id=command.venue_id,
            ticket_id=command.ticket_id,
            organizer_id=command.organizer_id,
            name=command.name,
            status="draft",
            assignment_mode=command.assignment_mode,
            pricing_mode=command.pricing_mode,
            max_seats_per_order=command.max_seats_per_order,
            tiers=read_tiers(command.price_tiers, ticket.currency, (), new_id),
            focal_point=command.focal_point,
            prevent_orphans=command.prevent_orphans,
            layout_json=command.layout_json,
            sellable=0,
            version=1,
            revision=1,
            created_at=now,
            updated_at=now,
            ticket=ticket,
            hold_ttl_sec=0,
        ).checked()

    # What is read of it by the messages that it says.

    @property
    def currency(self) -> str:
        """Its ticket's."""
        return self.ticket.currency

    @property
    def price_tiers(self) -> list[Tier]:
        """Its price levels, as everybody may know them."""
        return [Tier(name=each.name, price=each.price) for each in self.tiers]

    @property
    def tier_names(self) -> set[str]:
        """What its price levels are called."""
        return {each.name for each in self.tiers}

    # Prices.

    def price(self, section_tier: str | None, seat_tier: str | None = None) -> Decimal | None:
        """Return what a seat costs; None if the organizer has not said in this currency."""
        if self.pricing_mode == "single":
            return self.ticket.price
        tier = (seat_tier or section_tier) if self.pricing_mode == "seat" else section_tier
        if tier is None:
            return self.ticket.price if self.pricing_mode == "seat" else None
        price = next(each.price for each in self.tiers if each.name == tier)
        try:
            return chargeable(price, self.currency)
        except ValueError:  # The ticket has got another currency since.
            return None

    def price_now(self, section_tier: str | None, seat_tier: str | None = None) -> Decimal:
        """Return what a seat costs whoever reserves it now.

        Raises:
            Refusal: plan_incomplete.
        """
        price = self.price(section_tier, seat_tier)
        if price is None:
            raise Refusal("plan_incomplete", "The seat has no price in the ticket's currency.")
        return price

    # Moves.

    def owned_by(self, user_id: UUID | None) -> "Plan":
        """Let its organizer pass.

        Raises:
            Refusal: forbidden.
        """
        if user_id != self.organizer_id:
            raise Refusal("forbidden", "The plan belongs to another organizer.")
        return self

    def edit(
        self, given: dict[str, Any], version: int, *, new_id: NewId, now: datetime
    ) -> tuple["Plan", PlanShape]:
        """Change what is given; return what was understood of it, too.

        Raises:
            Refusal: version_conflict, event_cancelled or invalid_request.
        """
        if version != self.version:
            raise Refusal("version_conflict", f"The plan is at version {self.version} by now.")
        self.check_ticket()
        shape = self._understood(given)
        plain = {n: getattr(shape, n) for n in given if n not in {"price_tiers", "sections"}}
        edited = replace(self, **plain, version=self.version + 1).moved(now)
        if "price_tiers" in given:
            tiers = read_tiers(shape.price_tiers, self.currency, self.tiers, new_id)
            edited = replace(edited, tiers=tiers)
        return edited.checked(), shape

    def _understood(self, given: dict[str, Any]) -> PlanShape:
        schema = schema_of(PlanShape)
        if unknown := given.keys() - schema.fields.keys():
            raise Refusal("invalid_request", f"A plan has no {', '.join(sorted(unknown))}.")
        kept = {
            "venue_id": str(self.venue_id),
            "name": self.name,
            "assignment_mode": self.assignment_mode,
            "pricing_mode": self.pricing_mode,
        }
        try:
            shape: PlanShape = schema.load(kept | given)
        except ValidationError as error:
            raise Refusal("invalid_request", f"Not a plan: {error.messages}") from None
        return shape

    def activate(self, offers: Iterable[Offer], now: datetime) -> "Plan":
        """Put its seats on sale.

        Raises:
            Refusal: invalid_request, event_cancelled or plan_incomplete.
        """
        if "active" not in MOVES[self.status]:
            raise Refusal("invalid_request", "The plan is active already.")
        self.check_ticket()
        self.check_offers(offers)
        return replace(self, status="active").moved(now)

    def deactivate(self, now: datetime) -> "Plan":
        """Take its seats off sale.

        Raises:
            Refusal: invalid_request.
        """
        if "inactive" not in MOVES[self.status]:
            raise Refusal("invalid_request", f"The plan is {self.status}, not active.")
        return replace(self, status="inactive").moved(now)

    def selling(self, sections: Iterable[PlanSection]) -> "Plan":
        """Count what can be sold of these sections."""
        return replace(self, sellable=sum(section.sellable for section in sections))

    def repriced(self, now: datetime) -> "Plan":
        """Its ticket has another price or currency: the layout says so, under a new version."""
        return replace(self, version=self.version + 1).moved(now)

    def moved(self, now: datetime) -> "Plan":
        """Count a change."""
        return replace(self, revision=self.revision + 1, updated_at=now)

    # Rules.

    def check_ticket(self) -> None:
        """Check that its event takes place.

        Raises:
            Refusal: event_cancelled.
        """
        if self.ticket.status == "cancelled":
            raise Refusal("event_cancelled", "The event was cancelled.")

    def check_on_sale(self) -> None:
        """Check that its seats may be had.

        Raises:
            Refusal: event_cancelled or not_on_sale.
        """
        self.check_ticket()
        if self.status != "active":
            raise Refusal("not_on_sale", f"The plan is {self.status}, not active.")

    def check_by_hand(self) -> None:
        """Check that buyers pick its seats themselves.

        Raises:
            Refusal: invalid_request.
        """
        if self.assignment_mode != "manual":
            raise Refusal("invalid_request", "The seats of this plan are not picked by hand.")

    def check_count(self, count: int) -> None:
        """Check that one buyer may have so many.

        Raises:
            Refusal: limit_exceeded.
        """
        if count > self.max_seats_per_order:
            raise Refusal("limit_exceeded", f"A buyer may have {self.max_seats_per_order} seats.")

    def check_offers(self, offers: Iterable[Offer]) -> None:
        """Check that there is something to sell, and that all of it has a price.

        Raises:
            Refusal: plan_incomplete.
        """
        if not self.sellable:
            raise Refusal("plan_incomplete", "Every seat of the plan is blocked.")
        for offer in offers:
            if any(self.price(offer.tier, tier) is None for tier in offer.seat_tiers):
                raise Refusal("plan_incomplete", f"{offer.name} has no price tier.")

    def checked(self) -> "Plan":
        """Return it if it makes sense.

        Raises:
            Refusal: invalid_request.
        """
        if _MODES.get(self.ticket.ticket_type) != self.assignment_mode:
            raise Refusal(
                "invalid_request",
                f"A ticket of type {self.ticket.ticket_type} has no plan of mode"
                f" {self.assignment_mode}.",
            )
        if not 1 <= self.max_seats_per_order <= MOST_SEATS_PER_ORDER:
            raise Refusal(
                "invalid_request", f"max_seats_per_order is between 1 and {MOST_SEATS_PER_ORDER}."
            )
        check_size("layout_json", self.layout_json, _MOST_LAYOUT_BYTES)
        check_size("focal_point", self.focal_point, MOST_POSITION_BYTES)
        point(self.focal_point)
        return self
