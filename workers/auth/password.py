"""How passwords are kept: argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane).

A hash costs a core about 20 ms and 19 MiB. Whoever hashes is in the service's `long` queue, which
is handled one by one: there are no more hashes at once than processes of that type.
"""

import unicodedata
from functools import cache

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

_HASHER = PasswordHasher(
    time_cost=2, memory_cost=19456, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)


def hashed(password: str) -> str:
    """Return the hash to keep."""
    return _HASHER.hash(_canonical(password))


def matches(password_hash: str | None, password: str) -> bool:
    """Whether this is the password.

    Takes the same time when there is no hash to compare with, so that nobody can tell from
    the time of an answer which addresses have an account.
    """
    try:
        _HASHER.verify(password_hash or _nobody(), _canonical(password))
    except VerifyMismatchError:
        return False
    return password_hash is not None


def prepare() -> None:
    """Make what the first comparison with nobody's hash would have to wait for."""
    _nobody()


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with other parameters than new ones are."""
    return _HASHER.check_needs_rehash(password_hash)


@cache
def _nobody() -> str:
    return _HASHER.hash("a password that nobody has")


def _canonical(password: str) -> str:
    """Make one password of one typing: keyboards differ in how they compose (NIST 800-63B)."""
    return unicodedata.normalize("NFKC", password)
