"""Which signing keys there should be, at any time. Pure, but for the making of keys.

    published           signs                          published still
    |--- ahead ---|------- life, less ahead -------|--- a token's life ---|
                                    |--- ahead ---|------- the next one signs ...

The next key is published long before it signs, so that whoever keeps a copy of the list has it
by then; the last one stays until nothing that it signed is good any more. So no token is ever
refused because of a rotation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from workers.auth.key import SigningKey, next_revision
from workers.auth.session import ACCESS_TTL_SEC

_STAYS = timedelta(seconds=ACCESS_TTL_SEC + 60)
"""How long after it has signed its last token a key is published: a token's life, and clocks."""


@dataclass(frozen=True)
class Lifetimes:
    """How long a key signs, and how long before that it is published."""

    life: timedelta
    ahead: timedelta


def current(keys: Sequence[SigningKey], now: datetime) -> SigningKey | None:
    """Return the key to sign with."""
    return next((key for key in keys if key.is_current(now)), None)


def kept(
    keys: Sequence[SigningKey], now: datetime, lifetimes: Lifetimes, *, at_once: bool = False
) -> list[SigningKey]:
    """Return the keys as they should be from now on, the newest first, as they are given.

    With `at_once`, the next key is made whatever the age of the one that signs. While one waits
    to sign, no other is made.
    """
    last = max((key.revision for key in keys), default=0)
    staying = [key for key in keys if not _is_over(key, now)]
    signing = current(staying, now)
    if signing is None:
        return [SigningKey.generate(last, now), *staying]
    waiting = any(key.not_before > now for key in staying)
    due = at_once or now >= signing.not_before + lifetimes.life - lifetimes.ahead
    if due and not waiting:
        made = SigningKey.generate(last, now, begins=now + lifetimes.ahead)
        return [made, *(_retired(key, made.not_before) for key in staying)]
    if len(staying) < len(keys):  # Those who remember the list must see that it is a newer one.
        newest, *others = staying
        return [replace(newest, revision=next_revision(last, now)), *others]
    return staying


def _is_over(key: SigningKey, now: datetime) -> bool:
    return key.retires_at is not None and key.retires_at + _STAYS <= now


def _retired(key: SigningKey, at: datetime) -> SigningKey:
    return key if key.retires_at is not None else replace(key, retires_at=at)
