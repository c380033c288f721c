"""``python -m ops rotate-keys``: have the next signing key made now, whatever the age of the last.

What the clock does when a key is old enough, to be tried before it must work. The next key is
published at once and signs when everybody has it (``FOYER_KEY_AHEAD_SEC``); the last one stays
until nothing that it signed is good any more, so nobody has to sign in again. Asked again
meanwhile, the same key stays the next.
"""

import argparse
import sys
import time
from datetime import UTC, datetime

from bus.envelope import envelope_of, outgoing
from bus.publisher import Publisher
from ops.stores import Row, Stores, at_hand, settings
from schemas.auth import RotateKeys

_LOOK_SEC = 0.1
# Never the private half: not even to an operator's command.
_KEYS = "SELECT kid, not_before, retires_at FROM signing_keys ORDER BY not_before"


def ask(amqp_url: str) -> None:
    """Ask for the next key.

    Raises:
        NotConfirmed: the broker did not take the command.
    """
    publisher = Publisher(amqp_url, name="rotate-keys", timeout_sec=10)
    publisher.start()
    try:
        for future in publisher.publish([outgoing(envelope_of(RotateKeys(), source="/ops"))]):
            future.result()
    finally:
        publisher.stop()


def published(stores: Stores) -> list[Row]:
    """Return the keys that the views show, the oldest first."""
    rows = stores.rows("view", "SELECT keys FROM signing_keys")
    shown = {key["kid"] for row in rows for key in row["keys"]}
    return [key for key in stores.rows("auth", _KEYS) if key["kid"] in shown]


def waiting(keys: list[Row]) -> list[Row]:
    """Return those that are yet to sign."""
    return [key for key in keys if key["not_before"] > datetime.now(UTC)]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``rotate-keys``."""
    parser.add_argument(
        "--wait", type=float, default=30, metavar="SECONDS", help="for the key to be published"
    )


def run(args: argparse.Namespace) -> int:
    """Rotate; 1 when the next key was not published in time."""
    deadline = time.monotonic() + args.wait
    with at_hand() as stores:
        ask(settings()["FOYER_ADMIN_AMQP_URL"])
        while not waiting(keys := published(stores)) and time.monotonic() < deadline:
            time.sleep(_LOOK_SEC)
    for key in keys:
        until = f"until {key['retires_at']:%F %T} UTC" if key["retires_at"] else "and no end is set"
        sys.stdout.write(f"{key['kid']}  signs from {key['not_before']:%F %T} UTC {until}\n")
    if not waiting(keys):
        sys.stderr.write("foyer: the next key is not published; is auth running?\n")
        return 1
    return 0
