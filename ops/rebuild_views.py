"""``python -m ops rebuild-views``: have every owner say its state again, beside the live rows.

Each service says what it has, a page at a time, and the view replaces what is older: safe during a
sale, and what was lost from the views comes back. Operations, their steps and the timelines of
orders are the view's own and are not touched.
"""

import argparse
import sys
import time

from bus.envelope import envelope_of, outgoing
from bus.publisher import Publisher
from ops.stores import Stores, at_hand, settings
from ops.verify import LINES, wait_for_rest
from ops.verify.finding import Finding
from schemas.auth import RepublishAccounts, RepublishKeys
from schemas.order import RepublishOrders
from schemas.payment import RepublishPayments
from schemas.ticket import RepublishTickets
from schemas.user import RepublishUsers
from schemas.venue import RepublishVenues

COMMANDS = (
    RepublishKeys,
    RepublishAccounts,
    RepublishOrders,
    RepublishPayments,
    RepublishTickets,
    RepublishUsers,
    RepublishVenues,
)
_VIEWS = "9"
_REST_WITHIN_SEC = 5.0
_LOOK_AGAIN_SEC = 1.0


def rebuild(stores: Stores, amqp_url: str, wait_sec: float) -> list[Finding]:
    """Ask, and compare the views with their owners until they say the same.

    During a sale there is no rest, and every look finds something that is on its way: what
    differs is what is found at each look.

    Raises:
        NotConfirmed: the broker did not take the commands.
    """
    stores.channel()  # A broker that is away is told of at once.
    publisher = Publisher(amqp_url, name="rebuild-views", timeout_sec=10)
    publisher.start()
    try:
        asked = [outgoing(envelope_of(command(), source="/ops")) for command in COMMANDS]
        for future in publisher.publish(asked):
            future.result()
    finally:
        publisher.stop()
    deadline = time.monotonic() + wait_sec
    wait_for_rest(stores, min(deadline, time.monotonic() + _REST_WITHIN_SEC))
    findings = _look(stores)
    while any(finding.broken for finding in findings) and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN_SEC)
        for finding, again in zip(findings, _look(stores), strict=True):
            finding.broken = [each for each in finding.broken if each in again.broken]
    return findings


def _look(stores: Stores) -> list[Finding]:
    return [line.look(stores) for line in LINES if line.number == _VIEWS]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``rebuild-views``."""
    parser.add_argument(
        "--wait", type=float, default=300, metavar="SECONDS", help="for all to be said again"
    )


def run(args: argparse.Namespace) -> int:
    """Rebuild; 1 when the views differ from their owners afterwards."""
    with at_hand() as stores:
        findings = rebuild(stores, settings()["FOYER_ADMIN_AMQP_URL"], args.wait)
    for finding in findings:
        compared = ", ".join(f"{number} {name}" for name, number in finding.compared.items())
        sys.stdout.write(f"{finding.title}: {compared or 'none'}\n")
        for each in finding.broken:
            sys.stdout.write(f"  {each.id} {each.why}\n")
    return 1 if any(finding.broken for finding in findings) else 0
