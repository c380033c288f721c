"""The user service.

Owns   profiles, preferences and billing addresses (PostgreSQL user_db).
Hears  auth.user.registered, auth.user.deleted, users.profile.edit, users.preferences.edit,
       users.address.put, users.state.republish, expirations.clock.ticked
Says   users.user.changed, users.user.restated, users.user.refused, users.user.erased

A user is known by what auth says. Somebody whose account was deleted leaves a row with nothing
but their id, so that what arrives late, or twice, keeps nothing of them.
"""

from uuid import UUID

from bus.service import NotYet, Refusal, Service, Transaction
from bus.stores.postgres import Connection, Postgres
from schemas.auth import UserDeleted, UserRegistered
from schemas.expiration import ClockTicked
from schemas.user import (
    EditPreferences,
    EditProfile,
    PutAddress,
    RepublishUsers,
    UserChanged,
    UserDataErased,
    UserRestated,
)
from workers.user import store
from workers.user.user import User

_PAGE = 100
_FINISHED_AT_ONCE = 100

user = Service[Connection]("user", Postgres())


@user.handles(UserRegistered)
def welcome(event: UserRegistered, tx: Transaction[Connection]) -> None:
    """Begin with what can be said of anybody."""
    if store.is_erased(tx.db, event.user_id) or store.lock(tx.db, event.user_id):
        return  # It comes late, or again.
    _keep(User(user_id=event.user_id), tx)


@user.handles(EditProfile)
def edit_profile(command: EditProfile, tx: Transaction[Connection]) -> None:
    """Change a profile."""
    _keep(_asking(command, tx).with_profile(command), tx)


@user.handles(EditPreferences)
def edit_preferences(command: EditPreferences, tx: Transaction[Connection]) -> None:
    """Change preferences."""
    _keep(_asking(command, tx).with_preferences(command), tx)


@user.handles(PutAddress)
def put_address(command: PutAddress, tx: Transaction[Connection]) -> None:
    """Replace a billing address."""
    _keep(_asking(command, tx).with_address(command), tx)


@user.handles(UserDeleted)
def erase(event: UserDeleted, tx: Transaction[Connection]) -> None:
    """Forget somebody."""
    store.erase(tx.db, event.user_id, tx.cause.operation_id, tx.now)
    _tell_if_erased(event.user_id, tx.cause.operation_id, tx)


@user.handles(ClockTicked)
def finish_erasing(_: ClockTicked, tx: Transaction[Connection]) -> None:
    """Forget what was still being said when somebody was forgotten."""
    for user_id, operation_id in store.unfinished(tx.db, _FINISHED_AT_ONCE):
        _tell_if_erased(user_id, operation_id, tx)


@user.handles(RepublishUsers, key=lambda _: "republish")
def republish(command: RepublishUsers, tx: Transaction[Connection]) -> None:
    """Say a page of users as they are, and ask for the next page."""
    page = store.page_after(tx.db, command.after, _PAGE)
    for each in page:
        tx.emit(UserRestated.of(each))
    if len(page) == _PAGE:
        tx.emit(RepublishUsers(after=str(page[-1].user_id)))


def _asking(
    command: EditProfile | EditPreferences | PutAddress, tx: Transaction[Connection]
) -> User:
    """Return the user who asks for a change of their own data.

    Raises:
        Refused: they are somebody else, their account was deleted, or nobody has told of it yet.
    """
    if command.user_id != tx.cause.user_id:
        raise Refusal("forbidden", "Somebody else's data.")
    found = store.lock(tx.db, command.user_id)
    if found is None:
        gone = store.is_erased(tx.db, command.user_id)
        raise (Refusal if gone else NotYet)("not_found", "There is no such account.")
    return found


def _keep(changed: User, tx: Transaction[Connection]) -> None:
    store.save(tx.db, changed, tx.now)
    tx.emit(UserChanged.of(changed))


def _tell_if_erased(user_id: UUID, operation_id: UUID | None, tx: Transaction[Connection]) -> None:
    if store.finish_erasure(tx.db, user_id, tx.now):
        tx.emit(UserDataErased(user_id=user_id), operation_id=operation_id, user_id=user_id)
