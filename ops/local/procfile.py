"""The Procfile, read as supervisord's programs.

A line is ``name: command``; a number of processes per name comes from the
person who starts the system, else one.
"""

import shlex
import sys
from collections.abc import Mapping

from ops.local.errors import StackError
from ops.local.layout import ROOT
from ops.local.supervision import Program

# The edge stops first, so that nothing new comes in while the rest drains; the
# stand-in last, since draining workers may still be calling it.
FIRST_TO_STOP = ("edge",)
LAST_TO_STOP = ("stripe",)


def lines() -> dict[str, list[str]]:
    """Process types and their commands, with this interpreter's folder put first."""
    path = ROOT / "Procfile"
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, command = line.split(":", 1)
            words = shlex.split(command)
            found[name.strip()] = [sys.executable if w == "python" else w for w in words]
    return found


def parse_scale(text: str) -> dict[str, int]:
    """Read ``order=3,view=2``; commas or blanks between."""
    known = lines()
    found = {}
    for word in text.replace(",", " ").split():
        name, _, number = word.partition("=")
        if name not in known or not number.isdigit():
            message = f"cannot scale by {word!r}: write TYPE=NUMBER, TYPE one of {', '.join(known)}"
            raise StackError(message)
        found[name] = int(number)
    return found


def programs(scale: Mapping[str, int]) -> list[Program]:
    """One program per process: ``order-1``, ``order-2``, ..."""
    return [
        Program(f"{name}-{number}", command)
        for name, command in lines().items()
        for number in range(1, scale.get(name, 1) + 1)
    ]


def type_of(process: str) -> str:
    """``order`` for ``order-2``."""
    return process.rpartition("-")[0]
