"""The edge while the bus or the views are away, slow or back again; starting and stopping."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import orjson
import psycopg
import pytest
from psycopg.rows import DictRow

from tests.journeys.edge.parts import (
    ORDERS,
    ROOT,
    Bus,
    EdgeProcess,
    Proxy,
    Signer,
    check_problem,
    key,
    order,
    wait_for,
)

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("ignore:EdDSA is deprecated")]
SOON_SEC = 2.9
"""Two seconds, and what a busy machine adds; two looks, one after the other, take three."""


def through(proxy: Proxy, address: str) -> str:
    parts = urlsplit(address)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{proxy.port}"))


def proxy_to(address: str) -> Proxy:
    parts = urlsplit(address)
    assert parts.hostname is not None
    assert parts.port is not None
    return Proxy(parts.hostname, parts.port)


@pytest.fixture(scope="module")
def bus_line(known: Mapping[str, str]) -> Proxy:
    return proxy_to(known["FOYER_EDGE_AMQP_URL"])


@pytest.fixture(scope="module")
def views_line(known: Mapping[str, str]) -> Proxy:
    return proxy_to(known["FOYER_EDGE_DATABASE_URL"])


@pytest.fixture(scope="module")
def frail(
    known: Mapping[str, str],
    signer: Signer,  # noqa: ARG001  # It is ready only with keys.
    bus_line: Proxy,
    views_line: Proxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[EdgeProcess]:
    """An edge whose lines to the bus and the views can be cut."""
    lines = {
        "FOYER_EDGE_AMQP_URL": through(bus_line, known["FOYER_EDGE_AMQP_URL"]),
        "FOYER_EDGE_DATABASE_URL": through(views_line, known["FOYER_EDGE_DATABASE_URL"]),
    }
    edge = EdgeProcess({**known, **lines}, tmp_path_factory.mktemp("frail") / "edge.log")
    wait_for(lambda: edge.status("/readyz") == 200)
    yield edge
    edge.stop()


@pytest.fixture
def buyer(frail: EdgeProcess, signer: Signer, user: uuid.UUID) -> Iterator[httpx.Client]:
    token = {"Authorization": f"Bearer {signer.token(user)}"}
    with httpx.Client(base_url=frail.url, timeout=15, headers=token) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        client.get("/v1/orders").raise_for_status()
        yield client


def check_refused(buyer: httpx.Client, code: str = "bus_unavailable", **headers: str) -> None:
    """Make sure that an order gets an honest 503 soon."""
    began = time.monotonic()
    answer = buyer.post("/v1/orders", json=order(), headers=key() | headers)
    assert time.monotonic() - began < SOON_SEC
    check_problem(answer, 503, code)
    assert answer.headers["retry-after"] == "1"


def check_unreadable(buyer: httpx.Client, path: str) -> None:
    """Make sure that a read gets its 503 soon."""
    began = time.monotonic()
    check_problem(buyer.get(path), 503, "unavailable")
    assert time.monotonic() - began < SOON_SEC


def recovered(buyer: httpx.Client) -> bool:
    return buyer.post("/v1/orders", json=order(), headers=key()).status_code == 202


def test_a_bus_that_is_cut_is_503_and_comes_back(
    frail: EdgeProcess, buyer: httpx.Client, bus_line: Proxy
) -> None:
    bus_line.break_connections()
    try:
        wait_for(lambda: frail.status("/readyz") == 503)
        problem = check_problem(buyer.get("/readyz"), 503, "unavailable")
        assert "the bus" in problem["detail"]
        for _ in range(3):
            check_refused(buyer, Prefer="wait=10")
        assert buyer.get("/v1/orders").status_code == 200
        assert frail.status("/healthz") == 200
    finally:
        bus_line.cut = False
    wait_for(lambda: recovered(buyer))


def test_a_bus_that_says_nothing_is_503_within_two_seconds(
    buyer: httpx.Client, bus_line: Proxy, views: psycopg.Connection[DictRow], user: uuid.UUID
) -> None:
    bus_line.frozen = True
    try:
        with ThreadPoolExecutor(8) as pool:
            for each in [pool.submit(check_refused, buyer) for _ in range(8)]:
                each.result()
    finally:
        bus_line.frozen = False
    wait_for(lambda: recovered(buyer))
    # Nothing was forgotten: the rows are there, for the view service to publish again.
    rows = views.execute("SELECT status FROM operations WHERE user_id = %s", (user,)).fetchall()
    assert len(rows) >= 8


def test_the_same_key_is_accepted_once_the_bus_is_back(
    buyer: httpx.Client, bus_line: Proxy, bus: Bus
) -> None:
    body, headers = order(), key()
    bus_line.frozen = True
    answer = buyer.post("/v1/orders", json=body, headers=headers)
    check_problem(answer, 503, "bus_unavailable")
    bus_line.frozen = False
    wait_for(lambda: recovered(buyer))
    bus.purge()
    answer = buyer.post("/v1/orders", json=body, headers=headers)
    assert answer.status_code == 202
    sent = [
        each
        for each in bus.messages("order.commands")
        if each["data"]["ticket_id"] == body["ticket_id"]
    ]
    assert {each["operationid"] for each in sent} == {answer.json()["id"]}


def test_views_that_are_cut_are_503_and_come_back(
    frail: EdgeProcess, buyer: httpx.Client, views_line: Proxy
) -> None:
    views_line.break_connections()
    try:
        for path in ("/v1/tickets", "/v1/orders", f"/v1/operations/{uuid.uuid4()}"):
            answer = buyer.get(path)
            check_problem(answer, 503, "unavailable")
            assert answer.headers["retry-after"] == "1"
        check_refused(buyer)
        problem = check_problem(buyer.get("/readyz"), 503, "unavailable")
        assert "the views" in problem["detail"]
        assert frail.status("/healthz") == 200
    finally:
        views_line.cut = False
    wait_for(lambda: frail.status("/readyz") == 200)
    wait_for(lambda: recovered(buyer))


def test_views_that_say_nothing_are_503_within_two_seconds(
    frail: EdgeProcess, buyer: httpx.Client, views_line: Proxy
) -> None:
    views_line.frozen = True
    try:
        with ThreadPoolExecutor(8) as pool:
            for each in [pool.submit(check_refused, buyer) for _ in range(8)]:
                each.result()
        with ThreadPoolExecutor(8) as pool:
            operation = f"/v1/operations/{uuid.uuid4()}"
            paths = ["/v1/tickets", "/v1/orders", "/readyz", *[operation] * 5]
            for each in [pool.submit(check_unreadable, buyer, path) for path in paths]:
                each.result()
    finally:
        views_line.frozen = False
    wait_for(lambda: frail.status("/readyz") == 200)
    wait_for(lambda: recovered(buyer))
    assert buyer.get("/v1/tickets").status_code == 200


def test_what_was_accepted_is_202_although_its_end_cannot_be_read(
    buyer: httpx.Client, views_line: Proxy, bus: Bus
) -> None:
    """A 503 would say that it may not have been accepted."""
    body, waiting = order(), key() | {"Prefer": "wait=5"}
    bus.purge()
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(buyer.post, "/v1/orders", json=body, headers=waiting)
        wait_for(lambda: [each["data"]["ticket_id"] for each in bus.messages(ORDERS)])
        views_line.break_connections()
        try:
            answer = answered.result(30)
        finally:
            views_line.cut = False
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "pending"
    assert answer.headers["retry-after"] == "1"
    wait_for(lambda: recovered(buyer))
    followed = buyer.get(answer.headers["location"])
    assert followed.json() == answer.json()


def test_nothing_of_that_was_a_fault(frail: EdgeProcess) -> None:
    assert frail.status("/healthz") == 200
    lines = [orjson.loads(line) for line in frail.log.read_text().splitlines()]
    faults = [line for line in lines if line.get("event") == "a request failed"]
    assert faults == []


# Starting and stopping


def test_settings_that_are_missing_or_wrong_end_it_with_a_sentence(
    known: Mapping[str, str], edge: EdgeProcess
) -> None:
    for name, value, told in (
        ("FOYER_AMQP_URL", "", "FOYER_AMQP_URL is not set."),
        ("FOYER_DATABASE_URL", "mysql://x", "FOYER_DATABASE_URL is wrong"),
        ("FOYER_SEAL_KEY", "{}", "FOYER_SEAL_KEY is wrong"),
        ("STRIPE_WEBHOOK_SECRET", "", "STRIPE_WEBHOOK_SECRET is not set."),
        ("FOYER_PORT_BASE", "x", "FOYER_PORT_BASE is wrong"),
    ):
        ended = subprocess.run(
            [
                str(Path(sys.executable).with_name("gunicorn")),
                "-c",
                "http_edge/gunicorn.py",
                "http_edge.app:application",
            ],
            cwd=ROOT,
            env={**edge.settings, "PATH": os.environ["PATH"], name: value},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert ended.returncode == 2, ended.stderr
        assert ended.stderr.startswith(f"foyer: {told}")
        assert len(ended.stderr.splitlines()) == 1
        assert known["FOYER_EDGE_SEAL_KEY"] not in ended.stderr


def test_it_starts_without_the_bus_and_the_views(known: Mapping[str, str], tmp_path: Path) -> None:
    nowhere = {
        "FOYER_EDGE_AMQP_URL": "amqp://edge:x@127.0.0.1:1/foyer",
        "FOYER_EDGE_DATABASE_URL": "postgresql://edge:x@127.0.0.1:1/view_db",
    }
    edge = EdgeProcess({**known, **nowhere}, tmp_path / "edge.log")
    wait_for(lambda: edge.status("/healthz") == 200)
    problem = check_problem(httpx.get(f"{edge.url}/readyz"), 503, "unavailable")
    assert problem["detail"] == "Not there yet: the bus, the views, the signing keys."
    assert edge.stop() == 0


def test_it_answers_who_waits_and_stops_although_connections_are_kept(
    known: Mapping[str, str],
    signer: Signer,
    tmp_path: Path,
    user: uuid.UUID,
    views: psycopg.Connection[DictRow],
) -> None:
    edge = EdgeProcess(known, tmp_path / "edge.log")
    wait_for(lambda: edge.status("/readyz") == 200)
    token = {"Authorization": f"Bearer {signer.token(user)}"}
    with (
        httpx.Client(base_url=edge.url, headers=token, timeout=15) as idle,
        httpx.Client(base_url=edge.url, headers=token, timeout=15) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        idle.get("/healthz")
        asked = partial(client.post, "/v1/orders", json=order())
        waiting = pool.submit(asked, headers=key() | {"Prefer": "wait=3"})
        mine = "SELECT 1 FROM operations WHERE user_id = %s"
        wait_for(lambda: views.execute(mine, (user,)).fetchone())
        client_answered = idle.get("/healthz")
        assert client_answered.status_code == 200
        began = time.monotonic()
        assert edge.stop() == 0
        assert time.monotonic() - began < 10
        answer = waiting.result(1)
        assert answer.json()["status"] == "pending"
    lines = [orjson.loads(line) for line in edge.log.read_text().splitlines()]
    last = [line for line in lines if line.get("path") == "/v1/orders"]
    assert last[-1]["operation_id"] == answer.json()["id"]
    assert last[-1]["status"] == 202
    assert last[-1]["ms"] > 1000


def test_a_killed_process_leaves_no_orphan(known: Mapping[str, str], tmp_path: Path) -> None:
    edge = EdgeProcess(known, tmp_path / "edge.log")
    wait_for(lambda: edge.status("/readyz") == 200)
    pid = edge.process.pid
    (worker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    edge.process.kill()
    edge.process.wait(5)
    wait_for(lambda: not Path(f"/proc/{worker}").exists())
    assert edge.status("/healthz") == 0
