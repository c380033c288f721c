"""What the private servers have in common.

All run in the foreground under supervisord, listen on loopback only, and end
when supervisord ends, even when it is killed (``setpriv --pdeathsig``: the
kernel sends the server its own clean-stop signal).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

Settings = Mapping[str, str]


@dataclass(frozen=True)
class Server:
    """One server: its command, and the question that tells when it serves."""

    name: str
    command: list[str]
    ready: Callable[[Settings], bool]
    stop_signal: str = "TERM"
    environment: Mapping[str, str] = field(default_factory=dict)
    slow: bool = False  # To be ready; others are migrated meanwhile.


def password_of(settings: Settings, name: str) -> str:
    """Return the password inside the address that this setting holds."""
    return unquote(urlsplit(settings[name]).password or "")


def private_file(path: Path, text: str, mode: int = 0o600) -> Path:
    """Write what only its owner may read; in one step, since a server may be starting on it."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return path
    fresh = path.with_name(f"{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(mode)
    fresh.rename(path)
    return path


def tied(signal: str, command: list[str]) -> list[str]:
    """Return the command that gets this signal when its parent dies."""
    return ["/usr/bin/setpriv", "--pdeathsig", signal, *command]
