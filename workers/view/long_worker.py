"""The view's process for the layouts of plans: they take long to lay."""

from bus.worker import run
from workers.view.handlers import view

if __name__ == "__main__":
    run(view, long=True)
