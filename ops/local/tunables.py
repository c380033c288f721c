"""The tunables, read here as the processes will read them.

`make up` passes them on to processes that it does not wait for, so it looks at them first.
"""

from collections.abc import Callable

import http_edge.settings
from bus import log
from bus.settings import retry_delays
from bus.worker import read_batch
from workers.auth import handlers as auth
from workers.order import service as order
from workers.payment import gateway_worker as gateway

# What is read once in a process is read anew here.
_READERS: tuple[Callable[[], object], ...] = (
    order.lifetimes.__wrapped__,
    retry_delays,
    read_batch,
    gateway.read_threads,
    auth.lifetimes.__wrapped__,
    http_edge.settings.bind,
    http_edge.settings.tunables,
    log.read_level,
)


def check() -> None:
    """Read each of `ops.run.TUNABLES`.

    Raises:
        SettingError: one is wrong.
    """
    for read in _READERS:
        read()
