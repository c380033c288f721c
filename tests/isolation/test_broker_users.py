"""Each service's user on the broker reads its own queues, writes to the exchanges, no more."""

import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import urlsplit

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel as Channel
from pika.adapters.blocking_connection import BlockingConnection

from bus.topology import VHOST
from ops.local.stack import Stack
from ops.stores import SERVICES, Stores

pytestmark = pytest.mark.stack
USERS = (*SERVICES, "edge")
Attempt = Callable[[Channel], object]


@pytest.fixture(params=USERS)
def user(request: pytest.FixtureRequest) -> str:
    """Each user in turn."""
    return str(request.param)


@pytest.fixture
def connection(whole: Stack, user: str) -> Iterator[BlockingConnection]:
    """The user's own connection."""
    url = whole.environment()[f"FOYER_{user.upper()}_AMQP_URL"]
    connected = BlockingConnection(pika.URLParameters(url))
    yield connected
    connected.close()


def allowed(connection: BlockingConnection, attempts: dict[str, Attempt]) -> list[str]:
    """Try each on a channel of its own; return those that the broker did not forbid."""
    done = []
    for name, attempt in attempts.items():
        channel = connection.channel()
        channel.confirm_delivery()
        try:
            attempt(channel)
        except pika.exceptions.ChannelClosedByBroker as refused:
            if refused.reply_code != 403:
                done.append(f"{name}: {refused}")
        else:
            done.append(name)
            channel.close()
    return done


def writes(exchange: str, routing_key: str) -> Attempt:
    """Return the attempt to publish there."""
    return partial(Channel.basic_publish, exchange=exchange, routing_key=routing_key, body=b"{}")


def queues_of_others(stores: Stores, user: str) -> list[str]:
    own = {f"{user}.commands", f"{user}.events", f"{user}.long"}
    return [q["name"] for q in stores.console.call("GET", "queues", VHOST) if q["name"] not in own]


def test_nobody_touches_a_queue_of_another(
    connection: BlockingConnection, stores: Stores, user: str
) -> None:
    others = queues_of_others(stores, user)
    assert len(others) > 15, others  # Other services' queues, dead letters, what waits.
    attempts: dict[str, Attempt] = {}
    for each in others:
        attempts |= {
            f"get {each}": partial(Channel.basic_get, queue=each),
            f"consume {each}": partial(
                Channel.basic_consume, queue=each, on_message_callback=lambda *_: None
            ),
            f"purge {each}": partial(Channel.queue_purge, queue=each),
            f"delete {each}": partial(Channel.queue_delete, queue=each),
            f"bind {each}": partial(
                Channel.queue_bind, queue=each, exchange="foyer.events", routing_key="#"
            ),
            f"write to {each}": writes("", each),
            f"send back to {each}": writes("foyer.return", each),
        }
    assert allowed(connection, attempts) == []


def test_nobody_changes_the_topology_not_even_its_own(
    connection: BlockingConnection, user: str
) -> None:
    own = f"{user}.events"
    quorum = {"x-queue-type": "quorum"}
    attempts: dict[str, Attempt] = {
        "declare a queue": lambda c: c.queue_declare(f"{user}.more", durable=True),
        "declare a quorum queue": lambda c: c.queue_declare(
            f"{user}.more", durable=True, arguments=quorum
        ),
        "declare a private queue": lambda c: c.queue_declare("", exclusive=True),
        "declare an exchange": lambda c: c.exchange_declare(f"{user}.out", "topic"),
        "bind its queue to everything": lambda c: c.queue_bind(own, "foyer.events", "#"),
        "bind exchanges": lambda c: c.exchange_bind("foyer.events", "foyer.commands", "#"),
        "unbind its queue": lambda c: c.queue_unbind(own, "foyer.return", own),
        "delete its queue": lambda c: c.queue_delete(own),
        "delete the events": lambda c: c.exchange_delete("foyer.events"),
        "delete the commands": lambda c: c.exchange_delete("foyer.commands"),
    }
    assert allowed(connection, attempts) == []


def test_nobody_writes_past_the_exchanges(connection: BlockingConnection) -> None:
    """An administrator's replay may write to foyer.return; a service may not."""
    elsewhere = ["", "foyer.return", "amq.direct", "amq.fanout", "amq.headers", "amq.topic"]
    attempts = {
        f"write to {each or 'the default exchange'}": writes(each, "order.commands")
        for each in elsewhere
    }
    assert allowed(connection, attempts) == []


@pytest.mark.parametrize("user", ["edge"], indirect=True)
def test_the_edge_asks_and_does_nothing_else(
    connection: BlockingConnection, stores: Stores
) -> None:
    """It announces nothing, puts nothing off and gives nothing up."""
    exchanges = [each["name"] for each in stores.console.call("GET", "exchanges", VHOST)]
    ours = [each for each in exchanges if each.startswith("foyer.")]
    assert len(ours) > 6, ours  # Commands, events, return, dead, and one for each delay.
    attempts = {each: writes(each, "nobody.asks.this") for each in ours}
    assert allowed(connection, attempts) == ["foyer.commands"]


def test_nobody_says_a_message_in_anothers_name(connection: BlockingConnection) -> None:
    """The broker checks the property that names a publisher."""
    properties = pika.BasicProperties(user_id="admin")
    channel = connection.channel()
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        channel.basic_publish("foyer.commands", "nobody.asks.this", b"{}", properties)


@pytest.mark.parametrize("vhost", ["%2F", "other"])
def test_nobody_enters_another_virtual_host(whole: Stack, user: str, vhost: str) -> None:
    url = whole.environment()[f"FOYER_{user.upper()}_AMQP_URL"]
    address = f"{url.removesuffix(f'/{VHOST}')}/{vhost}"
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        BlockingConnection(pika.URLParameters(address))


def ask_console(whole: Stack, login: str, method: str, path: str, body: bytes | None = None) -> int:
    """Return the status that the console answers with."""
    url = urlsplit(whole.environment()["FOYER_RABBITMQ_API_URL"])
    request = urllib.request.Request(  # Our own console.
        f"http://{url.hostname}:{url.port}/api/{path}",
        method=method,
        data=body,
        headers={
            "Authorization": f"Basic {b64encode(login.encode()).decode()}",
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_nobody_but_the_operator_opens_the_console(whole: Stack, user: str) -> None:
    url = urlsplit(whole.environment()[f"FOYER_{user.upper()}_AMQP_URL"])
    assert ask_console(whole, f"{url.username}:{url.password}", "GET", "overview") == 401


def test_there_is_no_guest(whole: Stack) -> None:
    assert ask_console(whole, "guest:guest", "GET", "overview") == 401
    port = whole.layout.port("amqp")
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        BlockingConnection(pika.URLParameters(f"amqp://guest:guest@127.0.0.1:{port}/{VHOST}"))


def test_the_operator_looks_and_changes_nothing(whole: Stack) -> None:
    login = f"operator:{whole.environment()['FOYER_OPERATOR_PASSWORD']}"
    get = b'{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}'
    say = (
        b'{"properties":{},"routing_key":"order.events","payload":"{}","payload_encoding":"string"}'
    )
    assert ask_console(whole, login, "GET", "queues/foyer/order.commands") == 200
    assert ask_console(whole, login, "GET", "connections") == 200
    refused = {
        name: ask_console(whole, login, method, path, body)
        for name, (method, path, body) in {
            "read a message": ("POST", "queues/foyer/order.commands/get", get),
            "write a message": ("POST", "exchanges/foyer/foyer.return/publish", say),
            "purge a queue": ("DELETE", "queues/foyer/order.commands/contents", None),
            "delete a queue": ("DELETE", "queues/foyer/order.commands", None),
            "declare a queue": ("PUT", "queues/foyer/more", b'{"durable":true}'),
            "bind a queue": (
                "POST",
                "bindings/foyer/e/foyer.events/q/order.events",
                b'{"routing_key":"#"}',
            ),
            "make a user": ("PUT", "users/more", b'{"password":"x","tags":"administrator"}'),
            "give a right": (
                "PUT",
                "permissions/foyer/operator",
                b'{"configure":".*","write":".*","read":".*"}',
            ),
        }.items()
    }
    assert {name: status for name, status in refused.items() if status < 400} == {}
