"""The auth service's process: it has its seals and a signing key before it hears anything."""

from bus.worker import run
from workers.auth.handlers import auth
from workers.auth.starting import keep_keys, read_settings

if __name__ == "__main__":
    read_settings()
    run(auth, keep_keys)
