"""The benchmark: a few figures by which a later change can be weighed.

Everything runs on this machine, the clients included, on a fresh system of its own:

    order_p50_ms, order_p95_ms  one client, idle: an order until its operation has ended
    hop_p50_ms                  idle: from a service's outbox to the next one's transaction
    accept_per_s                answers 202 to orders, 64 connections, everything else at work too
    payable_per_s               orders until their operation has ended, 32 buyers
    paid_per_s                  orders until their payment is captured, 32 buyers
    hot_ticket_per_s            reservations of one ticket, sent as commands
    cpu_ms.<process>            CPU time for each paid order, by process

and of seats, in an arena of 20,000:

    plan_created_ms             from the request until its operation has ended
    hold_p50_ms                 one client, idle: a seat held, until the operation has ended
    hold_p95_ms                 the same, a hundred a second
    holds_per_s                 the same, 32 buyers at once, each seat once
    change_seen_p50_ms          500 watch: from the 202 of a hold until one of them sees it
    best_available_per_s        reservations of the best 1 to 4 seats, sent as commands
    seated_paid_per_s           orders of the best seat until their payment is captured, 32 buyers
    order_seat_p95_ms           orders of the best seat, ten a second, until payable
    order_beside_plan_p95_ms    the same, while other arenas' plans are made, one after the other
    availability_per_s          reads of the availability of all seats, 32 clients

Each has the floor that it must not fall below (or, for times, rise above) and its ratio to it;
1 or more is good. Compare figures of one run, or of runs that alternate: machines are noisy.
"""

import argparse
from typing import Any

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from ops.bench import orders, seats
from ops.load import Shop
from ops.local.layout import ROOT, Layout
from ops.local.stack import Stack

RESULTS = ROOT / ".run" / "bench.json"
_FLOORS = {
    "order_p50_ms": 60.0,
    "order_p95_ms": 120.0,
    "hop_p50_ms": 5.0,
    "accept_per_s": 800.0,
    "payable_per_s": 60.0,
    "paid_per_s": 30.0,
    "hot_ticket_per_s": 500.0,
    "plan_created_ms": 6000.0,
    "hold_p50_ms": 40.0,
    "hold_p95_ms": 250.0,
    "holds_per_s": 250.0,
    "change_seen_p50_ms": 150.0,
    "best_available_per_s": 100.0,
    "seated_paid_per_s": 20.0,
    "availability_per_s": 200.0,
    "order_beside_plan_p95_ms": 300.0,
}


async def measure(shop: Shop, scale: float) -> dict[str, float]:
    """Take every figure; `scale` shortens or lengthens the runs."""
    await shop.open()
    return await orders.measure(shop, scale) | await seats.measure(shop, scale)


def report(found: dict[str, float]) -> dict[str, dict[str, Any]]:
    """Shape the figures for the file: value, unit, floor and ratio to it."""
    shaped = {}
    for name, value in found.items():
        floor = _FLOORS.get(name)
        slower_is_worse = not name.endswith("_per_s")
        ratio = None
        if floor is not None:
            ratio = round(floor / value if slower_is_worse else value / floor, 3)
        unit = "ms" if slower_is_worse else "1/s"
        shaped[name] = {"value": round(value, 2), "unit": unit, "floor": floor, "ratio": ratio}
    return shaped


def configure(parser: argparse.ArgumentParser) -> None:
    """Let the runs be shortened."""
    parser.description = __doc__
    parser.add_argument("--scale", type=float, default=1.0, help="how long the runs are")
    parser.add_argument("--keep", action="store_true", help="leave the system running")


def run(args: argparse.Namespace) -> int:
    """Measure on a fresh system; print the figures and write them to `.run/bench.json`."""
    stack = Stack(Layout.from_environment(default=18200).base)
    try:
        stack.up(fresh=True)
        shaped = report(uvloop.run(measure(Shop(stack), args.scale)))
    finally:
        if not args.keep:
            stack.down()
    RESULTS.write_bytes(orjson.dumps(shaped, option=orjson.OPT_INDENT_2))
    table = Table("figure", "value", "unit", "floor", "ratio")
    for name, row in shaped.items():
        floor = "" if row["floor"] is None else f"{row['floor']:g}"
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        table.add_row(name, f"{row['value']:g}", row["unit"], floor, ratio)
    Console().print(table)
    below = [name for name, row in shaped.items() if row["ratio"] is not None and row["ratio"] < 1]
    if below:
        Console(stderr=True).print(f"below the floor: {', '.join(below)}")
    return 1 if below else 0
