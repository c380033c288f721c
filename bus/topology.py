"""The broker's exchanges, queues, bindings and users; made by the migrate step alone.

    foyer.commands  direct   a command's type -> the one service that handles it
    foyer.events    topic    an event's type  -> every service that handles it
    foyer.retry.<ms> fanout  -> a waiting queue of the same name; after <ms> ->
    foyer.return    direct   a queue's name   -> that queue, for a message that has waited
    foyer.dead      direct   a service's name -> <service>.dead, kept without a time limit

`<service>.commands` and `<service>.events` are quorum queues, arguments portable from RabbitMQ
3.10 to 4.x; `<service>.long`, where a service has it, takes from both what holds up the others
there for long. A service's user reads its own queues, writes to the exchanges (the edge's to the
commands alone), configures nothing. Bindings that no handler asks for any more are removed.
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from bus.envelope import COMMANDS, EVENTS

VHOST = "foyer"
RETURN, DEAD = "foyer.return", "foyer.dead"
DELIVERY_LIMIT = 20
"""How often a queue takes a message back before it gives it up."""
_LOOKS_AT_A_DEAD_LETTER = 1_000_000_000
"""How often one may be read and given back: RabbitMQ 4 drops what is given back 20 times."""
_QUORUM = {"x-queue-type": "quorum"}
_SAFE_DEAD_LETTERS = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}


def retry_exchange(delay_sec: float) -> str:
    """Name the exchange, and the queue behind it, where a message waits that long."""
    return f"foyer.retry.{round(delay_sec * 1000)}"


class Api:
    """The broker's management interface, as an administrator."""

    def __init__(self, url: str) -> None:
        """Take `http://user:password@host:port`."""
        parts = urlsplit(url)
        self._root = f"{parts.scheme}://{parts.hostname}:{parts.port}/api"
        login = f"{parts.username}:{urllib.parse.unquote(parts.password or '')}"
        self._headers = {
            "Authorization": f"Basic {b64encode(login.encode()).decode()}",
            "Content-Type": "application/json",
        }

    def call(self, method: str, *path: str, body: object = None) -> Any:  # noqa: ANN401  # Plain JSON.
        """Ask, and return the answer's JSON or None.

        Raises:
            OSError: the broker refused; the message says what.
        """
        where = "/".join(quote(part, safe="") for part in path)
        request = urllib.request.Request(  # noqa: S310  # The scheme is an operator's setting.
            f"{self._root}/{where}",
            method=method,
            headers=self._headers,
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as error:
            msg = f"{method} {where}: {error.code} {error.read().decode()[:500]}"
            raise OSError(msg) from error
        return json.loads(text) if text else None


def migrate(  # noqa: PLR0913, PLR0917  # All that a broker is made of.
    api_url: str,
    bindings: Mapping[str, tuple[Iterable[str], Iterable[str]]],
    passwords: Mapping[str, str],
    retry_delays_sec: Iterable[float],
    operator_password: str,
    long: Mapping[str, tuple[Iterable[str], Iterable[str]]] | None = None,
) -> None:
    """Make the topology and the users; safe to repeat on a running system.

    `bindings` holds, for each service, the commands and the events that it handles, `long` those
    that take long; `passwords` those of its user and of the users without queues (`edge`).
    """
    api = Api(api_url)
    api.call("PUT", "vhosts", VHOST, body={})
    _exchange(api, COMMANDS, "direct")
    _exchange(api, EVENTS, "topic")
    _exchange(api, RETURN, "direct")
    _exchange(api, DEAD, "direct")
    for delay in retry_delays_sec:
        _waiting(api, delay)
    _keep_dead_letters(api)
    present = {each["name"] for each in api.call("GET", "queues", VHOST)}
    for service, (commands, events) in bindings.items():
        _queue(api, f"{service}.dead", _QUORUM)
        _bind(api, DEAD, f"{service}.dead", {service})
        slow = tuple(map(set, (long or {}).get(service, ())))
        if slow or f"{service}.long" in present:  # Bound before the other queues let go.
            heard = dict(zip((COMMANDS, EVENTS), slow or (set(), set()), strict=True))
            _working(api, service, "long", heard)
        _working(api, service, "commands", {COMMANDS: set(commands)})
        _working(api, service, "events", {EVENTS: set(events)})
    for user, password in passwords.items():
        _user(api, user, password, listens=user in bindings)
    _operator(api, operator_password)


def _exchange(api: Api, name: str, kind: str) -> None:
    api.call("PUT", "exchanges", VHOST, name, body={"type": kind, "durable": True})


def _queue(api: Api, name: str, arguments: Mapping[str, object]) -> None:
    api.call("PUT", "queues", VHOST, name, body={"durable": True, "arguments": arguments})


def _waiting(api: Api, delay_sec: float) -> None:
    """One time for each queue: the head is always the first to be due, nothing waits behind it."""
    name = retry_exchange(delay_sec)
    _exchange(api, name, "fanout")
    ttl = {"x-message-ttl": round(delay_sec * 1000), "x-dead-letter-exchange": RETURN}
    _queue(api, name, _QUORUM | _SAFE_DEAD_LETTERS | ttl)
    _bind(api, name, name, {""})


def _keep_dead_letters(api: Api) -> None:
    """By policy: 3.10 takes -1, which means without limit to 4, for less than none."""
    limit = {"delivery-limit": _LOOKS_AT_A_DEAD_LETTER}
    policy = {"pattern": r"\.dead$", "apply-to": "queues", "definition": limit}
    api.call("PUT", "policies", VHOST, "foyer-dead-letters", body=policy)


def _working(api: Api, service: str, kind: str, types: Mapping[str, set[str]]) -> None:
    name = f"{service}.{kind}"
    _queue(
        api,
        name,
        _QUORUM
        | _SAFE_DEAD_LETTERS
        | {
            "x-dead-letter-exchange": DEAD,
            "x-dead-letter-routing-key": service,
            "x-delivery-limit": DELIVERY_LIMIT,
        },
    )
    for exchange, keys in types.items():
        _bind(api, exchange, name, keys)
    _bind(api, RETURN, name, {name})


def _bind(api: Api, exchange: str, queue: str, keys: set[str]) -> None:
    """Make exactly these bindings between the two: add what is new, remove what is not wanted."""
    path = ("bindings", VHOST, "e", exchange, "q", queue)
    present = {binding["routing_key"]: binding for binding in api.call("GET", *path)}
    for key in keys - present.keys():
        api.call("POST", *path, body={"routing_key": key})
    for key in present.keys() - keys:
        api.call("DELETE", *path, present[key]["properties_key"])


def _user(api: Api, name: str, password: str, *, listens: bool) -> None:
    """Who listens also announces, puts off and gives up; who has no queue can only ask."""
    api.call("PUT", "users", name, body={"password": password, "tags": ""})
    rights = {
        "configure": "",
        "write": r"^foyer\.(commands|events|dead|retry\.\d+)$" if listens else r"^foyer\.commands$",
        "read": rf"^{name}\.(commands|events|long)$" if listens else "",
    }
    api.call("PUT", "permissions", VHOST, name, body=rights)


def _operator(api: Api, password: str) -> None:
    api.call("PUT", "users", "operator", body={"password": password, "tags": "monitoring"})
    rights = {"configure": "", "write": "", "read": ""}
    api.call("PUT", "permissions", VHOST, "operator", body=rights)
