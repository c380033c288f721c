"""``python -m ops order <id>``: one order's whole story, over all the services, in time order.

The id is an order's, an operation's, a payment's, a reservation's, or a Stripe payment intent's.
With an action after it something is done about an order that is stuck: see `ops.story.actions`.
"""

import argparse
import sys

from bus.publisher import NotConfirmed
from ops.stores import Stores, at_hand, settings
from ops.story import actions, pages
from ops.story.ids import find
from ops.story.told import Story, tell

__all__ = ["Story", "configure", "find", "run", "tell"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``order``."""
    parser.add_argument("id", help="an order, operation, payment, reservation or payment intent")
    parser.add_argument("action", nargs="?", choices=actions.ACTIONS, help="do something about it")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """Tell it; 1 when nobody knows the id."""
    with at_hand() as stores:
        order_id, operations = find(stores, args.id)
        if order_id is None and not operations:
            sys.stderr.write(f"not found: no order, operation or payment has the id {args.id}\n")
            return 1
        story = tell(stores, order_id, operations)
        if args.action:
            return _act(stores, story, args.action)
    if args.json:
        pages.as_json(story)
    else:
        pages.as_text(story)
    return 0


def _act(stores: Stores, story: Story, action: actions.Action) -> int:
    try:
        done = actions.act(stores, settings()["FOYER_ADMIN_AMQP_URL"], story, action)
    except (LookupError, NotConfirmed) as error:
        sys.stderr.write(f"not done: {error}\n")
        return 1
    sys.stdout.writelines(f"{each}\n" for each in done)
    return 0
