"""``python -m ops verify``: check the lines that must never break.

Waits for rest, at most thirty seconds, then compares all the stores, read-only. What looks broken
is looked at again while there is time left: a message may have been on its way after all. A new
line is one more entry in `LINES`.
"""

import argparse
import time

from ops.local.layout import Layout
from ops.stores import Stores, at_hand
from ops.verify import ends, maps, money, people, refunds, report, seats, stock, views
from ops.verify.finding import Finding, Line
from ops.verify.rest import Rest

LINES = (
    Line("1", "reserved + sold is within the quota and what the reservations say", stock.quotas),
    Line("1", "a reservation fits its order", stock.reservations),
    Line("2", "a seat is in one live reservation at most, and as it says", seats.ledger),
    Line("2", "a seated order has the seats of its reservation", seats.reservations),
    Line("3", "a confirmed order has its payment, and no other order keeps money", money.payments),
    Line("4", "orders, payments and Stripe's list come to the same", money.stripes_list),
    Line("4", "refunds are what Stripe's list says", refunds.refunds),
    Line("5", "Stripe's events and intents are there once", money.recorded_once),
    Line("6", "a seat costs what it did when it was reserved", seats.prices),
    Line("7", "nobody has more than the limit", stock.limits),
    Line("7", "nobody holds more seats than the limit", seats.limits),
    Line("8", "operations and orders end", ends.ends),
    Line("8", "holds end", seats.holds),
    Line("9", "the view says what the order service says", views.orders),
    Line("9", "the view says what the payment service says", views.payments),
    Line("9", "the view says what the ticket service says", views.tickets),
    Line("9", "the maps say what the venue service says", maps.maps),
    Line("9", "the view says what the auth service says", people.accounts),
    Line("9", "the view says what the user service says", people.people),
    Line("9", "dead letters are explained", views.left_over),
)
_LONGEST_WAIT_SEC = 30.0
_LOOK_SEC = 0.25
_LOOK_AGAIN_SEC = 2.0


def wait_for_rest(stores: Stores, deadline: float) -> dict[str, int]:
    """Wait until nothing is under way; return what still was at the deadline."""
    rest = Rest(stores)
    while (found := rest.disturbed_by()) and time.monotonic() < deadline:
        time.sleep(_LOOK_SEC)
    return found


def verify(stores: Stores, wait_sec: float = _LONGEST_WAIT_SEC) -> list[Finding]:
    """Check every line, rest first; what is broken is so at the last two looks.

    On a system that goes on living, something is always just moving from one store to the next:
    not the same thing at two looks. Looks go on until the deadline, and there are two at least.
    """
    deadline = time.monotonic() + wait_sec
    seen: list[set[tuple[str, str]]] = []
    while True:
        rest = Finding("rest", "nothing is under way")
        for name, number in wait_for_rest(stores, deadline).items():
            rest.fail(name, f"{number} after {wait_sec:g} s")
        findings = [rest, *(line.look(stores) for line in LINES)]
        seen.append({(each.line, each.id) for finding in findings for each in finding.broken})
        if not seen[-1]:
            return findings
        if len(seen) > 1 and time.monotonic() > deadline:
            lasting = set.intersection(*seen[-2:])
            for finding in findings:
                finding.broken[:] = [e for e in finding.broken if (e.line, e.id) in lasting]
            return findings
        time.sleep(_LOOK_AGAIN_SEC)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``verify``."""
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--wait", type=float, default=_LONGEST_WAIT_SEC, metavar="SECONDS", help="for rest"
    )


def run(args: argparse.Namespace) -> int:
    """Print what was compared; 1 when a line is broken."""
    started = time.monotonic()
    with at_hand() as stores:
        findings = verify(stores, args.wait)
    seconds = time.monotonic() - started
    if args.json:
        report.as_json(findings, seconds)
    else:
        report.as_table(findings, seconds, Layout.from_environment().base)
    return 1 if any(finding.broken for finding in findings) else 0
