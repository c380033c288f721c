"""``make down``: drain and stop the local system; its data stays."""

import argparse
import sys

from ops.local.errors import StackError
from ops.local.layout import Layout
from ops.local.stack import Stack


def configure(parser: argparse.ArgumentParser) -> None:
    """Nothing to choose."""
    parser.description = __doc__


def run(_args: argparse.Namespace) -> int:
    """Stop; fine when nothing runs."""
    try:
        Stack(Layout.from_environment().base).down()
    except StackError as error:
        sys.stderr.write(f"foyer: {error}\n")
        return 1
    sys.stdout.write("foyer is down; its data stays\n")
    return 0
