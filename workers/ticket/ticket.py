"""A ticket: what is for sale, how many, to whom and at what price.

`version` is moved by the organizer's edits alone, so that an edit during a sale does not conflict
with every sale; `revision` counts every change. The quota of a seated ticket is what its plan can
sell, yet never less than what is reserved and sold: it follows as soon as stock comes back.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from bus.service import Refusal
from schemas.money import MAX_AMOUNT, chargeable
from schemas.ticket import (
    AssignmentMode,
    CreateTicket,
    EditTicket,
    HoldReservation,
    TicketEvent,
    TicketStatus,
    TicketType,
)
from schemas.venue import PlanState, SeatsBlocked, SeatsUnblocked
from workers.ticket.plan import Plan

_MOST = 1_000_000
_ASSIGNED: dict[TicketType, AssignmentMode] = {"SEATED_MANUAL": "manual", "SEATED_AUTO": "auto"}


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A ticket as its service keeps it."""

    ticket_id: UUID
    organizer_id: UUID
    title: str
    price: Decimal
    currency: str
    quota: int
    reserved: int = 0
    sold: int = 0
    max_per_user: int
    ticket_type: TicketType
    status: TicketStatus
    seating_plan_id: UUID | None = None
    plans: tuple[Plan, ...] = ()
    """Every plan that was ever heard of."""
    event: TicketEvent
    version: int = 1
    revision: int = 1
    created_at: datetime
    updated_at: datetime

    @property
    def seated(self) -> bool:
        """Whether its buyers get seats."""
        return self.ticket_type != "GA"

    @classmethod
    def create(
        cls, command: CreateTicket, *, ticket_id: UUID, organizer_id: UUID, now: datetime
    ) -> "Ticket":
        """Make a ticket of what an organizer asks for.

        A seated ticket is a draft without a quota until its plan is activated.

        Raises:
            Refusal: invalid_request, with what does not fit.
        """
        seated = command.ticket_type != "GA"
        if command.quota is None and not seated:
            raise Refusal("invalid_request", "A general-admission ticket needs a quota.")
        return _checked(
            cls(
                ticket_id=ticket_id,
                organizer_id=organizer_id,
                title=command.title,
                price=_price(command.price, command.currency),
                currency=command.currency,
                quota=0 if command.quota is None else command.quota,
                max_per_user=command.max_per_user,
                ticket_type=command.ticket_type,
                status="draft" if seated else command.status,
                event=command.event,
                created_at=now,
                updated_at=now,
            ),
            least_quota=0 if seated else 1,
        )

    def edit(self, command: EditTicket, *, by: UUID | None, now: datetime) -> "Ticket":
        """Change what is given.

        Raises:
            Refusal: forbidden, version_conflict, quota_below_sold or invalid_request.
        """
        if by != self.organizer_id:
            raise Refusal("forbidden", "The ticket belongs to another organizer.")
        if command.version != self.version:
            raise Refusal("version_conflict", f"The ticket is at version {self.version} by now.")
        given = {
            name: value
            for name in ("title", "quota", "max_per_user", "event", "status", "currency", "price")
            if (value := getattr(command, name)) is not None
        }
        if command.event and command.event.venue is None:  # Absent: it stays as it is.
            given["event"] = replace(command.event, venue=self.event.venue)
        self._check_status(given.get("status"))
        if given.get("quota", self.quota) != self.quota and self.seated:
            raise Refusal("invalid_request", "The quota of a seated ticket is its plan's to say.")
        fixed = self.seating_plan_id or self.reserved + self.sold
        if given.get("currency", self.currency) != self.currency and fixed:
            raise Refusal("invalid_request", "The currency cannot change once tickets are sold.")
        changed = replace(self, **given)
        changed = replace(changed, price=_price(changed.price, changed.currency))
        if changed.quota < self.reserved + self.sold:
            raise Refusal(
                "quota_below_sold", f"{self.reserved + self.sold} are sold or reserved already."
            )
        return _checked(changed, least_quota=0 if self.seated else 1).moved(
            now, version=self.version + 1
        )

    def check_plan(self, mode: AssignmentMode, *, by: UUID | None) -> None:
        """Let a plan be made for it.

        Raises:
            Refusal: forbidden, event_cancelled or invalid_request.
        """
        if by != self.organizer_id:
            raise Refusal("forbidden", "The ticket belongs to another organizer.")
        if self.status == "cancelled":
            raise Refusal("event_cancelled", "The event was cancelled.")
        if _ASSIGNED.get(self.ticket_type) != mode:
            told = f"A {self.ticket_type} ticket has no plan that assigns seats in {mode} mode."
            raise Refusal("invalid_request", told)

    def activated(self, plan: PlanState, now: datetime) -> "Ticket":
        """Go on sale with a plan's seats, unless the plan has turned since."""
        known = _known(self.plans, plan.plan_id)
        if plan.revision <= known.turned or self.status == "cancelled":
            return self
        turned = known.turn(plan.revision).count(plan.sellable, plan.revision)
        return self._with(turned, now, seating_plan_id=plan.plan_id, status="on_sale")

    def deactivated(self, plan: PlanState, now: datetime) -> "Ticket":
        """Go off sale with its plan; a plan that it has left behind changes nothing for it."""
        known = _known(self.plans, plan.plan_id)
        if plan.revision <= known.turned:
            return self
        turned = known.turn(plan.revision).count(plan.sellable, plan.revision)
        off = plan.plan_id == self.seating_plan_id and self.status != "cancelled"
        return self._with(turned, now, status="closed" if off else self.status)

    def recounted(self, event: SeatsBlocked | SeatsUnblocked, now: datetime) -> "Ticket":
        """Take what a plan can sell by now."""
        known = _known(self.plans, event.plan_id)
        counted = known.count(event.sellable, event.revision)
        return self if counted == known else self._with(counted, now)

    def _with(self, plan: Plan, now: datetime, **changes: Any) -> "Ticket":  # noqa: ANN401  # Its own fields.
        others = tuple(each for each in self.plans if each.plan_id != plan.plan_id)
        changed = replace(self, plans=(*others, plan), **changes)
        return replace(changed, quota=_quota(changed)).moved(now)

    def cancel(self, *, by: UUID | None, now: datetime) -> "Ticket":
        """Call the event off; nothing of it is sold from here on.

        Raises:
            Refusal: forbidden.
        """
        if by != self.organizer_id:
            raise Refusal("forbidden", "The ticket belongs to another organizer.")
        if self.status == "cancelled":
            return self
        return replace(self, status="cancelled").moved(now, version=self.version + 1)

    def check_choice(self, asked: HoldReservation) -> None:
        """Let an order choose in the way of the ticket's type.

        Raises:
            Refusal: invalid_request.
        """
        if self.ticket_type == "GA":
            fits = asked.seat_ids is None and asked.section_id is None
        elif self.ticket_type == "SEATED_MANUAL":
            fits = (asked.seat_ids is None) != (asked.section_id is None)
        else:
            fits = asked.seat_ids is None
        if not fits:
            raise Refusal("invalid_request", f"A {self.ticket_type} ticket is not ordered so.")

    def hold(self, quantity: int, *, held_by_user: int, now: datetime) -> "Ticket":
        """Set `quantity` aside for a user who has `held_by_user` already.

        Where seats are picked by hand, some of what is reserved may be for orders whose seats
        somebody else has. Only what is sold is gone for certain; whether the seats are free is the
        venue's to say, and the quota follows what is promised until then.

        Raises:
            Refusal: event_cancelled, not_on_sale, limit_exceeded or sold_out.
        """
        if self.status == "cancelled":
            raise Refusal("event_cancelled", "The event was cancelled.")
        if self.status != "on_sale":
            raise Refusal("not_on_sale", "The ticket is not on sale.")
        if self.event.ends_at <= now:
            raise Refusal("not_on_sale", "The event is over.")
        if held_by_user + quantity > self.max_per_user:
            raise Refusal(
                "limit_exceeded",
                f"A buyer may have {self.max_per_user}; this one has {held_by_user} already.",
            )
        certain = self.sold if self.ticket_type == "SEATED_MANUAL" else self.sold + self.reserved
        left = max(_sellable(self) - certain, 0)
        if quantity > left:
            raise Refusal("sold_out", f"{left} are left." if left else "None are left.")
        held = replace(self, reserved=self.reserved + quantity)
        return replace(held, quota=_quota(held)).moved(now)

    def sell(self, quantity: int, now: datetime) -> "Ticket":
        """Turn what was reserved into sold."""
        return replace(self, reserved=self.reserved - quantity, sold=self.sold + quantity).moved(
            now
        )

    def give_back(self, *, reserved: int = 0, sold: int = 0, now: datetime) -> "Ticket":
        """Put stock back on sale; less than nothing is what is reserved or sold instead."""
        left = replace(self, reserved=self.reserved - reserved, sold=self.sold - sold)
        return replace(left, quota=_quota(left)).moved(now)

    def _check_status(self, status: str | None) -> None:
        if status is None or status == self.status:
            return
        if self.status == "cancelled":
            raise Refusal("event_cancelled", "The event was cancelled.")
        if (
            status == "on_sale"
            and self.seated
            and (self.status == "closed" or not self.seating_plan_id)
        ):
            raise Refusal("plan_incomplete", "Activate its seating plan instead.")
        if self.status == "closed":
            raise Refusal("not_on_sale", "The ticket is closed.")

    def moved(self, now: datetime, version: int | None = None) -> "Ticket":
        """Count a change."""
        return replace(
            self,
            version=self.version if version is None else version,
            revision=self.revision + 1,
            updated_at=now,
        )


def _known(plans: tuple[Plan, ...], plan_id: UUID) -> Plan:
    return next((each for each in plans if each.plan_id == plan_id), Plan(plan_id=plan_id))


def _sellable(ticket: Ticket) -> int:
    """Return what a plan has for sale, or what the organizer has said."""
    if ticket.seating_plan_id is None:
        return ticket.quota
    return _known(ticket.plans, ticket.seating_plan_id).sellable


def _quota(ticket: Ticket) -> int:
    """Follow the plan, down to what is promised already."""
    if ticket.seating_plan_id is None:
        return ticket.quota
    return max(_sellable(ticket), ticket.reserved + ticket.sold)


def _price(price: Decimal, currency: str) -> Decimal:
    try:
        fitting = chargeable(price, currency)
    except (ValueError, ArithmeticError) as error:
        raise Refusal("invalid_request", str(error)) from None
    if not 0 <= fitting <= MAX_AMOUNT:
        raise Refusal("invalid_request", f"A price is between 0 and {MAX_AMOUNT}.")
    return fitting


def _checked(ticket: Ticket, *, least_quota: int) -> Ticket:
    if not least_quota <= ticket.quota <= _MOST:
        raise Refusal("invalid_request", f"A quota is between {least_quota} and {_MOST}.")
    if not 1 <= ticket.max_per_user <= _MOST:
        raise Refusal("invalid_request", f"max_per_user is between 1 and {_MOST}.")
    if ticket.event.ends_at <= ticket.event.starts_at:
        raise Refusal("invalid_request", "The event ends before it starts.")
    return ticket
