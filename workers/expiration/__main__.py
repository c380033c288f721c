"""The expiration service's process; the clock is another one."""

from bus.worker import run
from workers.expiration.handlers import expiration

run(expiration)
