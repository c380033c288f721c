"""What the auth service's processes do before they hear anything."""

from bus.settings import SettingError, give_up
from workers.auth import seals
from workers.auth.handlers import auth, ensure_keys, lifetimes


def read_settings() -> None:
    """Read what is read once; end the process with a sentence when one of them is wrong."""
    try:
        seals.ours()
        seals.edge()
        lifetimes()
    except SettingError as error:
        give_up(error)


def keep_keys() -> None:
    """Make and announce the signing key of a fresh system."""
    with auth.transaction() as tx:
        ensure_keys(tx)
