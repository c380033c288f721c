"""The stand-in's process: one event loop, one thread, one core at most."""

import argparse
import asyncio
import logging
import signal
import sys
import time
from functools import partial

import orjson
import structlog
import uvloop

from bus.settings import SettingError, give_up
from ops.stripe_stand_in.application import Application
from ops.stripe_stand_in.deliveries import Deliveries
from ops.stripe_stand_in.desk import Desk
from ops.stripe_stand_in.faults import Faults
from ops.stripe_stand_in.panel import ROOT, Panel
from ops.stripe_stand_in.server import Connection, Reply, Request
from ops.stripe_stand_in.settings import Settings
from ops.stripe_stand_in.store import Store

log = structlog.get_logger("stripe_stand_in")

KEYS_LIVE_SEC = 24 * 3600
SWEEP_EVERY_SEC = 10
DRAIN_SEC = 10.0


def main() -> None:
    """Run until SIGTERM or SIGINT; exit 1 when the disk refuses a commit."""
    parser = argparse.ArgumentParser(prog="ops.stripe_stand_in", description=__doc__)
    parser.add_argument(
        "--events",
        default="",
        help="the types that the webhook endpoint is registered for, by commas; all when empty",
    )
    events = frozenset(filter(None, parser.parse_args().events.split(",")))
    try:
        settings = Settings.read()
    except KeyError as missing:
        give_up(SettingError(f"{missing.args[0]} is not set."))
    except ValueError as wrong:
        give_up(SettingError(f"FOYER_PORT_BASE is wrong: {wrong}."))
    _log_json(settings.log_level)
    sys.exit(uvloop.run(serve(settings, events)))


async def serve(settings: Settings, events: frozenset[str]) -> int:
    """Serve; give the exit status."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, ended, 0)
    store = Store(settings.directory / "stripe.sqlite", loop, partial(_disk_refused, ended))
    origin = f"http://127.0.0.1:{settings.port}"
    deliveries = Deliveries(store, settings.webhook_url, settings.webhook_secret, origin)
    desk = Desk(store, Faults(), deliveries.add, events)
    keys = {settings.api_key: False, settings.publishable_key: True}
    application = Application(desk, keys, loop)
    panel = Panel(desk, deliveries, int(time.time()))

    def handle(request: Request, reply: Reply) -> None:
        if request.path.startswith(ROOT):
            answer = panel.handle(request, int(time.time()))
            store.after_commit(lambda: reply(answer))
        else:
            application.handle(request, reply)

    deliveries.start()
    connections: set[Connection] = set()
    server = await loop.create_server(
        lambda: Connection(handle, connections),
        settings.host,
        settings.port,
        reuse_address=True,
        backlog=1024,
    )
    sweeping = asyncio.create_task(_sweep(store))
    log.info(
        "listening",
        port=settings.port,
        webhooks=settings.webhook_url,
        undelivered=deliveries.waiting,
    )
    status = await ended
    server.close()
    sweeping.cancel()
    await _drain(application)
    await deliveries.stop()
    for connection in list(connections):
        connection.close()
    if status == 0:
        store.close()
    log.info("stopped", status=status)
    return status


async def _drain(application: Application) -> None:
    """Let the calls that were begun be answered, for a while."""
    until = time.monotonic() + DRAIN_SEC
    while application.calls_waiting and time.monotonic() < until:  # noqa: ASYNC110 - it has a deadline
        await asyncio.sleep(0.02)


async def _sweep(store: Store) -> None:
    """Forget old idempotency keys, as Stripe does after a day."""
    while True:
        store.forget_keys(int(time.time()) - KEYS_LIVE_SEC)
        await asyncio.sleep(SWEEP_EVERY_SEC)


def _end(ended: asyncio.Future[int], status: int) -> None:
    if not ended.done():
        ended.set_result(status)


def _disk_refused(ended: asyncio.Future[int], failed: BaseException) -> None:
    log.critical("commit failed", error=str(failed))
    _end(ended, 1)


def _log_json(level: str) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping().get(level, logging.INFO)
        ),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


if __name__ == "__main__":
    main()
