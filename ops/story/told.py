"""All that is known of an order, gathered from every service and from Stripe."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import orjson
import stripe

from ops import letters
from ops.stores import Row, Stores
from ops.story import traces
from workers.expiration.timers import ARMS, TIMERS, key_of

_OF_A_PAYMENT = {
    "record": """
        SELECT recorded_at AS at, event_type AS what, payload::text AS detail
        FROM payment_records WHERE payment_id = %(payment)s ORDER BY id
    """,
    "webhook": """
        SELECT received_at AS at, event_type AS what,
            stripe_event_id || CASE WHEN processed_at IS NULL THEN ' (not acted on)' ELSE '' END
            AS detail
        FROM payment_webhooks WHERE payment_id = %(payment)s
            OR body -> 'data' -> 'object' ->> 'id' = %(intent)s
    """,
    "call to Stripe": """
        SELECT created_at AS at, kind AS what,
            concat_ws(', ', state, 'attempt ' || attempts, 'ended ' || ended_at, outcome) AS detail
        FROM gateway_calls WHERE payment_id = %(payment)s
    """,
    "refund": """
        SELECT created_at AS at, amount || ' ' || status AS what,
            concat_ws(', ', id::text, stripe_refund_id, failure) AS detail
        FROM refunds WHERE payment_id = %(payment)s
    """,
}


@dataclass(frozen=True)
class Entry:
    """Something that happened."""

    at: datetime
    where: str
    what: str
    detail: str = ""


@dataclass
class Story:
    """All that is known of an order."""

    order: Row | None
    operations: list[Row]
    items: list[Row] = field(default_factory=list)
    reservation: Row | None = None
    seat_reservation: Row | None = None
    seats: list[Row] = field(default_factory=list)
    payment: Row | None = None
    refunds: list[Row] = field(default_factory=list)
    timer: Row | None = None
    stripe: Row | None = None
    dead_letters: list[Row] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)


def tell(stores: Stores, order_id: UUID | None, operations: list[UUID]) -> Story:
    """Gather everything that is known."""
    values = {"order": order_id, "operations": operations}
    rows = stores.rows("order", "SELECT * FROM orders WHERE id = %(order)s", values)
    story = Story(
        order=rows[0] if rows else None,
        operations=stores.rows(
            "view",
            "SELECT id, type, route, status, submitted_at, finished_at, result, error, republished,"
            " user_id FROM operations WHERE id = ANY(%(operations)s) ORDER BY submitted_at",
            values,
        ),
    )
    story.entries += _operations(stores, story, operations)
    if order_id is not None:
        story.items = stores.rows(
            "order", "SELECT * FROM order_items WHERE order_id = %(order)s ORDER BY id", values
        )
        story.reservation = stores.mongo.reservations.find_one({"order_id": str(order_id)})
        story.timer = _timer(stores, order_id)
        story.entries += _reservation(story.reservation)
        story.entries += _seats(stores, story, order_id)
        story.entries += _payment(stores, story, order_id)
    about = [str(each) for each in (order_id, story.payment and story.payment["id"]) if each]
    messages = traces.messages(stores, about, [str(each) for each in operations])
    story.entries += [Entry(each.at, each.where, each.what, each.detail) for each in messages]
    story.dead_letters = _dead_letters(stores, [*about, *[str(each) for each in operations]])
    story.entries.sort(key=lambda entry: entry.at)
    return story


def _operations(stores: Stores, story: Story, operations: list[UUID]) -> Iterator[Entry]:
    for each in story.operations:
        name = f"{each['type']} ({each['id']})"
        yield Entry(each["submitted_at"], "edge", "accepted", f"{each['route']}: {name}")
        if each["finished_at"]:
            code = (each["error"] or {}).get("code", "")
            yield Entry(
                each["finished_at"], "view", f"operation {each['status']}", f"{code} {name}"
            )
    steps = stores.rows(
        "view",
        "SELECT type, at FROM operation_steps WHERE operation_id = ANY(%(operations)s)",
        {"operations": operations},
    )
    for each in steps:
        yield Entry(each["at"], "view", "step", each["type"])


def _reservation(kept: Row | None) -> Iterator[Entry]:
    if kept:
        yield Entry(
            kept["created_at"],
            "ticket",
            "reservation",
            f"{kept['quantity']} of {kept['ticket_id']}, now {kept['status']}",
        )


def _seats(stores: Stores, story: Story, order_id: UUID) -> Iterator[Entry]:
    values = {"order": order_id}
    found = stores.rows(
        "venue", "SELECT * FROM seat_reservations WHERE order_id = %(order)s", values
    )
    if not found:
        return
    kept = story.seat_reservation = found[0]
    story.seats = stores.rows(
        "venue",
        """
        SELECT i.seat_id, i.seat_label, c.name AS section, i.price, i.quantity, i.released, i.live,
            s.status FROM seat_reservation_items i
        JOIN seat_reservations r ON r.id = i.reservation_id
        LEFT JOIN seats s ON s.id = i.seat_id LEFT JOIN sections c ON c.id = i.section_id
        WHERE r.order_id = %(order)s ORDER BY i.position
        """,
        values,
    )
    labels = ", ".join(f"{row['quantity']} {row['section']} {row['seat_label']}"
                       for row in story.seats)  # fmt: skip
    yield Entry(
        kept["created_at"], "venue", "seat reservation", f"{labels or 'none'}, now {kept['status']}"
    )


def _payment(stores: Stores, story: Story, order_id: UUID) -> Iterator[Entry]:
    found = stores.rows(
        "payment", "SELECT * FROM payments WHERE order_id = %(order)s", {"order": order_id}
    )
    if not found:
        return
    story.payment = found[0]
    story.refunds = stores.rows(
        "payment",
        "SELECT * FROM refunds WHERE payment_id = %(payment)s ORDER BY number",
        {"payment": found[0]["id"]},
    )
    values = {"payment": found[0]["id"], "intent": found[0]["stripe_payment_intent_id"]}
    for what, statement in _OF_A_PAYMENT.items():
        for each in stores.rows("payment", statement, values):
            yield Entry(each["at"], "payment", f"{what}: {each['what']}", each["detail"])
    if values["intent"]:
        yield from _at_stripe(stores, story, values["intent"])


def _at_stripe(stores: Stores, story: Story, intent_id: str) -> Iterator[Entry]:
    try:
        intent = stores.stripe.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]})
        refunds = stores.stripe.v1.refunds.list({"payment_intent": intent_id, "limit": 100})
    except stripe.StripeError as error:
        story.stripe = {"id": intent_id, "could not be asked": str(error)}
        return
    charge = intent.latest_charge
    story.stripe = {
        "id": intent_id,
        "status": intent.status,
        "amount": intent.amount,
        "amount_received": intent.amount_received,
        "currency": intent.currency,
        "charge": charge.id if isinstance(charge, stripe.Charge) else charge,
        "refunded": sum(each.amount for each in refunds.data if each.status != "failed"),
    }
    at = datetime.fromtimestamp(intent.created, UTC)
    yield Entry(at, "Stripe", "intent made", f"{intent_id}, now {intent.status}")
    for each in refunds.data:
        made = datetime.fromtimestamp(each.created, UTC)
        yield Entry(made, "Stripe", "refund made", f"{each.id} {each.amount} {each.status}")


def _timer(stores: Stores, order_id: UUID) -> Row | None:
    key = key_of(order_id)
    score = stores.redis.zscore(TIMERS, key)
    if score is None:
        return None
    kept = stores.redis.hget(ARMS, key)
    arm = orjson.loads(kept).get("arm") if kept else None
    return {"due": datetime.fromtimestamp(float(score), UTC), "arm": arm}


def _dead_letters(stores: Stores, about: list[str]) -> list[Row]:
    wanted = [each.encode() for each in about]
    return [
        {
            "message_id": each.message_id,
            "type": each.type,
            "queue": each.queue,
            "code": each.code,
            "error": each.headers.get("x-foyer-error", each.error),
            "died_at": each.died_at,
        }
        for each in letters.all_letters(stores)
        if any(each_id in each.body for each_id in wanted)
    ]
