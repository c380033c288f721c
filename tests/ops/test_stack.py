"""The local system itself: who may go where, and what happens when something is killed."""

import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
import pymongo
import pymongo.errors
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ops.local import leftovers, procfile
from ops.local.errors import StackError
from ops.local.layout import PORTS, Layout
from ops.local.stack import Stack
from tests.lanes import base

# A system of this file's own, since what it does to it others would notice.
OWN_BASE = base("FOYER_OWN_BASE", 18150)
BACK_WITHIN_SEC = 5
"""Two seconds, and what a busy machine adds."""


def _until(condition: Callable[[], bool], deadline_sec: float) -> None:
    deadline = time.monotonic() + deadline_sec
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """Servers and one auth process."""
    stack = Stack(OWN_BASE)
    stack.up(scale=dict.fromkeys(procfile.lines(), 0) | {"auth": 1}, fresh=True)
    yield stack
    stack.down()


def _elsewhere(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def test_a_role_enters_its_own_database_only(stack: Stack) -> None:
    url = stack.environment()["FOYER_AUTH_DATABASE_URL"]
    psycopg.connect(url).close()
    for other in ("order_db", "payment_db", "view_db", "postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(_elsewhere(url, other))


def test_the_edge_enters_the_views_and_no_other_database(stack: Stack) -> None:
    url = stack.environment()["FOYER_EDGE_DATABASE_URL"]
    psycopg.connect(url).close()
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(_elsewhere(url, "auth_db"))


def test_redis_lets_nobody_in_without_a_name(stack: Stack) -> None:
    port = stack.layout.port("redis")
    with (
        redis.Redis(port=port, retry=Retry(NoBackoff(), 0)) as nobody,
        pytest.raises(redis.AuthenticationError),
    ):
        nobody.ping()


def test_redis_keeps_dangerous_commands_from_the_service(stack: Stack) -> None:
    url = stack.environment()["FOYER_EXPIRATION_REDIS_URL"]
    with redis.Redis.from_url(url) as service, pytest.raises(redis.exceptions.NoPermissionError):
        service.flushall()


def test_mongodb_shows_the_service_its_own_database_only(stack: Stack) -> None:
    client: pymongo.MongoClient[dict[str, object]]
    client = pymongo.MongoClient(stack.environment()["FOYER_TICKET_MONGO_URL"])
    with client:
        client["ticket_db"].list_collection_names()
        with pytest.raises(pymongo.errors.OperationFailure):
            client["other_db"].list_collection_names()


def test_rabbitmq_has_no_guest(stack: Stack) -> None:
    port = stack.layout.port("console")
    answer = httpx.get(f"http://127.0.0.1:{port}/api/overview", auth=("guest", "guest"))
    assert answer.status_code == httpx.codes.UNAUTHORIZED


def test_the_operator_can_look_at_the_console(stack: Stack) -> None:
    port = stack.layout.port("console")
    password = stack.environment()["FOYER_OPERATOR_PASSWORD"]
    answer = httpx.get(f"http://127.0.0.1:{port}/api/overview", auth=("operator", password))
    assert answer.status_code == httpx.codes.OK


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    rows = [line.split() for line in open("/proc/net/tcp").read().splitlines()[1:]]  # noqa: PTH123, SIM115 - /proc
    ours = {f"{stack.layout.port(name):04X}" for name in PORTS}
    listening = [row[1] for row in rows if row[3] == "0A" and row[1].split(":")[1] in ours]
    assert len(listening) >= len(PORTS) - 2  # Without the edge and the stand-in.
    assert all(address.startswith("0100007F:") for address in listening)


def test_a_second_up_leaves_what_runs_alone(stack: Stack) -> None:
    before = {each.name: each.pid for each in stack.status()}
    stack.up(processes=False)
    assert {each.name: each.pid for each in stack.status()} == before


def test_a_taken_port_is_named_with_its_holder() -> None:
    layout = Layout(18900)
    with socket.socket() as other:
        other.bind(("127.0.0.1", layout.port("redis")))
        other.listen()
        with pytest.raises(StackError, match=rf"port 18904 \(redis\).*pid {os.getpid()}"):
            leftovers.check_ports(layout)


def test_a_killed_process_is_back_alone(own: Stack) -> None:
    """Supervisord starts its successor at once, and touches no server.

    What is waited for is the successor's pid, the wrapper's at first: when it is at work depends on
    what it has to load, and is what `up` waits for.
    """
    servers = {each.name: each.pid for each in own.status() if each.name != "auth-1"}
    # Once it has run for a while: one that dies while starting is paced.
    _until(lambda: next(e.uptime_sec for e in own.status() if e.name == "auth-1") >= 3, 10)
    old = own.kill("auth")
    _until(lambda: own.pid("auth") not in {0, old}, BACK_WITHIN_SEC)
    assert {e.name: e.pid for e in own.status() if e.name != "auth-1"} == servers


def test_scaling_leaves_other_processes_alone(own: Stack) -> None:
    before = {each.name: each.pid for each in own.status()}
    own.scale({"auth": 3})
    _until(lambda: own.pid("auth", 3) != 0, BACK_WITHIN_SEC)
    assert own.scale_now()["auth"] == 3
    assert {e.name: e.pid for e in own.status() if e.name in before} == before
    own.scale({"auth": 1})
    assert {each.name: each.pid for each in own.status()} == before


def test_a_process_that_cannot_start_is_tried_for_ever(own: Stack) -> None:
    """Killed as soon as it is there, again and again, as if it could not start."""
    dead = own.kill("auth")
    for _ in range(3):
        # Until supervisord has noticed, it tells the pid of the one that is dead.
        _until(lambda gone=dead: own.pid("auth") not in {0, gone}, 15)  # type: ignore[misc]
        dead = own.kill("auth")
    _until(lambda: own.pid("auth") not in {0, dead}, 15)
    assert next(e.state for e in own.status() if e.name == "auth-1") == "RUNNING"


def test_killing_supervisord_leaves_no_orphan_and_up_starts_no_double(own: Stack) -> None:
    supervisord = int(own.layout.pidfile.read_text())
    old = {each.pid for each in own.status()}
    os.kill(supervisord, signal.SIGKILL)
    own.up(scale={**dict.fromkeys(procfile.lines(), 0), "auth": 1})
    assert not old & set(leftovers.find(own.layout))
    # One that was only just started shows no environment while it is being exchanged for another.
    _until(lambda: {each.pid for each in own.status()} <= set(leftovers.find(own.layout)), 15)
    assert own.pid("auth")


def test_what_was_stored_is_there_after_down_and_up(own: Stack) -> None:
    environment = own.environment()
    with psycopg.connect(environment["FOYER_AUTH_DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE kept (what text)")
        connection.execute("INSERT INTO kept VALUES ('this')")
    own.down()
    assert leftovers.find(own.layout) == []
    assert not own.running
    own.up(processes=False)
    assert own.environment() == environment
    with psycopg.connect(environment["FOYER_AUTH_DATABASE_URL"]) as connection:
        assert connection.execute("SELECT what FROM kept").fetchone() == ("this",)


def test_secrets_appear_in_no_log(own: Stack) -> None:
    text = "".join(p.read_text(errors="replace") for p in own.layout.log.glob("*.log"))
    for name, value in own.environment().items():
        words = re.findall(r"[0-9a-f]{32,}", value)
        assert not any(word in text for word in words), name
