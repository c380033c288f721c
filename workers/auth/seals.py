"""What auth may open and to whom it seals, by this process's settings.

Read at the first use and kept: a setting that is missing stops the process at its start,
because `__main__` asks for both before it consumes anything.
"""

from functools import cache

from bus.sealing import Opener, Sealer, Unsealable
from bus.service import Refusal
from bus.settings import read


@cache
def ours() -> Opener:
    """Open what was sealed to auth."""
    return read("FOYER_SEAL_KEY", convert=Opener)


@cache
def edge() -> Sealer:
    """Seal what only the edge may read."""
    return read("FOYER_EDGE_SEAL_PUBLIC_KEY", convert=Sealer)


def opened(secret: str) -> str:
    """Return a password as it was typed, or a token as it was given.

    Raises:
        Refusal: it was not sealed to us. Sealing is the sender's business, so it is the sender
            who hears of it; trying again would change nothing.
    """
    try:
        return ours().open(secret)
    except Unsealable as error:
        raise Refusal("invalid_request", "What is sealed cannot be read.") from error
