"""How many intents a second: a figure to read (`-s`), with a floor far below it."""

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.stripe_stand_in.conftest import SECRET_KEY, Receiver, StandIn

CLIENTS, CALLS = 8, 400
FLOOR_PER_SEC = 100


def cpu_sec(pid: int) -> float:
    """Read the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def call(wire: socket.socket, path: str, form: str, key: str) -> bytes:
    """Make one call over a kept connection; the answer's body."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET_KEY}\r\n"
        f"Idempotency-Key: {key}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(form)}\r\n\r\n"
    )
    wire.sendall((head + form).encode())
    said = b""
    while (end := said.find(b"\r\n\r\n")) < 0:
        said += wire.recv(65536)
    assert said.startswith(b"HTTP/1.1 200"), said
    length = int(said.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    body = said[end + 4 :]
    while len(body) < length:
        body += wire.recv(65536)
    return body


def buyer(stand_in: StandIn, number: int) -> None:
    """Create, one after the other, what a shop creates for an order."""
    host, _, port = stand_in.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        form = f"amount=2500&currency=eur&capture_method=manual&metadata[order_id]={number}"
        for n in range(CALLS):
            call(wire, "/v1/payment_intents", form, f"speed-{number}-{n}")


@pytest.mark.slow
def test_intents_per_second(stand_in: StandIn, shop: Receiver) -> None:
    """Creates with idempotency keys, each with its signed webhook."""
    assert stand_in.process is not None
    before, began = cpu_sec(stand_in.process.pid), time.monotonic()
    threads = [threading.Thread(target=buyer, args=(stand_in, n)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    per_sec = CLIENTS * CALLS / (time.monotonic() - began)
    shop.until(lambda events: len(events) >= CLIENTS * CALLS, within_sec=60)
    told_per_sec = CLIENTS * CALLS / (time.monotonic() - began)
    used = cpu_sec(stand_in.process.pid) - before
    print(  # noqa: T201 - the figure is the point
        f"\n{per_sec:.0f} intents/s, {told_per_sec:.0f} webhooks/s,"
        f" {used / CLIENTS / CALLS * 1000:.2f} ms of CPU for a create with its webhook"
    )
    assert per_sec > FLOOR_PER_SEC
