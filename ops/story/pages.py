"""A story on a screen, and as JSON."""

import sys
from collections.abc import Iterator
from datetime import UTC

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.stores import Row
from ops.story.told import Story

_LONGEST_DETAIL = 160
_SHOWN = {
    "order": ("id", "status", "step", "cancel_reason", "total_amount", "currency", "version",
              "user_id", "ticket_id", "expires_at"),
    "reservation": ("_id", "status", "quantity", "released", "order_version"),
    "seats": ("id", "plan_id", "status", "quantity", "order_version"),
    "payment": ("id", "status", "authorisation", "amount", "captured_amount", "refunded_amount",
                "failure", "stripe_payment_intent_id"),
}  # fmt: skip


def as_json(story: Story) -> None:
    """Print everything."""
    sys.stdout.write(orjson.dumps(story, default=str, option=orjson.OPT_INDENT_2).decode() + "\n")


def as_text(story: Story) -> None:
    """Print how things stand, then what happened."""
    console = Console()
    for line in _summary(story):
        console.print(Text(line))
    table = Table(show_edge=False)
    for name in ("time (UTC)", "where", "what", "detail"):
        table.add_column(name, overflow="fold")
    for each in story.entries:
        at = f"{each.at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]
        table.add_row(at, each.where, each.what, Text(each.detail[:_LONGEST_DETAIL]))
    console.print(table)
    for letter in story.dead_letters:
        console.print(Text("dead letter: " + _fields(letter), "bold red"))


def _summary(story: Story) -> Iterator[str]:
    """How things stand, one line for each owner."""
    if story.order is None:
        yield "order        none: the operation came to none, or it is not about one"
    for owner, row in (
        ("order", story.order),
        ("reservation", story.reservation),
        ("seats", story.seat_reservation),
        ("payment", story.payment),
    ):
        if row is not None:
            yield f"{owner:<13}" + _fields({name: row[name] for name in _SHOWN[owner]})
    for item in story.items:
        yield f"item         {item['quantity']} at {item['unit_price']}"
    for seat in story.seats:
        place = f"{seat['quantity']} {seat['section']} {seat['seat_label']} at {seat['price']}"
        back = "" if seat["live"] else ", given back"
        yield f"seat         {place}, {seat['status'] or 'standing'}{back}"
    if story.stripe:
        yield "at Stripe    " + _fields(story.stripe)
    yield "timer        " + (_fields(story.timer) if story.timer else "none")


def _fields(row: Row) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items() if value is not None)
