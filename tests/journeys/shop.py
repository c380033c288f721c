"""People who use the shop over HTTP, and Stripe as they meet it."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import uuid4

import httpx

DEADLINE_SEC = 15.0
PASSWORD = "correct horse"
_T = TypeVar("_T")
Json = dict[str, Any]


def until(look: Callable[[], _T], holds: Callable[[_T], object], deadline_sec: float) -> _T:
    """Look until it holds; return what was seen."""
    deadline = time.monotonic() + deadline_sec
    while not holds(seen := look()):
        assert time.monotonic() < deadline, f"not in time; at last: {seen}"
        time.sleep(0.05)
    return seen


class Stripe:
    """The stand-in: what a buyer's browser does there, and what it keeps."""

    def __init__(self, port: int) -> None:
        """Reach it where it listens."""
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_SEC)

    def confirm(self, payment: Json, card: str = "pm_card_visa") -> int:
        """Pay as a browser does; return Stripe's status."""
        intent = payment["client_secret"].split("_secret_")[0]
        answer = httpx.post(
            f"{payment['api_base']}/v1/payment_intents/{intent}/confirm",
            headers={"Authorization": f"Bearer {payment['publishable_key']}"},
            data={"client_secret": payment["client_secret"], "payment_method": card},
            timeout=DEADLINE_SEC,
        )
        return answer.status_code

    def intent(self, order_id: str) -> Json:
        """Return the one intent that was made for an order."""
        ledger = self.http.get("/_stand_in/ledger").json()
        (found,) = [e for e in ledger["intents"] if e["metadata"].get("order_id") == order_id]
        line: Json = found
        return line

    def faults(self, **switches: object) -> None:
        """Set the switches, all others off."""
        assert self.http.put("/_stand_in/faults", json=switches).status_code == httpx.codes.OK


class Person:
    """Somebody who is signed in."""

    def __init__(self, port: int) -> None:
        """Register and sign in."""
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_SEC)
        self.email = f"{uuid4().hex}@example.org"
        registered = self.write("POST", "/v1/users", self.login)
        self.id = registered["result"]["user_id"]
        self.refresh_token = self.sign_in()

    @property
    def login(self) -> Json:
        """What this person registers and signs in with."""
        return {"email": self.email, "password": PASSWORD}

    def sign_in(self) -> str:
        """Open a session, and use it; return its refresh token."""
        result = self.write("POST", "/v1/sessions", self.login)["result"]
        self.http.headers["Authorization"] = f"Bearer {result['access_token']}"
        token: str = result["refresh_token"]
        return token

    def write(self, method: str, path: str, body: object = None, key: str | None = None) -> Json:
        """Ask for something, and wait for its end."""
        headers = {"Prefer": "wait=10", "Idempotency-Key": key or uuid4().hex}
        answer = self._ask(method, path, body, headers)
        assert answer.status_code in {200, 202}, answer.text
        operation: Json = answer.json()
        deadline = time.monotonic() + DEADLINE_SEC
        while operation["status"] == "pending":
            assert time.monotonic() < deadline, operation
            waited = self._ask(
                "GET", f"/v1/operations/{operation['id']}", None, {"Prefer": "wait=5"}
            )
            operation = waited.json()
        return operation

    def read(self, path: str) -> Json:
        """Read something that is there."""
        answer = self._ask("GET", path)
        assert answer.status_code == httpx.codes.OK, answer.text
        document: Json = answer.json()
        return document

    def _ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Ask again when told so, as a client should: a machine that stands still is 503."""
        return until(
            lambda: self.http.request(method, path, json=body, headers=headers),
            lambda answer: answer.status_code != httpx.codes.SERVICE_UNAVAILABLE,
            DEADLINE_SEC,
        )

    def offer(self, **other: object) -> str:
        """Put a ticket on sale; return its id."""
        done = self.write("POST", "/v1/tickets", ticket_form(other))
        assert done["status"] == "succeeded", done
        ticket_id: str = done["result"]["ticket_id"]
        return ticket_id

    def order(self, ticket_id: str, quantity: int = 1, **other: str) -> Json:
        """Try to buy; return the operation's end."""
        body = {"ticket_id": ticket_id, "quantity": quantity} | other
        return self.write("POST", "/v1/orders", body)

    def buy(self, ticket_id: str, quantity: int = 1, **other: str) -> Json:
        """Order something that can be had; return the operation's result."""
        done = self.order(ticket_id, quantity, **other)
        assert done["status"] == "succeeded", done
        result: Json = done["result"]
        return result

    def cancel(self, order_id: str) -> Json:
        """Give an order back."""
        return self.write("POST", f"/v1/orders/{order_id}/cancellation")

    def sees(
        self, order_id: str, holds: Callable[[Json], object], deadline_sec: float = DEADLINE_SEC
    ) -> Json:
        """Wait until the order is seen to be so."""
        return until(lambda: self.read(f"/v1/orders/{order_id}"), holds, deadline_sec)

    def available(self, ticket_id: str, expected: int) -> None:
        """Wait until so many are left."""
        until(
            lambda: self.read(f"/v1/tickets/{ticket_id}"),
            lambda seen: seen["available"] == expected,
            DEADLINE_SEC,
        )


def ticket_form(other: Mapping[str, object]) -> Json:
    """Describe a ticket."""
    return {
        "title": "A concert",
        "price": "12.50",
        "currency": "EUR",
        "quota": 10,
        "max_per_user": 4,
        "ticket_type": "GA",
        "event": {
            "title": "A concert",
            "starts_at": "2037-01-01T20:00:00Z",
            "ends_at": "2037-01-01T22:00:00Z",
        },
        **other,
    }


def paid(order: Json) -> bool:
    """Whether the money was taken and the order says so."""
    return (order["status"], order["payment"]["status"]) == ("CONFIRMED", "SUCCEEDED")
