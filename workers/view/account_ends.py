"""When operations about accounts end: with events of their own. Pure."""

from schemas.auth import (
    ChangePassword,
    CloseSession,
    DeleteUser,
    OpenSession,
    PasswordChanged,
    RefreshSession,
    RegisterUser,
    SessionClosed,
    SessionOpened,
    SessionRefreshed,
    SignInErased,
    Tokens,
    UserRegistered,
)
from schemas.message import Message
from schemas.payment import PaidDataErased
from schemas.user import (
    EditPreferences,
    EditProfile,
    PutAddress,
    UserChanged,
    UserDataErased,
)
from schemas.view import ViewedDataErased
from workers.view.end import End, Rule, said, succeeded


def _signed_in(event: Tokens) -> End:
    return End(
        status="succeeded",
        result={
            "token_type": "Bearer",  # RFC 6750's word, not a secret.
            "expires_in": event.expires_in,
            "user_id": str(event.user_id),
        },
        secret={"access_token": event.access_token, "refresh_token": event.refresh_token},
    )


def _user(event: UserRegistered | UserChanged | PasswordChanged | SignInErased) -> End:
    return succeeded({"user_id": str(event.user_id)})


def _signed_out(event: SessionClosed) -> End:
    return succeeded({"session_id": str(event.session_id)})


_ERASED = (SignInErased, UserDataErased, PaidDataErased, ViewedDataErased)
"""What everybody who keeps something personal says when they have forgotten it."""


ACCOUNT_RULES: dict[str, Rule] = {
    RegisterUser.TYPE: said(_user, UserRegistered),
    OpenSession.TYPE: said(_signed_in, SessionOpened),
    RefreshSession.TYPE: said(_signed_in, SessionRefreshed),
    CloseSession.TYPE: said(_signed_out, SessionClosed),
    ChangePassword.TYPE: said(_user, PasswordChanged),
    DeleteUser.TYPE: said(_user, *_ERASED),
    EditProfile.TYPE: said(_user, UserChanged),
    EditPreferences.TYPE: said(_user, UserChanged),
    PutAddress.TYPE: said(_user, UserChanged),
}

WAITING = frozenset({DeleteUser.TYPE})
"""The commands whose operations wait for several events, each in a transaction of its own."""

ACCOUNT_EVENTS: tuple[type[Message], ...] = (
    *(UserRegistered, Tokens, SessionClosed, PasswordChanged, UserChanged, *_ERASED),
)
"""What those rules look at."""
