"""A user: an e-mail address and a password, and the rules for both. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

PASSWORD_LENGTH = range(10, 129)
"""In characters. Long enough to resist guessing, short enough to hash (OWASP, NIST 800-63B)."""

_ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody who may sign in."""

    id: UUID
    email: str
    password_hash: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def register(cls, user_id: UUID, email: str, password_hash: str, now: datetime) -> "User":
        """Open an account for a normalised address."""
        return cls(
            id=user_id, email=email, password_hash=password_hash, created_at=now, updated_at=now
        )


def normalised(email: str) -> str:
    """Return the address as it is stored and compared: one person, one spelling."""
    return email.strip().lower()


def is_address(email: str) -> bool:
    """Whether a normalised address can be one; that it works is for a mail to find out."""
    return _ADDRESS.fullmatch(email) is not None


def is_password(text: str) -> bool:
    """Whether a new password may be this."""
    return len(text) in PASSWORD_LENGTH
