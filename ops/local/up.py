"""``make up``: start the local system and say where to go."""

import argparse
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Mapping

from ops.local import procfile
from ops.local.errors import StackError
from ops.local.layout import Layout
from ops.local.stack import Stack
from ops.run import TUNABLES

# A person's own Stripe account in place of the stand-in.
STRIPE = ("STRIPE_API_KEY", "STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_API_BASE")

_STRIPE = "https://api.stripe.com"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``up``."""
    parser.add_argument("--scale", default="", help="order=3,view=2")
    parser.add_argument(
        "--servers-only", action="store_true", help="servers, migrated; no processes"
    )
    parser.add_argument("--fresh", action="store_true", help="first remove all its data")


def _seed(stack: Stack) -> None:
    """A small demo, on the first start only."""
    done = stack.layout.directory / "data" / "seeded"
    if done.exists() or importlib.util.find_spec("ops.seed") is None:
        return
    importlib.import_module("ops.seed").run(stack)
    done.touch()


def stripe_of(known: Mapping[str, str]) -> str:
    """Which Stripe a system asks, in words."""
    where = known["STRIPE_API_BASE"]
    return f"its own, at {where}" if where.startswith(_STRIPE) else f"the stand-in at {where}"


def _where_to_go(stack: Stack, *, processes: bool) -> str:
    layout = stack.layout

    def address(name: str) -> str:
        return f"http://127.0.0.1:{layout.port(name)}"

    edge = f"  edge      {address('edge')}\n  docs      {address('edge')}/docs\n"
    return (
        f"{edge if processes else ''}"
        f"  Stripe    {stripe_of(stack.environment())}\n"
        f"  console   {address('console')}  login: operator, "
        f"password: FOYER_OPERATOR_PASSWORD in {layout.secrets}\n"
        f"  logs      {layout.log}\n"
    )


def run(args: argparse.Namespace) -> int:
    """Start; 1 with one clear message when that fails.

    Raises:
        SettingError: a setting is wrong; nothing was started.
    """
    started = time.monotonic()
    layout = Layout.from_environment()
    # By name, as the migrate step: the options can be told with service code that cannot be loaded.
    importlib.import_module("ops.local.tunables").check()
    extra = {name: os.environ[name] for name in (*TUNABLES, *STRIPE) if name in os.environ}
    try:
        stack = Stack(layout.base, extra)
        scale = procfile.parse_scale(args.scale)
        stack.up(processes=not args.servers_only, scale=scale, fresh=args.fresh)
        if not args.servers_only:
            _seed(stack)
    except StackError as error:
        sys.stderr.write(f"foyer: {error}\n")
        return 1
    sys.stdout.write(f"foyer is up ({time.monotonic() - started:.1f} s)\n")
    sys.stdout.write(_where_to_go(stack, processes=not args.servers_only))
    return 0
