"""What is said of venues, their sections, and organizers' settings."""

from uuid import UUID

from bus.service import Refusal, Transaction
from bus.stores.postgres import Connection
from schemas.venue import (
    AddSection,
    ChangeSettings,
    CreateVenue,
    EditSection,
    EditVenue,
    RemoveSection,
    SectionChanged,
    SettingsChanged,
    VenueCreated,
    VenueEdited,
)
from workers.venue import store
from workers.venue.house import House, check_ttl
from workers.venue.service import venue


@venue.handles(CreateVenue, key=lambda _: None)  # It has yet to be born: no rivals.
def create_venue(command: CreateVenue, tx: Transaction[Connection]) -> None:
    """Make a venue; it belongs to whoever asks."""
    created = House.create(command, venue_id=tx.new_id(), organizer_id=asking(tx), now=tx.now)
    store.save_house(tx.db, created)
    tx.emit(VenueCreated.of(created))


@venue.handles(EditVenue)
def edit_venue(command: EditVenue, tx: Transaction[Connection]) -> None:
    """Change a venue for its organizer."""
    edited = _own(command.venue_id, tx).edit(command, tx.now)
    store.save_house(tx.db, edited)
    tx.emit(VenueEdited.of(edited))


@venue.handles(AddSection)
def add_section(command: AddSection, tx: Transaction[Connection]) -> None:
    """Keep a section for the next plan."""
    section_id = tx.new_id()
    changed = _own(command.venue_id, tx).add(command, section_id=section_id, now=tx.now)
    _changed(changed, section_id, tx)


@venue.handles(EditSection)
def edit_section(command: EditSection, tx: Transaction[Connection]) -> None:
    """Change a section; plans that were made of it stay as they are."""
    _changed(_own(command.venue_id, tx).change(command, tx.now), command.section_id, tx)


@venue.handles(RemoveSection)
def remove_section(command: RemoveSection, tx: Transaction[Connection]) -> None:
    """Forget a section; plans that were made of it stay as they are."""
    changed = _own(command.venue_id, tx).remove(command.section_id, tx.now)
    store.save_house(tx.db, changed)
    store.delete_section(tx.db, command.section_id)
    tx.emit(SectionChanged.of(changed, section_id=command.section_id))


@venue.handles(ChangeSettings, key=lambda _: None)  # One row, changed by one statement.
def change_settings(command: ChangeSettings, tx: Transaction[Connection]) -> None:
    """Change how long the holds and unpaid orders of an organizer's seats last from now on."""
    ttl, organizer_id = check_ttl(command.hold_ttl_sec), asking(tx)
    revision = store.change_settings(tx.db, organizer_id, ttl)
    tx.emit(SettingsChanged(organizer_id=organizer_id, hold_ttl_sec=ttl, revision=revision))


def asking(tx: Transaction[Connection]) -> UUID:
    """Return the user who asks.

    Raises:
        Refusal: forbidden, when nobody does.
    """
    if tx.cause.user_id is None:
        raise Refusal("forbidden", "Sign in first.")
    return tx.cause.user_id


def _own(venue_id: UUID, tx: Transaction[Connection]) -> House:
    found = store.house(tx.db, venue_id)
    if found is None:
        raise Refusal("not_found", "There is no such venue.")
    return found.owned_by(tx.cause.user_id)


def _changed(changed: House, section_id: UUID, tx: Transaction[Connection]) -> None:
    store.save_house(tx.db, changed)
    store.save_section(tx.db, changed, changed.section(section_id))
    tx.emit(SectionChanged.of(changed, section_id=section_id))
