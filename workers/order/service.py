"""The service, and how long its orders may stay unfinished."""

from datetime import timedelta
from functools import cache

from bus import settings
from bus.service import Service
from bus.stores.postgres import Connection, Postgres
from workers.order.order import Lifetimes

order = Service[Connection]("order", Postgres())


@cache
def lifetimes() -> Lifetimes:
    """Read how long an order may stay unfinished, once.

    Raises:
        SettingError: one of the two is not a number of seconds.
    """
    at_most_a_day = settings.whole(1, 86400)
    return Lifetimes(
        pending=timedelta(seconds=settings.read("FOYER_PENDING_TTL_SEC", 300, at_most_a_day)),
        payable=timedelta(seconds=settings.read("FOYER_ORDER_TTL_SEC", 600, at_most_a_day)),
    )
