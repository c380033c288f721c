"""The calls that only read: lists, events, charges, payment methods."""

from collections.abc import Callable
from typing import Any

import orjson

from ops.stripe_stand_in import objects
from ops.stripe_stand_in.cards import CARDS
from ops.stripe_stand_in.desk import Call, Desk, rendered_event
from ops.stripe_stand_in.errors import invalid, unknown
from ops.stripe_stand_in.forms import Form, whole
from ops.stripe_stand_in.intents import Intent
from ops.stripe_stand_in.refund_calls import intent_of_charge

PAGING = frozenset({"created", "ending_before", "expand", "limit", "starting_after"})
BOUNDS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
USUAL_PAGE, LONGEST_PAGE = 10, 100


class _Page:
    """Which rows of a table a list call asks for."""

    def __init__(self, desk: Desk, form: Form, table: str, noun: str) -> None:
        self.desk, self.form, self.table, self.noun = desk, form, table, noun
        self.where: list[str] = []
        self.values: list[Any] = []
        self.limit = self._limit()
        self._bound_by_time()
        self.backwards = self._start()

    def _limit(self) -> int:
        limit = self.form.integer("limit")
        if limit is not None and not 1 <= limit <= LONGEST_PAGE:
            invalid(
                f"Invalid limit: must be from 1 to {LONGEST_PAGE}.",
                "limit",
                "parameter_invalid_integer",
            )
        return limit or USUAL_PAGE

    def add(self, condition: str, *values: Any) -> None:  # noqa: ANN401 - what SQLite takes
        self.where.append(condition)
        self.values.extend(values)

    def _bound_by_time(self) -> None:
        created = self.form.fields.get("created", {})
        if isinstance(created, str):
            self.add("created = ?", whole(created, "created"))
            return
        for bound, value in created.items():
            if bound not in BOUNDS or not isinstance(value, str):
                invalid(
                    f"Received unknown parameter: created[{bound}]", "created", "parameter_unknown"
                )
            self.add(f"created {BOUNDS[bound]} ?", whole(value, f"created[{bound}]"))

    def _start(self) -> bool:
        after, before = self.form.text("starting_after"), self.form.text("ending_before")
        if after and before:
            invalid(
                "You cannot parameterize both starting_after and ending_before.", "ending_before"
            )
        for name, cursor, comparison in (
            ("starting_after", after, "<"),
            ("ending_before", before, ">"),
        ):
            if cursor:
                seq = self.desk.store.place(self.table, cursor)
                if seq is None:
                    unknown(self.noun, cursor, param=name)
                self.add(f"seq {comparison} ?", seq)
        return before is not None

    def answer(self, url: str, render: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        rows = self.desk.store.page(
            self.table, self.where, self.values, forwards=self.backwards, most=self.limit + 1
        )
        more = len(rows) > self.limit
        rows = rows[: self.limit]
        if self.backwards:
            rows.reverse()
        return objects.listing(url, [render(row) for row in rows], more=more)


def list_intents(desk: Desk, call: Call) -> dict[str, Any]:
    """GET /v1/payment_intents, newest first."""
    call.form.only(PAGING | {"customer"})
    page = _Page(desk, call.form, "intents", "payment_intent")
    if customer := call.form.text("customer"):
        page.add("customer = ?", customer)
    prefix = "data."
    expand = [name.removeprefix(prefix) for name in call.form.words("expand")]

    def render(row: tuple[bytes]) -> dict[str, Any]:
        return objects.payment_intent(Intent(**orjson.loads(row[0])), call.origin, expand)

    return page.answer("/v1/payment_intents", render)


def list_refunds(desk: Desk, call: Call) -> dict[str, Any]:
    """GET /v1/refunds, newest first, of one intent or charge or of all."""
    call.form.only(PAGING | {"payment_intent", "charge"})
    page = _Page(desk, call.form, "refunds", "refund")
    if ident := call.form.text("payment_intent"):
        page.add("payment_intent = ?", ident)
    if charge := call.form.text("charge"):
        intent = intent_of_charge(desk, charge)
        page.add("payment_intent = ?", intent.id if intent else "")
    return page.answer("/v1/refunds", lambda row: objects.refund(orjson.loads(row[0])))


def list_events(desk: Desk, call: Call) -> dict[str, Any]:
    """GET /v1/events, newest first; `delivery_success` tells answered webhooks from others."""
    form = call.form
    form.only(PAGING | {"delivery_success", "type", "types"})
    page = _Page(desk, form, "events", "event")
    kinds = form.words("types")
    if kind := form.text("type"):
        kinds.append(kind)
    if kinds:
        likes = " OR ".join("type GLOB ?" for _ in kinds)
        page.add(f"({likes})", *kinds)
    success = form.flag("delivery_success")
    if success is not None:
        page.add("(NOT EXISTS (SELECT 1 FROM deliveries WHERE event = events.seq)) = ?", success)
    return page.answer(
        "/v1/events",
        lambda row: rendered_event(row, desk.store.pending_webhooks(row[0]), call.origin),
    )


def retrieve_event(desk: Desk, call: Call) -> dict[str, Any]:
    """GET /v1/events/:id."""
    call.form.only(frozenset({"expand"}))
    row = desk.store.event("id", call.ident)
    if row is None:
        unknown("event", call.ident)
    return rendered_event(row, desk.store.pending_webhooks(row[0]), call.origin)


def retrieve_charge(desk: Desk, call: Call) -> dict[str, Any]:
    """GET /v1/charges/:id, the latest of its intent."""
    call.form.only(frozenset({"expand"}))
    intent = intent_of_charge(desk, call.ident)
    if intent is None:
        unknown("charge", call.ident)
    return objects.charge(intent)


def retrieve_method(desk: Desk, call: Call) -> dict[str, Any]:
    """GET /v1/payment_methods/:id: the latest of its intent, or a test card by name."""
    call.form.only(frozenset({"expand"}))
    if call.ident in CARDS:
        stand = Intent(
            id="pi_", created=call.now, client_secret="", amount=0, currency="", capture_method=""
        )
        stand.card = call.ident
        return {**objects.payment_method(stand), "id": call.ident}
    intent = desk.store.intent(f"pi_{call.ident[3:-2]}")
    if intent is None or objects.payment_method(intent)["id"] != call.ident:
        unknown("PaymentMethod", call.ident)
    return objects.payment_method(intent)
