"""The user service's process."""

from bus.worker import run
from workers.user.handlers import user

if __name__ == "__main__":
    run(user)
