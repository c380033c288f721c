"""What the edge is tested with: its process, a broker to look into, a line that can break."""

import os
import select
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
from joserfc import jwt
from joserfc.jwk import OKPKey

from ops import run

ROOT = Path(__file__).parents[3]
DEADLINE_SEC = 15
ORDERS = "order.commands"
WEBHOOKS = "payment.commands"


def wait_for(condition: Callable[[], object], deadline_sec: float = DEADLINE_SEC) -> None:
    """Return when it is true; fail after the deadline."""
    deadline = time.monotonic() + deadline_sec
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class EdgeProcess:
    """gunicorn, started as the Procfile starts it, with these settings."""

    def __init__(self, known: Mapping[str, str], log: Path, **more: str) -> None:
        self.port = free_port()
        own = {"FOYER_PORT_BASE": str(self.port)}
        self.settings = run.environment("edge", known) | own | more
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("gunicorn")),
                    "-c",
                    "http_edge/gunicorn.py",
                    "http_edge.app:application",
                ],
                cwd=ROOT,
                env={**self.settings, "PATH": os.environ["PATH"]},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def status(self, path: str) -> int:
        try:
            return httpx.get(f"{self.url}{path}", timeout=5).status_code
        except httpx.TransportError:
            return 0

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)


class Proxy:
    """A TCP connection's middle, which can go dumb or fall apart."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.cut = False
        self.frozen = False
        threading.Thread(target=self._accept, daemon=True).start()

    def break_connections(self) -> None:
        """Close what is open, and every new connection, until `cut` is False again."""
        self.cut = True
        for pair in self._pairs:
            for end in pair:
                end.close()
        self._pairs.clear()

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            if self.cut:
                near.close()
                continue
            pair = (near, socket.create_connection(self._to))
            self._pairs.append(pair)
            threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        try:
            while True:
                ready, _, _ = select.select([near, far], [], [], 0.05)
                if self.frozen:
                    time.sleep(0.02)
                    continue
                for end in ready:
                    data = end.recv(65536)
                    if not data:
                        return
                    other[end].sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            near.close()
            far.close()


class Bus:
    """What lies in the broker's queues, seen through its management API."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._http = httpx.Client(base_url=known["FOYER_RABBITMQ_API_URL"], timeout=10)

    def purge(self) -> None:
        for queue in (ORDERS, WEBHOOKS, "ticket.commands", "auth.commands", "auth.long"):
            self._http.delete(f"/api/queues/foyer/{queue}/contents").raise_for_status()

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """Take everything out of a queue."""
        asked = {"count": 1000, "ackmode": "ack_requeue_false", "encoding": "auto"}
        answer = self._http.post(f"/api/queues/foyer/{queue}/get", json=asked).raise_for_status()
        return [orjson.loads(each["payload"]) for each in answer.json()]


class Signer:
    """auth's part: a signing key whose public half is in the views."""

    def __init__(self) -> None:
        self.kid = f"test-{uuid.uuid4()}"
        self._key = OKPKey.generate_key("Ed25519", parameters={"kid": self.kid})

    @property
    def public(self) -> dict[str, Any]:
        return self._key.as_dict(private=False) | {"use": "sig", "alg": "EdDSA"}

    def token(
        self, user_id: object, *, header: Mapping[str, Any] | None = None, **claims: object
    ) -> str:
        now = int(time.time())
        told: dict[str, Any] = {
            "iss": "foyer",
            "aud": "foyer",
            "sub": str(user_id),
            "iat": now,
            "exp": now + 600,
            "jti": str(uuid.uuid4()),
        } | claims
        head = {"alg": "EdDSA", "typ": "at+jwt", "kid": self.kid} | dict(header or {})
        return jwt.encode(head, told, self._key, algorithms=["EdDSA"])


def order(**given: object) -> dict[str, object]:
    """A body for POST /v1/orders."""
    return {"ticket_id": str(uuid.uuid4()), "quantity": 2} | given


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def check_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Make sure that this is the problem that it should be; return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["type"]
    return body
