"""A small demo for the first start: an organizer with tickets for three concerts and two houses.

It is made through the HTTP API. The houses are of real size, a theatre in which buyers pick their
seats and an arena that gives them the best ones left.

Nothing happens when it was made before. The password is random, since an address and a password
that everybody knows would be a way in; both are kept in `.run/<port base>/data/demo.json`.
"""

import secrets
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson

from ops.halls import arena, theatre
from ops.local.errors import StackError
from ops.local.stack import Stack

_EMAIL = "organizer@example.org"
_WAIT = {"prefer": "wait=10"}
_ON_SALE = (
    {
        "title": "Open rehearsal",
        "price": "0.00",
        "currency": "EUR",
        "quota": 200,
        "max_per_user": 4,
    },
    {
        "title": "Harbour concert",
        "price": "25.00",
        "currency": "EUR",
        "quota": 500,
        "max_per_user": 6,
    },
    {"title": "Kyoto night", "price": "3500", "currency": "JPY", "quota": 100, "max_per_user": 2},
)

_HOUSES = (
    (
        {
            "name": "Grand Theatre",
            "capacity": 2_000,
            "timezone": "Europe/Berlin",
            "address": "Opernplatz 1, Berlin",
        },
        {
            "title": "The Magic Flute",
            "price": "65.00",
            "currency": "EUR",
            "max_per_user": 8,
            "ticket_type": "SEATED_MANUAL",
        },
        theatre,
    ),
    (
        {
            "name": "Harbour Arena",
            "capacity": 20_000,
            "timezone": "Europe/Lisbon",
            "address": "Cais 7, Lisbon",
        },
        {
            "title": "Night of the Drums",
            "price": "50.00",
            "currency": "EUR",
            "max_per_user": 8,
            "ticket_type": "SEATED_AUTO",
        },
        arena,
    ),
)
"""The venue, the ticket, and the plan that is made of their ids."""
_ENDS_WITHIN_SEC = 60


def run(stack: Stack) -> None:
    """Make the demo, once; what an interrupted start has begun is finished.

    Raises:
        StackError: the system does not do what it was asked for.
    """
    kept = stack.layout.directory / "data" / "demo.json"
    demo = orjson.loads(kept.read_bytes()) if kept.exists() else _new_demo()
    if demo["made"]:
        return
    _keep(kept, demo)
    try:
        _make(f"http://127.0.0.1:{stack.layout.port('edge')}", demo)
    except (httpx.HTTPError, KeyError) as error:
        message = f"the demo could not be made: {error!r}"
        raise StackError(message) from error
    _keep(kept, demo | {"made": True})
    sys.stdout.write(
        f"demo: {len(_ON_SALE) + len(_HOUSES)} tickets on sale;"
        f" their organizer is {demo['login']['email']}, password {demo['login']['password']}\n"
    )


def _new_demo() -> dict[str, Any]:
    # The day is kept too: whoever repeats a request with its key must repeat it as it was.
    return {
        "made": False,
        "day": datetime.now(UTC).date().isoformat(),
        "login": {"email": _EMAIL, "password": secrets.token_urlsafe(12)},
    }


def _make(edge: str, demo: dict[str, Any]) -> None:
    login, day = demo["login"], datetime.fromisoformat(f"{demo['day']}T19:00:00+00:00")
    with httpx.Client(base_url=edge, timeout=20, headers=_WAIT) as http:
        _done(http.post("/v1/users", json=login), fine="email_taken")
        session = _done(http.post("/v1/sessions", json=login))
        http.headers["authorization"] = f"Bearer {session['access_token']}"
        ask = _Asking(http)
        for number, offer in enumerate(_ON_SALE, start=1):
            ask("/v1/tickets", _ticket(offer, day + timedelta(weeks=4 * number)))
        for number, (venue, offer, plan) in enumerate(_HOUSES, start=len(_ON_SALE) + 1):
            venue_id = ask("/v1/venues", venue)["venue_id"]
            starts = day + timedelta(weeks=4 * number)
            ticket_id = ask("/v1/tickets", _ticket(offer, starts))["ticket_id"]
            plan_id = ask("/v1/seating-plans", plan(venue_id, ticket_id))["plan_id"]
            ask(f"/v1/seating-plans/{plan_id}/activation")


class _Asking:
    """Requests under keys by their number: what was asked for before is not done again."""

    def __init__(self, http: httpx.Client) -> None:
        self._http, self._asked = http, 0

    def __call__(self, path: str, body: object = None) -> dict[str, Any]:
        self._asked += 1
        key = {"idempotency-key": f"demo-{self._asked}"}
        answer = self._http.post(path, json=body, headers=key).raise_for_status()
        deadline = time.monotonic() + _ENDS_WITHIN_SEC
        while answer.json()["status"] == "pending" and time.monotonic() < deadline:
            answer = self._http.get(f"/v1/operations/{answer.json()['id']}").raise_for_status()
        return _done(answer)


def _ticket(offer: dict[str, Any], starts: datetime) -> dict[str, Any]:
    event = {
        "title": offer["title"],
        "starts_at": starts.isoformat(),
        "ends_at": (starts + timedelta(hours=2)).isoformat(),
    }
    return {"ticket_type": "GA", **offer, "event": event}


def _done(answer: httpx.Response, fine: str = "") -> dict[str, Any]:
    """Return the result of an operation that has succeeded, or failed with a code that is fine."""
    answer.raise_for_status()
    operation: dict[str, Any] = answer.json()
    if operation["status"] != "succeeded" and (operation["error"] or {}).get("code") != fine:
        message = f"the demo could not be made: {operation}"
        raise StackError(message)
    return operation["result"] or {}


def _keep(path: Path, demo: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(orjson.dumps(demo, option=orjson.OPT_INDENT_2))
