"""What is said to and by the auth service: credentials, sessions, signing keys."""

from typing import Any
from uuid import UUID

from schemas.message import Line, Message, Sealed, command, event, part


@event("auth.user.registered", subject="user_id")
class UserRegistered(Message):
    """A new user may sign in."""

    user_id: UUID
    email: Line


@event("auth.user.restated", subject="user_id")
class UserNamed(Message):
    """Who somebody is, said again for a view that is being rebuilt."""

    user_id: UUID
    email: Line


@event("auth.user.refused", subject="email")
class UserRefused(Message):
    """A registration was refused."""

    email: Line
    command: str
    code: str
    detail: str


@command("auth.user.register", subject="email", refused_by=UserRefused)
class RegisterUser(Message):
    """Open an account."""

    email: Line
    password: Sealed
    """Sealed to auth."""


@event("auth.credentials.refused", subject="user_id")
class CredentialsRefused(Message):
    """Somebody who is signed in did not prove it well enough, or asked for what cannot be."""

    user_id: UUID
    command: str
    code: str
    detail: str


@command("auth.password.change", subject="user_id", refused_by=CredentialsRefused)
class ChangePassword(Message):
    """Replace the password; every session but the one that asks ends."""

    user_id: UUID
    session_id: UUID
    """The session that asks: its family's id."""
    current_password: Sealed
    """Sealed to auth, like the new one."""
    new_password: Sealed


@event("auth.password.changed", subject="user_id")
class PasswordChanged(Message):
    """The old password opens nothing any more."""

    user_id: UUID


@command("auth.user.delete", subject="user_id", refused_by=CredentialsRefused)
class DeleteUser(Message):
    """Close an account for good."""

    user_id: UUID
    password: Sealed
    """Sealed to auth."""


@event("auth.user.deleted", subject="user_id")
class UserDeleted(Message):
    """An account is no more: whoever knows more of the person than this id forgets it."""

    user_id: UUID


@event("auth.user.erased", subject="user_id")
class SignInErased(Message):
    """This service knows nothing more of somebody whose account was deleted."""

    user_id: UUID


@part
class Tokens(Message):
    """What a session is used with."""

    session_id: UUID
    """One for each refresh token."""
    user_id: UUID
    access_token: Sealed
    """Sealed to the edge, like the refresh token."""
    refresh_token: Sealed
    expires_in: int
    """Seconds until the access token ends."""


@event("auth.session.opened", subject="session_id")
class SessionOpened(Tokens):
    """A user signed in."""


@event("auth.session.refreshed", subject="session_id")
class SessionRefreshed(Tokens):
    """A refresh token was exchanged; it opens nothing any more."""


@event("auth.refresh.refused", subject="request_id")
class RefreshRefused(Message):
    """A refresh token opens nothing."""

    request_id: UUID
    command: str
    code: str
    detail: str


@command("auth.session.refresh", subject="request_id", refused_by=RefreshRefused)
class RefreshSession(Message):
    """Exchange a refresh token for new tokens."""

    request_id: UUID
    """New each time: whose the token is, only auth can tell."""
    refresh_token: Sealed
    """Sealed to auth."""


@command("auth.session.close", subject="session_id")
class CloseSession(Message):
    """Sign out."""

    session_id: UUID
    """The family's id, as in the access token."""
    user_id: UUID


@event("auth.session.closed", subject="session_id")
class SessionClosed(Message):
    """The refresh tokens of a sign-in open nothing any more."""

    session_id: UUID
    user_id: UUID


@event("auth.session.refused", subject="email")
class SessionRefused(Message):
    """A sign-in was refused."""

    email: Line
    command: str
    code: str
    detail: str


@command("auth.session.open", subject="email", refused_by=SessionRefused)
class OpenSession(Message):
    """Sign in."""

    email: Line
    password: Sealed
    """Sealed to auth."""


@event("auth.keys.published", subject="issuer", sequence="revision")
class KeysPublished(Message):
    """The public keys that access tokens may be signed with, all of them."""

    issuer: Line
    revision: int
    keys: list[dict[str, Any]]
    """Public JWKs (RFC 7517)."""


@command("auth.keys.rotate", subject="issuer")
class RotateKeys(Message):
    """Make the next signing key now, whatever the age of the one in use."""

    issuer: Line = "foyer"


@command("auth.state.republish", subject="issuer")
class RepublishKeys(Message):
    """Say the public keys again."""

    issuer: Line = "foyer"


@command("auth.users.republish", subject="after")
class RepublishAccounts(Message):
    """Say who everybody is, a page at a time, from the first id after `after`."""

    after: str = ""
