"""Reading the generated environment; apart from making it, so that reading is quick."""

import shlex
from pathlib import Path


def read(path: Path) -> dict[str, str]:
    """Parse ``NAME=value`` lines quoted for a shell."""
    lines = shlex.split(path.read_text(encoding="utf-8"), comments=True)
    return dict(line.split("=", 1) for line in lines)
