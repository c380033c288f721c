"""The ticket service's process."""

from bus.worker import run
from workers.ticket.handlers import ticket

run(ticket)
