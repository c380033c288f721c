"""What is said of whole plans, and of the tickets that they are for."""

from uuid import UUID

from bus.service import Refusal, Transaction
from bus.stores.postgres import Connection
from schemas.ticket import (
    TicketCancelled,
    TicketClosed,
    TicketCreated,
    TicketEdited,
    TicketOnSale,
    TicketRestated,
    TicketState,
)
from schemas.venue import (
    ActivatePlan,
    CreatePlan,
    DeactivatePlan,
    EditPlan,
    PlanActivated,
    PlanCreated,
    PlanDeactivated,
    PlanEdited,
    SeatsUnblocked,
    VenueSection,
)
from workers.venue import floor, layout_store, plan_store, store
from workers.venue.laying import check_length, laid
from workers.venue.layout import build, rebuilt
from workers.venue.plan import Plan
from workers.venue.pricing import check_unchanged, with_tiers_known
from workers.venue.service import venue
from workers.venue.tiers import TicketFacts


@venue.handles(CreatePlan, key=lambda _: None, long=True)  # Orders of its ticket go on meanwhile.
def create_plan(command: CreatePlan, tx: Transaction[Connection]) -> None:
    """Make a plan with all its seats, as a draft."""
    told = TicketFacts(
        ticket_type=command.ticket_type,
        price=command.price,
        currency=command.currency,
        status="draft",
    )
    facts = plan_store.ticket(tx.db, command.ticket_id) or told
    plan = Plan.create(command, facts, new_id=tx.new_id, now=tx.now)
    plan.check_ticket()
    templates = _templates(command.venue_id, plan, tx)
    sections = build(command.sections, templates, plan.tier_names, tx.new_id)
    plan = plan.selling(sections)
    created = PlanCreated.of(plan, sections=laid(plan, sections))
    check_length(created)
    plan_store.know_ticket(tx.db, plan.ticket_id, plan.organizer_id, told)
    layout_store.insert(tx.db, plan, sections)
    plan_store.check_ticket(tx.db, plan.ticket_id, facts)
    tx.emit(created)


@venue.handles(EditPlan, long=True)
def edit_plan(command: EditPlan, tx: Transaction[Connection]) -> None:
    """Change a plan around what people have of it."""
    before = _own(command.plan_id, tx)
    if command.ticket_id not in {None, before.ticket_id}:
        raise Refusal("invalid_request", "A plan stays with its ticket.")
    edited, shape = before.edit(command.shape, command.version, new_id=tx.new_id, now=tx.now)
    templates = _templates(edited.venue_id, edited, tx)
    old = layout_store.sections(tx.db, before.plan_id)
    new = old
    if "sections" in command.shape:
        wanted = build(shape.sections, templates, edited.tier_names, tx.new_id)
        new = rebuilt(old, wanted)
    edited = edited.selling(with_tiers_known(edited, new))
    check_unchanged(before, old, edited, new)
    floor.edited(tx, edited.plan_id)
    if edited.status == "active":
        edited.check_offers(section.offer for section in new)
    said = PlanEdited.of(edited, sections=laid(edited, new))
    check_length(said)
    layout_store.replace_layout(tx.db, edited, old, new)
    tx.emit(said)
    if edited.status == "active" and edited.sellable != before.sellable:
        tx.emit(SeatsUnblocked.of(edited, seats=[], areas=[]))  # The ticket's quota follows.


@venue.handles(ActivatePlan, long=True)
def activate_plan(command: ActivatePlan, tx: Transaction[Connection]) -> None:
    """Put a plan's seats on sale; its ticket follows."""
    found = _own(command.plan_id, tx)
    activated = found.activate(layout_store.offers(tx.db, found.plan_id), tx.now)
    if plan_store.another_active(tx.db, found):
        raise Refusal("invalid_request", "Another plan of this ticket is active.")
    plan_store.save(tx.db, activated)
    tx.emit(PlanActivated.of(activated))


@venue.handles(DeactivatePlan, long=True)
def deactivate_plan(command: DeactivatePlan, tx: Transaction[Connection]) -> None:
    """Take a plan's seats off sale; its ticket follows."""
    deactivated = _own(command.plan_id, tx).deactivate(tx.now)
    plan_store.save(tx.db, deactivated)
    tx.emit(PlanDeactivated.of(deactivated))


@venue.handles(TicketCreated)
def ticket_created(event: TicketCreated, tx: Transaction[Connection]) -> None:
    """Keep a copy."""
    _learn(event, tx)


@venue.handles(TicketEdited)
def ticket_edited(event: TicketEdited, tx: Transaction[Connection]) -> None:
    """Its price may have changed, and with it its plans'."""
    _learn(event, tx)


@venue.handles(TicketOnSale)
def ticket_on_sale(event: TicketOnSale, tx: Transaction[Connection]) -> None:
    """Keep a copy."""
    _learn(event, tx)


@venue.handles(TicketClosed)
def ticket_closed(event: TicketClosed, tx: Transaction[Connection]) -> None:
    """Keep a copy."""
    _learn(event, tx)


@venue.handles(TicketCancelled)
def ticket_cancelled(event: TicketCancelled, tx: Transaction[Connection]) -> None:
    """Nothing of its plans can be held, ordered or activated any more."""
    _learn(event, tx)


@venue.handles(TicketRestated)
def ticket_restated(event: TicketRestated, tx: Transaction[Connection]) -> None:
    """Keep a copy."""
    _learn(event, tx)


def _learn(event: TicketState, tx: Transaction[Connection]) -> None:
    """Keep what a ticket is now; what its plans cost may follow from it."""
    floor.clear(tx)
    if not plan_store.learn_ticket(tx.db, event):
        return
    plans = plan_store.lock(tx.db, plan_store.plans_of(tx.db, [event.ticket_id]))
    for plan in plans.values():
        repriced = plan.repriced(tx.now)
        plan_store.save(tx.db, repriced)
        sections = layout_store.sections(tx.db, plan.plan_id)
        tx.emit(PlanEdited.of(repriced, sections=laid(repriced, sections)), operation_id=None)


def _own(plan_id: UUID, tx: Transaction[Connection]) -> Plan:
    """Return a plan of the user who asks, with all that this batch has done to it written."""
    floor.clear(tx)
    found = plan_store.lock(tx.db, [plan_id]).get(plan_id)
    if found is None:
        raise Refusal("not_found", "There is no such plan.")
    return found.owned_by(tx.cause.user_id)


def _templates(venue_id: UUID, plan: Plan, tx: Transaction[Connection]) -> dict[UUID, VenueSection]:
    """Return the sections of a venue of the plan's organizer."""
    house = store.house(tx.db, venue_id)
    if house is None:
        raise Refusal("not_found", "There is no such venue.")
    house.owned_by(plan.organizer_id)
    return {section.section_id: section for section in house.sections}
