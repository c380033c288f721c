"""Accounts: who somebody is, and how they prove it.

Passwords and refresh tokens are sealed to auth before they go anywhere.
"""

from uuid import uuid4

from falcon.asgi import Request, Response

from bus.sealing import Sealer
from http_edge.gate import asked
from http_edge.problems import refuse
from http_edge.tokens import SigningKeys
from http_edge.views import Views
from http_edge.writes import Writes, answer
from schemas.auth import (
    ChangePassword,
    CloseSession,
    DeleteUser,
    OpenSession,
    RefreshSession,
    RegisterUser,
)
from schemas.user import BillingAddress, EditPreferences, EditProfile, PutAddress


class Users:
    """At /v1/users."""

    def __init__(self, writes: Writes, sealer: Sealer) -> None:
        self._writes = writes
        self._sealer = sealer

    async def on_post(self, req: Request, resp: Response) -> None:
        """Register."""
        form = asked(req).form
        command = RegisterUser(email=form["email"], password=self._sealer.seal(form["password"]))
        await self._writes.accept(req, resp, command)


class Sessions:
    """At /v1/sessions."""

    def __init__(self, writes: Writes, sealer: Sealer) -> None:
        self._writes = writes
        self._sealer = sealer

    async def on_post(self, req: Request, resp: Response) -> None:
        """Sign in."""
        form = asked(req).form
        command = OpenSession(email=form["email"], password=self._sealer.seal(form["password"]))
        await self._writes.accept(req, resp, command)


class Refresh:
    """At /v1/sessions/refresh."""

    def __init__(self, writes: Writes, sealer: Sealer) -> None:
        self._writes = writes
        self._sealer = sealer

    async def on_post(self, req: Request, resp: Response) -> None:
        """Exchange a refresh token."""
        sealed = self._sealer.seal(asked(req).form["refresh_token"])
        await self._writes.accept(
            req, resp, RefreshSession(request_id=uuid4(), refresh_token=sealed)
        )


class CurrentSession:
    """At /v1/sessions/current."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def on_delete(self, req: Request, resp: Response) -> None:
        """Sign out."""
        this = asked(req)
        await self._writes.accept(
            req, resp, CloseSession(session_id=this.session, user_id=this.user)
        )


class MyPassword:
    """At /v1/users/me/password."""

    def __init__(self, writes: Writes, sealer: Sealer) -> None:
        self._writes = writes
        self._sealer = sealer

    async def on_put(self, req: Request, resp: Response) -> None:
        """Change it."""
        this = asked(req)
        command = ChangePassword(
            user_id=this.user,
            session_id=this.session,
            current_password=self._sealer.seal(this.form["current_password"]),
            new_password=self._sealer.seal(this.form["new_password"]),
        )
        await self._writes.accept(req, resp, command)


class Me:
    """At /v1/users/me."""

    def __init__(self, views: Views, writes: Writes, sealer: Sealer) -> None:
        self._views = views
        self._writes = writes
        self._sealer = sealer

    async def on_get(self, req: Request, resp: Response) -> None:
        """Show what is known of who asks; a deleted account's token outlives it by minutes."""
        document = await self._views.me(asked(req).user)
        if document is None:
            raise refuse("not_found", "There is no such account any more.")
        answer(resp, document)

    async def on_delete(self, req: Request, resp: Response) -> None:
        """Close the account."""
        this = asked(req)
        password = self._sealer.seal(this.form["password"])
        await self._writes.accept(req, resp, DeleteUser(user_id=this.user, password=password))


class MyProfile:
    """At /v1/users/me/profile."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def on_patch(self, req: Request, resp: Response) -> None:
        """Change what is given."""
        this = asked(req)
        await self._writes.accept(req, resp, EditProfile(user_id=this.user, **this.form))


class MyPreferences:
    """At /v1/users/me/preferences."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def on_patch(self, req: Request, resp: Response) -> None:
        """Change what is given."""
        this = asked(req)
        await self._writes.accept(req, resp, EditPreferences(user_id=this.user, **this.form))


class MyBillingAddress:
    """At /v1/users/me/billing-address."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def on_put(self, req: Request, resp: Response) -> None:
        """Replace it, whole."""
        this = asked(req)
        address = BillingAddress(**this.form)
        await self._writes.accept(req, resp, PutAddress(user_id=this.user, address=address))


class Jwks:
    """At /.well-known/jwks.json."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys

    async def on_get(self, _: Request, resp: Response) -> None:
        """Show the public keys."""
        if not self._keys.published:
            await self._keys.look()
        answer(resp, {"keys": self._keys.published})
        resp.set_header("Cache-Control", "public, max-age=60")
