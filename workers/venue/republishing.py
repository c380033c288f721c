"""Saying everything again: venues and settings page by page, then plan by plan with all seats."""

from uuid import UUID

from bus.service import Transaction
from bus.stores.postgres import Connection
from schemas.venue import AreaChange, PlanRestated, RepublishVenues, SeatsRestated, VenueRestated
from workers.venue import floor, layout_store, plan_store, seat_store, store
from workers.venue.laying import laid
from workers.venue.service import venue

_PAGE = 100
_NOBODY = UUID(int=0)

Tx = Transaction[Connection]


@venue.handles(RepublishVenues, key=lambda _: "republish", long=True)
def republish(command: RepublishVenues, tx: Tx) -> None:
    """Say a page, and ask for the next; `after` is a kind and the last id: "venue:<id>"."""
    floor.clear(tx)
    kind, _, last = command.after.partition(":")
    after = UUID(last) if last else _NOBODY
    if kind == "plan":
        _say_plan(after, tx)
    elif kind == "settings":
        _say_settings(after, tx)
    else:
        _say_venues(after, tx)


def _say_venues(after: UUID, tx: Tx) -> None:
    page = store.houses_after(tx.db, after, _PAGE)
    for venue_id in page:
        if house := store.house(tx.db, venue_id):
            tx.emit(VenueRestated.of(house))
    following = f"venue:{page[-1]}" if len(page) == _PAGE else f"settings:{_NOBODY}"
    tx.emit(RepublishVenues(after=following))


def _say_settings(after: UUID, tx: Tx) -> None:
    page = store.settings_after(tx.db, after, _PAGE)
    for settings in page:
        tx.emit(settings)
    last = page[-1].organizer_id if len(page) == _PAGE else None
    tx.emit(RepublishVenues(after=f"settings:{last}" if last else f"plan:{_NOBODY}"))


def _say_plan(after: UUID, tx: Tx) -> None:
    """Say the next plan: locked, so that its layout and its seats are of one moment."""
    for plan_id in plan_store.plans_after(tx.db, after, 1):
        plan = plan_store.lock(tx.db, [plan_id])[plan_id]
        sections = layout_store.sections(tx.db, plan_id)
        areas = [AreaChange.of(area) for area in seat_store.areas(tx.db, [plan_id])]
        tx.emit(PlanRestated.of(plan, sections=laid(plan, sections)))
        seats = seat_store.states(tx.db, plan_id)
        tx.emit(SeatsRestated(plan_id=plan_id, seats=seats, areas=areas))
        tx.emit(RepublishVenues(after=f"plan:{plan_id}"))
