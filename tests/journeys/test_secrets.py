"""Everything that the system says, keeps and logs during a few journeys, searched for secrets.

A queue takes a copy of every message that is published; at the end it, the dead letters, every
table, collection and key, and every log are searched for each secret that a client sent or was
given. Stripe's stand-in is not: it plays Stripe, whose secrets these are.
"""

from collections.abc import Callable, Iterator
from uuid import uuid4

import orjson
import pika
import psycopg
import pytest
import redis
from pika.adapters.blocking_connection import BlockingChannel

from bus.envelope import COMMANDS, EVENTS
from bus.topology import DEAD
from ops import letters
from ops.local.stack import Stack
from ops.stores import POSTGRES, SERVICES, Stores
from ops.stores import settings as settings_of
from schemas.auth import OpenSession
from schemas.message import catalogue
from tests.journeys.edge.parts import wait_for
from tests.journeys.shop import DEADLINE_SEC, PASSWORD, Json, Person, Stripe, paid

pytestmark = pytest.mark.journey
CARD = "4242424242424242"
_FIREHOSE = "tests.firehose"


@pytest.fixture(scope="module")
def firehose(system: Stack) -> Iterator[BlockingChannel]:
    """A queue that everything said is copied to."""
    address = pika.URLParameters(system.environment()["FOYER_ADMIN_AMQP_URL"])
    with pika.BlockingConnection(address) as connection:
        channel = connection.channel()
        channel.queue_declare(_FIREHOSE, exclusive=True)
        channel.queue_bind(_FIREHOSE, EVENTS, "#")
        for each in catalogue().values():
            if each.KIND == "command":
                channel.queue_bind(_FIREHOSE, COMMANDS, each.TYPE)
        for service in SERVICES:
            channel.queue_bind(_FIREHOSE, DEAD, service)
        yield channel


@pytest.fixture(scope="module")
def email() -> str:
    """Somebody's address: no secret, so the searches must find it where it belongs."""
    return f"{uuid4().hex}@example.org"


@pytest.fixture(scope="module")
def secrets(
    email: str,
    firehose: BlockingChannel,
    stripe: Stripe,
    arrive: Callable[[], Person],
    system: Stack,
) -> list[str]:
    """What nobody else may ever see, used in every way that there is."""
    assert firehose.is_open
    buyer, ticket_id = arrive(), arrive().offer()
    first, second, wrong = (f"password {uuid4().hex}" for _ in range(3))
    login = {"email": email, "password": first}
    buyer.write("POST", "/v1/users", login)
    session = signed_in(buyer, login)
    buyer.http.headers["Authorization"] = f"Bearer {session['access_token']}"
    signed_in(buyer, login | {"password": wrong}, expected="failed")
    fresh = buyer.write("POST", "/v1/sessions/refresh", {"refresh_token": session["refresh_token"]})
    change = {"current_password": first, "new_password": second}
    buyer.write("PUT", "/v1/users/me/password", change)
    again = signed_in(buyer, login | {"password": second})
    # What is refused at the door is not written down either.
    buyer.http.post("/v1/sessions", json=login | {"card": CARD})
    buyer.http.post("/v1/orders", json={"ticket_id": ticket_id, "card": CARD})
    order = buyer.buy(ticket_id)
    assert stripe.confirm(order["payment"]) == 200
    buyer.sees(order["order_id"], paid)
    unpaid = buyer.buy(ticket_id)
    stripe.confirm(unpaid["payment"], "pm_card_chargeDeclined")
    buyer.cancel(unpaid["order_id"])
    tokens = [each[kind] for each in (session, again, fresh["result"]) for kind in TOKENS]
    payments = [each["payment"]["client_secret"] for each in (order, unpaid)]
    known = settings_of(system.layout)
    ours = [known["STRIPE_API_KEY"], known["STRIPE_WEBHOOK_SECRET"]]
    return [first, second, wrong, CARD, *tokens, *payments, *ours]


TOKENS = ("access_token", "refresh_token")


def signed_in(person: Person, login: Json, expected: str = "succeeded") -> Json:
    ended = person.write("POST", "/v1/sessions", login)
    assert ended["status"] == expected
    result: Json = ended["result"]
    return result


def found_in(text: str, secrets: list[str]) -> list[str]:
    return [each for each in secrets if each in text]


@pytest.fixture(scope="module")
def opened(system: Stack) -> Iterator[Stores]:
    with Stores(settings_of(system.layout)) as stores:
        yield stores


def test_nothing_that_is_said_holds_a_secret(
    secrets: list[str], email: str, firehose: BlockingChannel
) -> None:
    said = []
    while (delivered := firehose.basic_get(_FIREHOSE, auto_ack=True))[0] is not None:
        _, properties, body = delivered
        said.append(str(properties) + body.decode())
    types = {orjson.loads(each[each.index('{"') :])["type"] for each in said if '{"' in each}
    assert {"auth.session.open", "auth.session.opened", "payments.payment.requested"} <= types
    assert any(email in each for each in said)
    for each in said:
        assert not found_in(each, secrets), each


@pytest.fixture
def letter(
    firehose: BlockingChannel, arrive: Callable[[], Person], opened: Stores
) -> Iterator[str]:
    """A sign-in that nobody can read, so that its sealed password is among the dead."""
    assert arrive().refresh_token  # They have signed in.
    kind, body = None, b""
    while kind != OpenSession.TYPE:
        method, properties, body = firehose.basic_get(_FIREHOSE, auto_ack=True)
        kind = properties.type if method else None
    sent = orjson.loads(body)
    broken = sent | {"id": str(uuid4()), "data": sent["data"] | {"email": 7}}
    firehose.basic_publish(COMMANDS, OpenSession.TYPE, orjson.dumps(broken), mandatory=True)
    yield broken["id"]
    with letters.opened(opened, "auth") as tray:
        for each in tray.letters:
            if each.message_id == broken["id"]:
                tray.settle(each)


def test_no_dead_letter_holds_a_secret(secrets: list[str], letter: str, opened: Stores) -> None:
    wait_for(lambda: any(letter in each for each in dead_letters(opened)), DEADLINE_SEC)
    for each in dead_letters(opened):
        assert not found_in(each, [*secrets, PASSWORD])


def dead_letters(opened: Stores) -> list[str]:
    found = []
    for service in SERVICES:
        channel = opened.channel()
        while (delivered := channel.basic_get(f"{service}.dead"))[0] is not None:
            found.append(str(delivered[1].headers) + str(delivered[2]))
        channel.connection.close()  # What was looked at goes back.
    return found


_TABLES = """
    SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


def rows_with(db: psycopg.Connection, wanted: list[str]) -> list[str]:
    """Return the tables that hold any of these texts."""
    patterns = [f"%{each}%" for each in wanted]
    return [
        table
        for (table,) in db.execute(_TABLES).fetchall()
        if db.execute(
            f'SELECT FROM "{table}" t WHERE t::text LIKE ANY (%s) LIMIT 1'.encode(),  # Its own.
            (patterns,),
        ).fetchall()
    ]


@pytest.mark.parametrize("service", POSTGRES)
def test_no_table_holds_a_secret(
    secrets: list[str], email: str, system: Stack, service: str
) -> None:
    address = system.environment()[f"FOYER_{service.upper()}_DATABASE_URL"]
    with psycopg.connect(address, autocommit=True) as db:
        assert rows_with(db, secrets) == []
        assert service != "auth" or rows_with(db, [email])


def test_no_collection_and_no_key_holds_a_secret(
    secrets: list[str], opened: Stores, system: Stack
) -> None:
    for name in opened.mongo.list_collection_names():
        for document in opened.mongo[name].find():
            assert not found_in(str(document), secrets), name
    with redis.Redis.from_url(system.environment()["FOYER_ADMIN_REDIS_URL"]) as everything:
        everything.hset("tests", "known", "known " * 20)
        kept = [f"{key!r} {value_of(everything, key)}" for key in everything.scan_iter(count=1000)]
        everything.delete("tests")
    assert any("known " * 20 in each for each in kept), "what is there is found"
    for each in kept:
        assert not found_in(each, secrets)


def value_of(everything: redis.Redis, key: bytes) -> str:
    """Return what is kept under a key; a dump of it would be compressed."""
    read: dict[bytes, Callable[[bytes], object]] = {
        b"string": everything.get,
        b"hash": everything.hgetall,
        b"set": everything.smembers,
        b"zset": lambda key: everything.zrange(key, 0, -1),
        b"list": lambda key: everything.lrange(key, 0, -1),
        b"stream": everything.xrange,
    }
    kind = everything.type(key)
    return str(read[kind](key)) if kind in read else ""


def test_no_log_holds_a_secret_or_says_who_somebody_is(
    secrets: list[str], system: Stack, arrive: Callable[[], Person]
) -> None:
    last = arrive()
    edge = system.layout.log / "edge-1.log"
    wait_for(lambda: last.id and "/v1/sessions" in edge.read_text(), DEADLINE_SEC)
    logs = [each for each in system.layout.log.iterdir() if not each.name.startswith("stripe")]
    assert len(logs) > len(SERVICES)
    for log in logs:
        text = log.read_text(errors="replace")
        assert not found_in(text, [*secrets, "@example.org"]), log.name
