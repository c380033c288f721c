"""The venue's process for plans: they take long to make and to change."""

from bus.worker import run
from workers.venue.handlers import venue

if __name__ == "__main__":
    run(venue, long=True)
