"""Who is asking: access tokens checked here, against the keys that auth published.

Tokens are JWTs as in RFC 9068, signed with EdDSA. The keys are read from the views: at the start,
by time, and when a token names one that is not known. A token that was found good is remembered
for seconds, because checking a signature costs more than everything else on the way.
"""

import asyncio
import time
import warnings
from collections import OrderedDict
from typing import Any, NamedTuple
from uuid import UUID

from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import OKPKey

from bus import log
from http_edge.database import Database
from http_edge.fields import parse_id
from http_edge.problems import ProblemError, refuse

ISSUER = AUDIENCE = "foyer"
_REFRESH_SEC = 60.0
_LOOK_AGAIN_SEC = 1.0
_REMEMBER_SEC = 15.0
_REMEMBER_MOST = 20_000
_LONGEST_TOKEN = 4096
_CLOCKS_SEC = 60.0
"""How far the clock of whoever signs may run ahead of ours."""
_ALGORITHMS = ["EdDSA", "Ed25519"]
_TYPES = ("at+jwt", "application/at+jwt")

# RFC 9864 would name it Ed25519; EdDSA is what other libraries understand so far.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)

_KEYS = "SELECT keys FROM signing_keys WHERE issuer = %s"


class SigningKeys:
    """The public keys of auth, as last read."""

    def __init__(self, database: Database) -> None:
        """Know none yet."""
        self._database = database
        self._keys: dict[str, OKPKey] = {}
        self._published: list[dict[str, Any]] = []
        self._next_look = 0.0
        self._looking = asyncio.Lock()

    @property
    def published(self) -> list[dict[str, Any]]:
        """The keys as JWKs."""
        return self._published

    async def find(self, kid: str) -> OKPKey | None:
        """Return a key, having looked again if it is new; not more than once a second."""
        if kid not in self._keys:
            await self.look()
        return self._keys.get(kid)

    async def look(self) -> None:
        """Read the keys again, unless that was done a moment ago.

        Raises:
            ProblemError: the views cannot be reached.
        """
        async with self._looking:
            if time.monotonic() >= self._next_look:
                self._next_look = time.monotonic() + _LOOK_AGAIN_SEC
                self._take(await self._database.fetch(_KEYS, (ISSUER,)))

    async def keep_fresh(self) -> None:
        """Read them again from time to time, for as long as the process lives."""
        while True:
            try:
                await self.look()
            except ProblemError:  # The views are away; what is known stays known.
                pass
            except Exception:  # noqa: BLE001  # It must go on; the next look may succeed.
                log.get("tokens").exception("the signing keys cannot be read")
            await asyncio.sleep(_REFRESH_SEC if self._keys else _LOOK_AGAIN_SEC)

    def _take(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self._published = row["keys"]
            self._keys = {jwk["kid"]: OKPKey.import_key(jwk) for jwk in self._published}


class Bearer(NamedTuple):
    """Whom a token was given to."""

    user_id: UUID
    session_id: UUID | None
    """The sign-in that it comes from."""
    until: float
    """How long this is remembered, by the wall clock, like `exp`."""
    expires: float
    """When the token ends."""


class Tokens:
    """Turns access tokens into users."""

    def __init__(self, keys: SigningKeys) -> None:
        """Remember none yet."""
        self._keys = keys
        self._known: OrderedDict[str, Bearer] = OrderedDict()

    async def bearer_of(self, authorization: str | None) -> Bearer | None:
        """Return whom an `Authorization` header names; None without one.

        Raises:
            ProblemError: there is one, but it is no valid token.
        """
        if not authorization:
            return None
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not 0 < len(token) <= _LONGEST_TOKEN:
            raise refuse(
                "unauthenticated", "Send the access token as: Authorization: Bearer <token>."
            )
        known = self._known.get(token)
        if known is None or known.until <= time.time():
            known = await self._check(token)
            self._remember(token, known)
        return known

    def _remember(self, token: str, known: Bearer) -> None:
        self._known.pop(token, None)
        self._known[token] = known
        if len(self._known) > _REMEMBER_MOST:
            self._known.popitem(last=False)

    async def _check(self, token: str) -> Bearer:
        try:
            kid = _kid_of(token)
            key = await self._keys.find(kid)
            if key is None:
                raise refuse(
                    "unauthenticated", "The access token was signed with a key that is not known."
                )
            claims = jwt.decode(token, key, algorithms=_ALGORITHMS).claims
        except (JoseError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise refuse("unauthenticated", "The access token is not valid.") from None
        return _bearer_in(claims, time.time())


def _kid_of(token: str) -> str:
    header = jws.extract_compact(token.encode("ascii")).headers()
    if str(header.get("typ", "")).lower() not in _TYPES:
        raise refuse("unauthenticated", "This is not an access token.")
    return str(header["kid"])


def _bearer_in(claims: dict[str, Any], now: float) -> Bearer:
    expires = claims.get("exp")
    user_id = parse_id(str(claims.get("sub")))
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != ISSUER or AUDIENCE not in audiences or user_id is None:
        raise refuse("unauthenticated", "The access token is not for this service.")
    if type(expires) not in (int, float) or expires <= now:  # type: ignore[operator]
        raise refuse("unauthenticated", "The access token has expired.")
    begins = claims.get("nbf", 0)
    if type(begins) not in (int, float) or begins > now + _CLOCKS_SEC:
        raise refuse("unauthenticated", "The access token is not valid yet.")
    ends = float(expires)  # type: ignore[arg-type]
    until = min(now + _REMEMBER_SEC, ends)
    return Bearer(user_id, parse_id(str(claims.get("sid"))), until, ends)
