"""Signing keys: made here, private here; their public halves are announced."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc.jwk import OKPKey

ISSUER = "foyer"
_SKEW = timedelta(minutes=1)
"""How far two who sign may be apart: whoever waited for the key began before it was made."""


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """An Ed25519 key that access tokens are signed with."""

    kid: str
    private_jwk: dict[str, Any]
    public_jwk: dict[str, Any]
    created_at: datetime
    not_before: datetime
    retires_at: datetime | None
    revision: int
    """Of the last announcement that it was the newest key of."""

    @classmethod
    def generate(
        cls, last_revision: int, now: datetime, begins: datetime | None = None
    ) -> "SigningKey":
        """Make a key; its name is its thumbprint (RFC 7638).

        It may sign at once unless it is told when.
        """
        made = OKPKey.generate_key("Ed25519")
        named = {"kid": made.thumbprint(), "use": "sig", "alg": "EdDSA"}
        return cls(
            kid=named["kid"],
            private_jwk=dict(made.as_dict(private=True)) | named,
            public_jwk=dict(made.as_dict(private=False)) | named,
            created_at=now,
            not_before=begins or now - _SKEW,
            retires_at=None,
            revision=next_revision(last_revision, now),
        )

    def is_current(self, now: datetime) -> bool:
        """Whether tokens may be signed with it now."""
        return self.not_before <= now and (self.retires_at is None or now < self.retires_at)

    def __repr__(self) -> str:
        """Keep the private half out of logs and tracebacks."""
        return f"SigningKey({json.dumps(self.public_jwk)})"


def next_revision(last: int, now: datetime) -> int:
    """Return the revision of another announcement.

    It also grows with time, so that whoever remembers an announcement of before this store was
    emptied or restored believes the new one.
    """
    return max(last + 1, int(now.timestamp()) // 60)
