"""The venue service's process."""

from bus.worker import run
from workers.venue.handlers import venue

run(venue)
