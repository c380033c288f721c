"""The real stand-in process, the real SDK, and a small real receiver of webhooks."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe
from stripe._v1_services import V1Services

ROOT = Path(__file__).resolve().parents[2]
SECRET_KEY, PUBLISHABLE_KEY, WEBHOOK_SECRET = (
    "sk_test_stand_in",
    "pk_test_stand_in",
    "whsec_stand_in",
)
DEADLINE_SEC = 15.0


def free_base() -> int:
    """Find a port base whose stand-in port is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port - 6


class QuietServer(ThreadingHTTPServer):
    """A server to which a sender that was killed is no news."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Stay silent."""


class Receiver:
    """The shop's webhook endpoint: checks Stripe's signature, keeps what came, answers as told."""

    def __init__(self, port: int = 0) -> None:
        """Listen; `status` decides each answer from the event and how often it came."""
        self.events: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.status: Callable[[dict[str, Any], int], int] = lambda _event, _times: 200
        self._came = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(receiver.take(body, self.headers["Stripe-Signature"]))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.server = QuietServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, body: bytes, signature: str) -> int:
        """Keep one event; 400 when its signature is wrong."""
        try:
            event = stripe.Webhook.construct_event(body, signature, WEBHOOK_SECRET).to_dict()
        except stripe.SignatureVerificationError:
            return 400
        with self._came:
            self.events.append(event)
            self.times.append(time.monotonic())
            seen = sum(1 for one in self.events if one["id"] == event["id"])
            self._came.notify_all()
        return self.status(event, seen)

    def until(
        self,
        enough: Callable[[list[dict[str, Any]]], bool],
        within_sec: float = DEADLINE_SEC,
    ) -> list[dict[str, Any]]:
        """Wait until what came is enough."""
        with self._came:
            assert self._came.wait_for(lambda: enough(self.events), within_sec), [
                e["type"] for e in self.events
            ]
            return list(self.events)

    def types(self, intent: str, count: int) -> list[str]:
        """Wait for `count` events about an intent, give their types as they came."""

        def about(event: dict[str, Any]) -> bool:
            shown = event["data"]["object"]
            return intent in (shown["id"], shown.get("payment_intent"))

        events = [
            event
            for event in self.until(lambda all_: sum(map(about, all_)) >= count)
            if about(event)
        ]
        return [event["type"] for event in events]

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()


class StandIn:
    """The process under test."""

    def __init__(self, directory: Path, webhook_port: int) -> None:
        """Choose a port and remember where to keep things."""
        base = free_base()
        self.url = f"http://127.0.0.1:{base + 6}"
        self.directory = directory
        self._env = {
            "PATH": os.environ["PATH"],
            "FOYER_PORT_BASE": str(base),
            "STRIPE_API_KEY": SECRET_KEY,
            "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "STRIPE_WEBHOOK_URL": f"http://127.0.0.1:{webhook_port}/webhooks/stripe",
            "STRIPE_STAND_IN_DIR": str(directory),
        }
        self.http = httpx.Client(base_url=self.url, timeout=DEADLINE_SEC)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self.directory.parent / "stand_in.log").open("ab") as out:
            command = [sys.executable, "-m", "ops.stripe_stand_in"]
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self._env, stdout=out, stderr=out
            )
        deadline = time.monotonic() + DEADLINE_SEC
        while True:
            try:
                assert self.http.get("/_stand_in/health").status_code == 200
            except httpx.TransportError:
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.02)
            else:
                return

    def end(self, number: int = signal.SIGKILL) -> int:
        """End the process with a signal; give its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SEC)

    def log(self) -> str:
        """Read what the process said."""
        return (self.directory.parent / "stand_in.log").read_text()

    def faults(self, **switches: Any) -> None:  # noqa: ANN401 - JSON
        """Set the switches, all others off."""
        answer = self.http.put("/_stand_in/faults", json=switches)
        assert answer.status_code == 200, answer.text

    def client(self, key: str = SECRET_KEY, retries: int = 0) -> stripe.StripeClient:
        """Make the real SDK's client."""
        return stripe.StripeClient(
            key, base_addresses={"api": self.url}, max_network_retries=retries
        )

    def post(
        self, path: str, key: str = SECRET_KEY, idempotency_key: str = "", **fields: object
    ) -> httpx.Response:
        """Call without the SDK, as a browser does."""
        headers = {"Authorization": f"Bearer {key}"}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        return self.http.post(path, data=fields, headers=headers)


@pytest.fixture(scope="module")
def shop() -> Iterator[Receiver]:
    """Listen for webhooks."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def running(shop: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """Run one stand-in for a file of tests; it must not have said a traceback."""
    stand_in = StandIn(tmp_path_factory.mktemp("stripe") / "state", shop.port)
    stand_in.start()
    yield stand_in
    assert stand_in.end(signal.SIGTERM) == 0
    assert "Traceback" not in stand_in.log()


@pytest.fixture
def stand_in(running: StandIn) -> StandIn:
    """Give the running stand-in with every fault off."""
    running.faults()
    return running


@pytest.fixture
def sdk(stand_in: StandIn) -> V1Services:
    """Give the SDK's own client for the secret key."""
    return stand_in.client().v1
