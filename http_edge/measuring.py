"""What the edge measures, and where everybody's numbers are read: /metrics, for Prometheus."""

import asyncio
import time
from collections.abc import Callable

from falcon.asgi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, Histogram

from bus import metrics
from http_edge import sse
from http_edge.calls import CALLS

_LOOK_SEC = _KEPT_SEC = 1.0
_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_NOT_ROUTED = "none"
_METHODS = frozenset({"HEAD", "OPTIONS", *(call.method for call in CALLS)})
_OTHER_METHOD = "other"

REQUEST_SEC = Histogram(
    "foyer_http_request_seconds",
    "From a request's head to its answer's; what a client asked to wait is in it.",
    ["method", "route", "status"],
    buckets=_BUCKETS,
    registry=metrics.REGISTRY,
)
STREAMS = Gauge("foyer_streams", "Clients that listen.", registry=metrics.REGISTRY)
BACKLOG = Gauge(
    "foyer_backlog", "Operations under way, up to the limit.", registry=metrics.REGISTRY
)


def request(req: Request, status: int, lasted_sec: float) -> None:
    """Count a request by its route; nothing that a client makes up names a number."""
    route = (req.uri_template or _NOT_ROUTED).replace(":id}", "}")
    method = req.method if req.method in _METHODS else _OTHER_METHOD
    method = method if req.uri_template else _NOT_ROUTED
    REQUEST_SEC.labels(method, route, status).observe(lasted_sec)


class Measured:
    """At /metrics."""

    def __init__(self, backlog: Callable[[], int]) -> None:
        """Measure the streams and the backlog, too."""
        STREAMS.set_function(sse.open_streams)
        BACKLOG.set_function(backlog)
        self._text = b""
        self._until = 0.0
        self._collecting = asyncio.Lock()

    async def on_get(self, _: Request, resp: Response) -> None:
        """Give the numbers of every process of this machine, a second old at most."""
        async with self._collecting:  # Nothing rations who asks: many cost no more than one.
            if time.monotonic() >= self._until:
                self._text = await asyncio.to_thread(metrics.text)
                self._until = time.monotonic() + _KEPT_SEC
        resp.content_type = CONTENT_TYPE_LATEST
        resp.data = self._text


async def keep_writing() -> None:
    """Leave this process's numbers for the others to show, until cancelled."""
    file = metrics.File()
    try:
        while True:
            await asyncio.to_thread(file.write_in_time)
            await asyncio.sleep(_LOOK_SEC)
    finally:
        file.remove()
