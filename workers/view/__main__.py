"""The view service's process."""

from bus.worker import run
from workers.view.handlers import view

if __name__ == "__main__":
    run(view)
