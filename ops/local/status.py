"""``make status``: servers and processes, with pid and age."""

import argparse
import sys

from ops.local.layout import Layout
from ops.local.stack import Stack


def configure(parser: argparse.ArgumentParser) -> None:
    """Nothing to choose."""
    parser.description = __doc__


def run(_args: argparse.Namespace) -> int:
    """Print the list; 1 when nothing runs."""
    found = Stack(Layout.from_environment().base).status()
    if not found:
        sys.stdout.write("foyer is down\n")
        return 1
    for each in found:
        pid = str(each.pid or "-")
        sys.stdout.write(f"{each.name:<16}{each.state:<10}{pid:>8}  {each.uptime_sec:>7} s\n")
    return 0
