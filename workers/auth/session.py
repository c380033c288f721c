"""A session: an access token for minutes, and a refresh token to get the next one with.

The access token is a JWT (RFC 9068's profile, `typ` at+jwt) signed with Ed25519, which the edge
checks by itself. The refresh token is random and opaque; only its hash is kept, so a stolen
database signs nobody in.
"""

import hashlib
import warnings
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal
from uuid import UUID

import orjson
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import OKPKey

from workers.auth.key import ISSUER, SigningKey

ACCESS_TTL_SEC = 600
REFRESH_TTL = timedelta(days=30)
REFRESH_TOKEN_BYTES = 32
"""So many random bytes cannot be guessed."""

Standing = Literal["good", "used", "over"]

# RFC 9864 renames the algorithm to the curve that we use; verifiers know the older name.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)


@dataclass(frozen=True, kw_only=True)
class Session:
    """One refresh token and what it descends from."""

    id: UUID
    user_id: UUID
    family: UUID
    refresh_token_hash: bytes
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    """When it was exchanged for the next one: seeing it again is theft."""
    revoked_at: datetime | None = None

    @classmethod
    def open(cls, session_id: UUID, user_id: UUID, refresh_token: str, now: datetime) -> "Session":
        """Begin a family of refresh tokens: somebody gave the right password."""
        return cls(
            id=session_id,
            user_id=user_id,
            family=session_id,
            refresh_token_hash=token_hash(refresh_token),
            created_at=now,
            expires_at=now + REFRESH_TTL,
        )

    def standing(self, now: datetime) -> Standing:
        """Tell what the token is good for.

        One that was exchanged is never good again, not for a moment: the answer to a client that
        lost one is to sign in again, and a thief gets no time in which nobody would notice.
        """
        if self.revoked_at is not None or self.expires_at <= now:
            return "over"
        return "good" if self.used_at is None else "used"

    def follow(self, session_id: UUID, refresh_token: str, now: datetime) -> "Session":
        """Hand the session on to another token; it ends when nobody has for `REFRESH_TTL`."""
        return replace(
            self,
            id=session_id,
            refresh_token_hash=token_hash(refresh_token),
            created_at=now,
            expires_at=now + REFRESH_TTL,
            used_at=None,
        )


def token_hash(refresh_token: str) -> bytes:
    """Return what is kept of a refresh token; 256 random bits need no slow hash."""
    return hashlib.sha256(refresh_token.encode()).digest()


def access_token(session: Session, key: SigningKey) -> str:
    """Sign the proof that this user signed in, good for `ACCESS_TTL_SEC` from its opening."""
    issued = int(session.created_at.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": str(session.user_id),
        "iat": issued,
        "exp": issued + ACCESS_TTL_SEC,
        "jti": str(session.id),
        "sid": str(session.family),
    }
    header = {"alg": "EdDSA", "typ": "at+jwt", "kid": key.kid}
    private = _imported(orjson.dumps(key.private_jwk))
    return jwt.encode(header, claims, private, algorithms=["EdDSA"])


@lru_cache(maxsize=8)
def _imported(private_jwk: bytes) -> OKPKey:
    return OKPKey.import_key(orjson.loads(private_jwk))
