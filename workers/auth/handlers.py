"""The auth service.

Owns   users, their sessions and the signing keys (PostgreSQL auth_db).
Hears  auth.user.register, .delete; auth.session.open, .refresh, .close; auth.password.change;
       auth.keys.rotate; auth.state.republish, auth.users.republish; expirations.clock.ticked
Says   auth.user.registered, .refused, .deleted, .erased, .restated; auth.session.opened,
       .refused, .refreshed, .closed; auth.refresh.refused; auth.password.changed;
       auth.credentials.refused; auth.keys.published

Passwords and refresh tokens arrive sealed to this service, and tokens leave sealed to the edge;
hashes and private keys stay. Each handler runs inside one transaction opened by the bus. Hashing
happens inside it: about 20 ms of a core for each password, which is what argon2 is for, and why
whatever hashes is `long`: a crowd that signs in has a queue and a process of its own, which hashes
one password after the other; more sign-ins a second take more of these. Whatever touches a user's
password or sessions locks the user's row first.
"""

import secrets
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

from bus.service import Refusal, Service, Transaction
from bus.settings import read, whole
from bus.stores.postgres import Connection, Postgres
from schemas.auth import (
    ChangePassword,
    CloseSession,
    DeleteUser,
    KeysPublished,
    OpenSession,
    PasswordChanged,
    RefreshSession,
    RegisterUser,
    RepublishAccounts,
    RepublishKeys,
    RotateKeys,
    SessionClosed,
    SessionOpened,
    SessionRefreshed,
    SignInErased,
    UserDeleted,
    UserNamed,
    UserRegistered,
)
from schemas.expiration import ClockTicked
from workers.auth import password, seals, store
from workers.auth.key import ISSUER, SigningKey
from workers.auth.rotation import Lifetimes, current, kept
from workers.auth.session import (
    ACCESS_TTL_SEC,
    REFRESH_TOKEN_BYTES,
    Session,
    access_token,
    token_hash,
)
from workers.auth.user import User, is_address, is_password, normalised

_NO_SESSION = "The refresh token opens nothing: sign in again."
_SWEPT_AT_ONCE = 500
_AHEAD_SEC = 120, 7 * 24 * 3600
"""Each edge process looks at the keys once a minute, and its answers are kept for another."""
_LIFE_SEC = (10 * 365 * 24 * 3600,)
_PAGE = 100

auth = Service[Connection]("auth", Postgres())


def _address(command: RegisterUser | OpenSession) -> str:
    """Name the aggregate: two spellings of one address are one account."""
    return normalised(command.email)


@auth.handles(RegisterUser, key=_address, long=True)
def register(command: RegisterUser, tx: Transaction[Connection]) -> None:
    """Open an account, one for each address."""
    email = _address(command)
    typed = seals.opened(command.password)
    if not is_address(email):
        raise Refusal("invalid_request", "This is not an e-mail address.")
    if not is_password(typed):
        raise Refusal("invalid_request", "A password has 10 to 128 characters.")
    taken = Refusal("email_taken", "The e-mail address is already registered.")
    if store.user_of(tx.db, email):  # Cheaper than a hash.
        raise taken
    user = User.register(tx.new_id(), email, password.hashed(typed), tx.now)
    if not store.insert_user(tx.db, user):  # Another process was faster.
        raise taken
    tx.emit(UserRegistered(user_id=user.id, email=user.email))


@auth.handles(OpenSession, key=_address, long=True)
def sign_in(command: OpenSession, tx: Transaction[Connection]) -> None:
    """Give tokens for the right password; what was wrong with a wrong one is not told."""
    typed = seals.opened(command.password)
    user = store.lock_user_of(tx.db, _address(command))
    if not password.matches(user.password_hash if user else None, typed) or user is None:
        raise Refusal("bad_credentials", "The e-mail address or the password is wrong.")
    if password.is_outdated(user.password_hash):
        store.replace_password(tx.db, user, password.hashed(typed), tx.now)
    refresh_token = secrets.token_urlsafe(REFRESH_TOKEN_BYTES)
    session = Session.open(tx.new_id(), user.id, refresh_token, tx.now)
    tx.emit(SessionOpened(**_tokens(session, refresh_token, tx)))


@auth.handles(RefreshSession, key=lambda _: None)
def refresh(command: RefreshSession, tx: Transaction[Connection]) -> None:
    """Exchange a refresh token; one that comes back was stolen, from or by whoever sends it.

    Rivals meet at the user's row: until the token is opened, nobody knows whose it is.
    """
    token = seals.opened(command.refresh_token)
    found = store.lock_session(tx.db, token_hash(token))
    standing = found.standing(tx.now) if found else "over"
    if found is None or standing == "over":
        raise Refusal("bad_credentials", _NO_SESSION)
    if standing == "used":
        store.revoke(tx.db, found.user_id, found.family, tx.now)
        tx.emit(command.refused("bad_credentials", _NO_SESSION))  # The revocation stays.
        return
    store.note_used(tx.db, found, tx.now)
    following = secrets.token_urlsafe(REFRESH_TOKEN_BYTES)
    session = found.follow(tx.new_id(), following, tx.now)
    tx.emit(SessionRefreshed(**_tokens(session, following, tx)))


@auth.handles(CloseSession)
def sign_out(command: CloseSession, tx: Transaction[Connection]) -> None:
    """End a session; one that has ended stays so."""
    user_id = _asking(command, tx)
    store.lock_user(tx.db, user_id)
    store.revoke(tx.db, user_id, command.session_id, tx.now)
    tx.emit(SessionClosed.of(command))


@auth.handles(ChangePassword, key=lambda command: command.user_id, long=True)
def change_password(command: ChangePassword, tx: Transaction[Connection]) -> None:
    """Replace a password, and end the sessions that whoever knew the old one may have."""
    wanted = seals.opened(command.new_password)
    if not is_password(wanted):
        raise Refusal("invalid_request", "A password has 10 to 128 characters.")
    user = _proven(command, command.current_password, tx)
    store.replace_password(tx.db, user, password.hashed(wanted), tx.now)
    store.revoke_others(tx.db, user.id, command.session_id, tx.now)
    tx.emit(PasswordChanged(user_id=user.id))


@auth.handles(DeleteUser, key=lambda command: command.user_id, long=True)
def delete(command: DeleteUser, tx: Transaction[Connection]) -> None:
    """Close an account for good, for whoever knows its password; the address is free again."""
    user = _proven(command, command.password, tx)
    store.delete_user(tx.db, user, tx.cause.operation_id, tx.now)
    tx.emit(UserDeleted(user_id=user.id))
    _tell_if_erased(user.id, tx.cause.operation_id, tx)


def _tell_if_erased(user_id: UUID, operation_id: UUID | None, tx: Transaction[Connection]) -> None:
    """Say that nothing is left of somebody, once what was said of them is out and forgotten."""
    if store.finish_erasure(tx.db, user_id, tx.now):
        tx.emit(SignInErased(user_id=user_id), operation_id=operation_id, user_id=user_id)


def _asking(
    command: CloseSession | ChangePassword | DeleteUser, tx: Transaction[Connection]
) -> UUID:
    """Return whose command it is.

    Raises:
        Refusal: forbidden, when somebody else sent it.
    """
    if command.user_id != tx.cause.user_id:
        raise Refusal("forbidden", "Somebody else's account.")
    return command.user_id


def _proven(command: ChangePassword | DeleteUser, sealed: str, tx: Transaction[Connection]) -> User:
    """Return the user who knows their password, locked.

    Raises:
        Refusal: bad_credentials; or not_found, when the account was deleted meanwhile.
    """
    typed = seals.opened(sealed)
    user = store.lock_user(tx.db, _asking(command, tx))
    if user is None:
        raise Refusal("not_found", "There is no such account any more.")
    if not password.matches(user.password_hash, typed):
        raise Refusal("bad_credentials", "The password is wrong.")
    return user


def _tokens(session: Session, refresh_token: str, tx: Transaction[Connection]) -> dict[str, Any]:
    """Keep a new session; return what is said of it."""
    store.insert_session(tx.db, session)
    signed = access_token(session, ensure_keys(tx))
    return {
        "session_id": session.id,
        "user_id": session.user_id,
        "access_token": seals.edge().seal(signed),
        "refresh_token": seals.edge().seal(refresh_token),
        "expires_in": ACCESS_TTL_SEC,
    }


@cache
def lifetimes() -> Lifetimes:
    """Read how long keys live, once.

    Raises:
        SettingError: they are no such numbers.
    """
    ahead = read("FOYER_KEY_AHEAD_SEC", 3600, whole(*_AHEAD_SEC))
    life = read("FOYER_KEY_LIFE_SEC", 30 * 24 * 3600, whole(ahead, *_LIFE_SEC))
    return Lifetimes(timedelta(seconds=life), timedelta(seconds=ahead))


def ensure_keys(tx: Transaction[Connection]) -> SigningKey:
    """Return the key to sign with; make it, and announce it, when there is none yet."""
    return current(store.keys(tx.db), tx.now) or _keep_keys(tx)


def _keep_keys(tx: Transaction[Connection], *, at_once: bool = False) -> SigningKey:
    """Have the keys that there should be; return the one to sign with.

    The announcement commits with them, so a key that exists has been said.
    """
    store.lock_keys(tx.db)
    held = store.keys(tx.db)
    wanted = kept(held, tx.now, lifetimes(), at_once=at_once)
    if wanted != held:
        store.replace_keys(tx.db, wanted)
        _announce(tx, wanted)
    return current(wanted, tx.now) or wanted[0]


@auth.handles(ClockTicked)
def keep_house(_: ClockTicked, tx: Transaction[Connection]) -> None:
    """Rotate the keys when it is time, and forget old sessions and whoever has left."""
    _keep_keys(tx)
    store.sweep_sessions(tx.db, tx.now, _SWEPT_AT_ONCE)
    for user_id, operation_id in store.unfinished_erasures(tx.db, _SWEPT_AT_ONCE):
        _tell_if_erased(user_id, operation_id, tx)


@auth.handles(RotateKeys)
def rotate(_: RotateKeys, tx: Transaction[Connection]) -> None:
    """Make the next key now; while one waits to sign, it is the next."""
    _keep_keys(tx, at_once=True)


@auth.handles(RepublishKeys)
def republish(_: RepublishKeys, tx: Transaction[Connection]) -> None:
    """Say the public keys again, for a view that is being rebuilt."""
    _keep_keys(tx)
    _announce(tx, store.keys(tx.db))


@auth.handles(RepublishAccounts, key=lambda _: "republish")
def republish_accounts(command: RepublishAccounts, tx: Transaction[Connection]) -> None:
    """Say a page of users, and ask for the next page."""
    page = store.page_after(tx.db, command.after, _PAGE)
    for each in page:
        tx.emit(UserNamed(user_id=each.id, email=each.email))
    if len(page) == _PAGE:
        tx.emit(RepublishAccounts(after=str(page[-1].id)))


def _announce(tx: Transaction[Connection], held: list[SigningKey]) -> None:
    told = [key.public_jwk for key in held]
    revision = max(key.revision for key in held)
    tx.emit(KeysPublished(issuer=ISSUER, revision=revision, keys=told), operation_id=None)
