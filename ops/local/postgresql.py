"""PostgreSQL: made on the first start, and run as somebody else when we are root."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from ops.local.errors import StackError
from ops.local.layout import Layout
from ops.local.server import Server, Settings, password_of, tied


def _works(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own words


def _unprivileged(data: Path) -> list[str]:
    """How to run PostgreSQL, which refuses to run as root, on this folder.

    For root: in a user namespace where root's own id is shown as that of the
    package's user. Files keep belonging to root, so it works also in a clone
    below /root, where no other user may look. Where namespaces are forbidden
    (some containers), as the package's user, if it can get there.
    """
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    shown = [f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}"]
    namespace = ["/usr/bin/unshare", "--user", *shown, "--"]
    if _works([*namespace, "true"]):
        _own(data, 0, 0)
        return namespace
    became = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    switched = ["/usr/bin/setpriv", *became, "--"]
    _own(data, user.pw_uid, user.pw_gid)
    if _works([*switched, "test", "-w", str(data)]):
        return switched
    message = (
        "PostgreSQL does not run as root, this machine allows no user namespaces, and its user "
        f"{user.pw_name} cannot reach {data}: move the clone to where others may look, or "
        "work as another user than root"
    )
    raise StackError(message)


def _own(data: Path, user: int, group: int) -> None:
    """Give the folder to that user, where it is not theirs already."""
    if data.stat().st_uid != user:
        for path in (data, *data.rglob("*")):
            os.chown(path, user, group, follow_symlinks=False)


def _postgres_binaries() -> Path:
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"),
        key=lambda p: float(p.parts[4]),
    )
    if not versions:
        message = "PostgreSQL's server is not installed: run `make bootstrap`"
        raise StackError(message)
    return versions[-1].parent


def _initdb(layout: Layout, settings: Settings) -> Path:
    data = layout.data("postgresql")
    if data.exists():
        return data
    fresh = data.with_name("postgresql.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    as_user = _unprivileged(fresh)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as password:
        password.write(password_of(settings, "FOYER_ADMIN_DATABASE_URL"))
        password.flush()
        os.chown(password.name, fresh.stat().st_uid, fresh.stat().st_gid)
        command = [
            *as_user,
            str(_postgres_binaries() / "initdb"),
            f"--pgdata={fresh}",
            "--username=admin",
            f"--pwfile={password.name}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if result.returncode:
        message = f"PostgreSQL's initdb failed:\n{result.stdout[-1500:]}{result.stderr[-1500:]}"
        raise StackError(message)
    fresh.rename(data)
    return data


def _postgres_ready(settings: Settings) -> bool:
    try:
        with psycopg.connect(settings["FOYER_ADMIN_DATABASE_URL"], connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def postgresql(layout: Layout, settings: Settings) -> Server:
    """PostgreSQL over TCP only; durable, tuned for a small machine with an SSD."""
    options = {
        "port": layout.port("postgresql"),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": 200,
        "shared_buffers": "256MB",
        "fsync": "on",
        "synchronous_commit": "on",
        "wal_compression": "on",
        "max_wal_size": "2GB",
        "random_page_cost": "1.1",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    data = _initdb(layout, settings)
    tuned = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    server = [str(_postgres_binaries() / "postgres"), "-D", str(data), *tuned]
    # INT is PostgreSQL's "fast" stop; TERM would wait for every client to leave.
    # The tie comes after unshare, since the kernel forgets it when rights change.
    command = [*_unprivileged(data), *tied("INT", server)]
    return Server("postgresql", command, _postgres_ready, stop_signal="INT")
