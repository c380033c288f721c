"""Where a system of one port base keeps its files, and which port is whose.

Everything a running system writes is under ``.run/<port base>/``, so that two
systems (a person's, the tests', the benchmark's) never share a file, and
deleting one folder is a full reset. Standard library only.
"""

from dataclasses import dataclass
from pathlib import Path

from bus import settings

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_BASE = 18000

PORTS = {
    "edge": 0,
    "amqp": 1,
    "console": 2,
    "postgresql": 3,
    "redis": 4,
    "mongodb": 5,
    "stripe": 6,
    "epmd": 7,  # Erlang's name server and RabbitMQ's node port: loopback, but
    "erlang": 8,  # they exist, and two systems must not meet on them.
}
_BASE = settings.whole(1, 65535 - max(PORTS.values()))


@dataclass(frozen=True)
class Layout:
    """Paths and ports of the system on one port base."""

    base: int

    @classmethod
    def from_environment(cls, default: int = DEFAULT_BASE) -> "Layout":
        """The system that ``FOYER_PORT_BASE`` names.

        Raises:
            SettingError: it leaves no room for the ports.
        """
        return cls(settings.read("FOYER_PORT_BASE", default, _BASE))

    def port(self, name: str) -> int:
        """The TCP port of one listener, a key of `PORTS`."""
        return self.base + PORTS[name]

    @property
    def directory(self) -> Path:
        """The folder that holds all that this system writes."""
        return ROOT / ".run" / str(self.base)

    @property
    def log(self) -> Path:
        """One file per process."""
        return self.directory / "log"

    @property
    def secrets(self) -> Path:
        """The generated environment, readable by its owner only."""
        return self.directory / "secrets.env"

    @property
    def socket(self) -> Path:
        """Where supervisord listens."""
        return self.directory / "supervisor.sock"

    @property
    def config(self) -> Path:
        """Supervisord's configuration, written at each start and scaling."""
        return self.directory / "supervisor.conf"

    @property
    def pidfile(self) -> Path:
        """Supervisord's own pid."""
        return self.directory / "supervisor.pid"

    def data(self, server: str) -> Path:
        """The data folder of one server."""
        return self.directory / "data" / server
