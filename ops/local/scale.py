"""``make scale order=2``: change how many processes of a type run."""

import argparse
import sys

from ops.local import procfile
from ops.local.errors import StackError
from ops.local.layout import Layout
from ops.local.stack import Stack


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``scale``."""
    parser.add_argument("counts", nargs="+", metavar="TYPE=NUMBER")


def run(args: argparse.Namespace) -> int:
    """Add or drain processes of the types named."""
    try:
        Stack(Layout.from_environment().base).scale(procfile.parse_scale(" ".join(args.counts)))
    except StackError as error:
        sys.stderr.write(f"foyer: {error}\n")
        return 1
    return 0
