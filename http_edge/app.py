"""The edge: what is made of what, started and stopped.

    application   the ASGI application that gunicorn serves

Nothing is connected when the module is imported: connections and threads are made after gunicorn
has forked. A process starts without the bus or the views and serves when they come.
"""

import asyncio
import os
import sys
from typing import Any

import falcon
from falcon.asgi import App, Request, Response
from falcon.routing import BaseConverter

from bus import log
from bus.publisher import Publisher
from http_edge import measuring, problems, settings
from http_edge.access_log import AccessLog
from http_edge.accounts import (
    CurrentSession,
    Jwks,
    Me,
    MyBillingAddress,
    MyPassword,
    MyPreferences,
    MyProfile,
    Refresh,
    Sessions,
    Users,
)
from http_edge.admission import Admission
from http_edge.bell import Bell
from http_edge.database import Database
from http_edge.documents import Docs, OpenApi
from http_edge.fields import parse_id
from http_edge.following import Operation
from http_edge.gate import Gate
from http_edge.health import Alive, Ready
from http_edge.layouts import Layouts
from http_edge.manners import Manners, OtherSites
from http_edge.measuring import Measured
from http_edge.notifications import Notifications
from http_edge.operations import Operations
from http_edge.orders import Order, OrderCancellation, OrderPayment, OrderRefunds, Orders
from http_edge.plans import (
    PlanActivation,
    PlanAvailability,
    PlanBlocks,
    PlanHolds,
    SeatingPlan,
    SeatingPlans,
)
from http_edge.rates import Rates
from http_edge.reading import Reader
from http_edge.seat_maps import SeatMaps
from http_edge.seating_views import SeatingViews
from http_edge.settings import Settings
from http_edge.sse import Streams
from http_edge.tickets import Ticket, TicketCancellation, TicketOrders, Tickets
from http_edge.tokens import SigningKeys, Tokens
from http_edge.venues import OrganizerSettings, Venue, Venues, VenueSection, VenueSections
from http_edge.views import Views
from http_edge.watching import Watchers
from http_edge.webhooks import StripeWebhook
from http_edge.writes import Writes

Application = App[Request, Response]
_READ_CONNECTIONS = 4
_SWITCH_SEC = 0.0005
"""How long the publisher's thread and the event loop let each other run."""


class IdConverter(BaseConverter):
    """Path ids: a UUID in its canonical form, or the path leads nowhere."""

    def convert(self, value: str) -> Any:  # noqa: ANN401  # Falcon's.
        """Return the UUID, or None for no match."""
        return parse_id(value)


class Edge:
    """The parts of one process, and their life."""

    def __init__(self, told: Settings) -> None:
        """Make the parts; nothing is connected yet."""
        self.settings = told
        self.access_log = AccessLog()
        self.publisher = Publisher(told.amqp_url, name="edge")
        self.written = Database(told.database_url, size=1)
        self.read = Database(told.database_url, size=_READ_CONNECTIONS)
        self.keys = SigningKeys(self.read)
        self.tokens = Tokens(self.keys)
        self.bell = Bell(told.database_url)
        self.rates = Rates(told.rate_limits, told.trusted_proxies)
        self.streams = Streams(told.stream_limits)
        self.admission = Admission(self.read, told.admission_backlog)
        self.operations = Operations(self.written, self.publisher)
        self.reader = Reader(
            self.read,
            told.opener,
            publishable_key=told.publishable_key,
            stripe_api_base=told.stripe_api_base,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def process_startup(self, _: object, __: object) -> None:
        """Connect, or begin to try."""
        sys.setswitchinterval(_SWITCH_SEC)
        log.get("process").info("started", pid=os.getpid())
        self.publisher.start()
        self._tasks = [
            asyncio.create_task(self.bell.listen()),
            asyncio.create_task(self.keys.keep_fresh()),
            asyncio.create_task(self.admission.keep_looking()),
            asyncio.create_task(measuring.keep_writing()),
        ]

    async def process_shutdown(self, _: object, __: object) -> None:
        """Let go of everything; the requests have been answered."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.publisher.stop)
        await self.written.close()
        await self.read.close()
        self.access_log.flush()

    def routes(self) -> dict[str, object]:
        """Return the resource of each path."""
        views = Views(self.read)
        writes = Writes(
            self.operations, self.reader, self.bell, self.admission, self.settings.request_key
        )
        sealer = self.settings.auth_sealer
        return {
            "/v1/users": Users(writes, sealer),
            "/v1/users/me": Me(views, writes, sealer),
            "/v1/users/me/password": MyPassword(writes, sealer),
            "/v1/users/me/profile": MyProfile(writes),
            "/v1/users/me/preferences": MyPreferences(writes),
            "/v1/users/me/billing-address": MyBillingAddress(writes),
            "/v1/sessions": Sessions(writes, sealer),
            "/v1/sessions/refresh": Refresh(writes, sealer),
            "/v1/sessions/current": CurrentSession(writes),
            "/.well-known/jwks.json": Jwks(self.keys),
            "/v1/tickets": Tickets(views, writes),
            "/v1/tickets/{ticket_id:id}": Ticket(views, writes),
            "/v1/tickets/{ticket_id:id}/orders": TicketOrders(views),
            "/v1/tickets/{ticket_id:id}/cancellation": TicketCancellation(writes),
            "/v1/orders": Orders(views, writes),
            "/v1/orders/{order_id:id}": Order(views),
            "/v1/orders/{order_id:id}/payment": OrderPayment(views, self.reader),
            "/v1/orders/{order_id:id}/cancellation": OrderCancellation(writes),
            "/v1/orders/{order_id:id}/refunds": OrderRefunds(writes),
            "/v1/operations/{operation_id:id}": Operation(
                self.reader, writes, self.bell, self.streams
            ),
            "/v1/notifications": Notifications(
                self.read, views, self.reader, self.bell, self.streams
            ),
            **_seating(self.read, self.bell, self.streams, writes),
            "/webhooks/stripe": StripeWebhook(self.operations, self.settings.webhook_secret),
            "/healthz": Alive(),
            "/metrics": Measured(lambda: self.admission.waiting),
            "/readyz": Ready(self.publisher, self.read, self.bell, self.keys),
            "/openapi.json": OpenApi(),
            "/docs": Docs(),
        }


def make(told: Settings) -> Application:
    """Return the application for these settings."""
    edge = Edge(told)
    others = [OtherSites(told.cors_origins)] if told.cors_origins else []
    gate = Gate(edge.tokens, edge.rates, edge.access_log)
    app: Application = App(middleware=[edge, Manners(), *others, gate])
    app.router_options.converters["id"] = IdConverter
    # The gate reads the query itself: what Falcon leaves out must be refused, not overlooked.
    app.req_options.auto_parse_qs_csv = False
    for path, resource in edge.routes().items():
        if hasattr(
            resource, "on_get"
        ):  # A HEAD is a GET without the body, which Falcon leaves out.
            vars(resource)["on_head"] = resource.on_get
        app.add_route(path, resource)
    app.add_error_handler(Exception, problems.on_fault)
    app.add_error_handler(falcon.HTTPError, problems.on_http_error)
    app.add_error_handler(problems.ProblemError, problems.on_problem)
    return app


def _seating(read: Database, bell: Bell, streams: Streams, writes: Writes) -> dict[str, object]:
    views = SeatingViews(read)
    venue, plan = "/v1/venues/{venue_id:id}", "/v1/seating-plans/{plan_id:id}"
    return {
        "/v1/venues": Venues(views, writes),
        venue: Venue(views, writes),
        f"{venue}/sections": VenueSections(writes),
        venue + "/sections/{section_id:id}": VenueSection(writes),
        "/v1/organizer/settings": OrganizerSettings(views, writes),
        "/v1/seating-plans": SeatingPlans(writes),
        plan: SeatingPlan(Layouts(read), writes),
        f"{plan}/availability": PlanAvailability(SeatMaps(read), Watchers(bell), streams),
        f"{plan}/activation": PlanActivation(writes),
        f"{plan}/blocks": PlanBlocks(writes),
        f"{plan}/holds": PlanHolds(writes),
    }


def __getattr__(name: str) -> Application:
    """Make the application when gunicorn asks for it, so that importing needs no settings."""
    if name != "application":
        raise AttributeError(name)
    log.configure("edge")
    return make(settings.read())
