"""The auth service's process for passwords: hashing takes a core some 20 ms each time."""

from bus.worker import run
from workers.auth import password
from workers.auth.handlers import auth
from workers.auth.starting import keep_keys, read_settings


def prepare() -> None:
    """Have all that the first sign-in would have to wait for."""
    password.prepare()
    keep_keys()


if __name__ == "__main__":
    read_settings()
    run(auth, prepare, long=True)
