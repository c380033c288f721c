"""When operations about venues, plans and seats end: with events of their own. Pure."""

from schemas.message import Message
from schemas.ticket import RequestPlan, TicketClosed, TicketOnSale
from schemas.venue import (
    ActivatePlan,
    AddSection,
    BlockSeats,
    ChangeSettings,
    CreateVenue,
    DeactivatePlan,
    EditPlan,
    EditSection,
    EditVenue,
    FreeSeats,
    HoldSeats,
    PlanActivated,
    PlanCreated,
    PlanDeactivated,
    PlanEdited,
    PlanState,
    RemoveSection,
    SeatsBlocked,
    SeatsFreed,
    SeatsHeld,
    SeatsState,
    SeatsUnblocked,
    SectionChanged,
    SettingsChanged,
    UnblockSeats,
    VenueCreated,
    VenueEdited,
    VenueState,
)
from workers.view.end import End, Rule, said, succeeded


def _venue(event: VenueState) -> End:
    return succeeded({"venue_id": str(event.venue_id)})


def _section(event: SectionChanged) -> End:
    return succeeded({"venue_id": str(event.venue_id), "section_id": str(event.section_id)})


def _settings(event: SettingsChanged) -> End:
    return succeeded({"hold_ttl_sec": event.hold_ttl_sec})


def _plan(event: PlanState) -> End:
    return succeeded({"plan_id": str(event.plan_id), "version": event.version})


def _moved(event: PlanState | TicketOnSale | TicketClosed) -> End:
    """Tell the same, whether the plan or its ticket moved last."""
    plan_id = event.plan_id if isinstance(event, PlanState) else event.seating_plan_id
    return succeeded({"plan_id": str(plan_id), "ticket_id": str(event.ticket_id)})


def _held(event: SeatsHeld) -> End:
    return succeeded(
        {
            "plan_id": str(event.plan_id),
            "held": [str(each) for each in event.held],
            "hold_expires_at": event.hold_expires_at.isoformat().replace("+00:00", "Z"),
        }
    )


def _seats(event: SeatsState) -> End:
    seat_ids = [str(each.seat_id) for each in event.seats]
    return succeeded({"plan_id": str(event.plan_id), "seat_ids": seat_ids})


SEATING_RULES: dict[str, Rule] = {
    CreateVenue.TYPE: said(_venue, VenueCreated),
    EditVenue.TYPE: said(_venue, VenueEdited),
    AddSection.TYPE: said(_section, SectionChanged),
    EditSection.TYPE: said(_section, SectionChanged),
    RemoveSection.TYPE: said(_section, SectionChanged),
    ChangeSettings.TYPE: said(_settings, SettingsChanged),
    RequestPlan.TYPE: said(_plan, PlanCreated),
    EditPlan.TYPE: said(_plan, PlanEdited),
    ActivatePlan.TYPE: said(_moved, PlanActivated, TicketOnSale),
    DeactivatePlan.TYPE: said(_moved, PlanDeactivated, TicketClosed),
    HoldSeats.TYPE: said(_held, SeatsHeld),
    FreeSeats.TYPE: said(_seats, SeatsFreed),
    BlockSeats.TYPE: said(_seats, SeatsBlocked),
    UnblockSeats.TYPE: said(_seats, SeatsUnblocked),
}

SEVERAL = frozenset({ActivatePlan.TYPE, DeactivatePlan.TYPE})
"""The commands whose operations wait for several events, each in a transaction of its own."""

SEATING_EVENTS: tuple[type[Message], ...] = (
    *(VenueCreated, VenueEdited, SectionChanged, SettingsChanged),
    *(PlanCreated, PlanEdited, PlanActivated, PlanDeactivated, TicketOnSale, TicketClosed),
    *(SeatsHeld, SeatsFreed, SeatsBlocked, SeatsUnblocked),
)
"""What those rules look at."""
