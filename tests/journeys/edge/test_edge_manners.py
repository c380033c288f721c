"""What the edge does for whoever it faces: methods, headers, other sites, limits, slow clients."""

import socket
import time
import uuid
from collections.abc import Iterator, Mapping

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg.rows import DictRow

from tests.journeys.edge.parts import EdgeProcess, Signer, check_problem, key, order, wait_for
from tests.journeys.edge.rows import finish
from tests.journeys.listening import listening

pytestmark = pytest.mark.stack
SITE = "https://shop.example"


@pytest.fixture(scope="module")
def strict(
    known: Mapping[str, str],
    signer: Signer,  # noqa: ARG001  # It is ready only with keys.
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[EdgeProcess]:
    """An edge as it faces the internet: behind a proxy, with limits, called by another site."""
    given = {
        "FOYER_RATE_LIMITS": "address=30/minute, user=5/minute, sign-in=4/minute, account=2/minute",
        "FOYER_STREAM_LIMITS": "user=1",
        "FOYER_TRUSTED_PROXIES": "127.0.0.1",
        "FOYER_CORS_ORIGINS": SITE,
        "FOYER_ADMISSION_BACKLOG": "3",
    }
    edge = EdgeProcess({**known, **given}, tmp_path_factory.mktemp("strict") / "edge.log")
    wait_for(lambda: edge.status("/readyz") == 200)
    yield edge
    edge.stop()


@pytest.fixture
def visitor(strict: EdgeProcess) -> Iterator[httpx.Client]:
    """Somebody who comes from an address of their own."""
    origin = {"X-Forwarded-For": f"2001:db8:{uuid.uuid4().hex[:4]}:{uuid.uuid4().hex[:4]}::1"}
    with httpx.Client(base_url=strict.url, headers=origin, timeout=15) as client:
        yield client


# Methods and headers


def test_every_answer_has_its_headers(client: httpx.Client) -> None:
    for path in ("/v1/tickets", "/v1/orders", "/nowhere", "/docs", "/openapi.json", "/healthz"):
        answer = client.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-request-id"]


def test_a_head_is_a_get_without_the_body(client: httpx.Client) -> None:
    for path in ("/v1/tickets", "/openapi.json", "/healthz", "/nowhere", "/v1/orders"):
        head, get = client.head(path), client.get(path)
        assert head.status_code == get.status_code
        assert head.content == b""
        for name in ("content-type", "content-length", "cache-control"):
            assert head.headers.get(name) == get.headers.get(name), (path, name)


def test_a_head_does_not_take_what_it_does_not_give(
    client: httpx.Client, views: psycopg.Connection[DictRow]
) -> None:
    asked = client.post("/v1/sessions", json={"email": "a@example.org", "password": "p" * 10})
    path = asked.headers["location"]
    finish(views, asked.json()["id"], result={}, secret={})
    views.execute(
        'UPDATE operations SET secret = \'{"access_token": "x"}\' WHERE id = %s',
        (asked.json()["id"],),
    )
    assert client.head(path).status_code == 200
    row = views.execute("SELECT secret FROM operations WHERE id = %s", (asked.json()["id"],))
    assert row.fetchone() == {"secret": {"access_token": "x"}}


def test_a_head_of_a_stream_ends(buyer: httpx.Client) -> None:
    head = buyer.head("/v1/notifications")
    assert head.status_code == 200
    assert head.headers["content-type"] == "text/event-stream"


def test_what_can_be_done_is_told(client: httpx.Client) -> None:
    options = client.options("/v1/tickets")
    assert options.status_code == 200
    assert {"GET", "HEAD", "POST"} <= set(options.headers["allow"].split(", "))
    wrong = client.delete("/v1/tickets")
    check_problem(wrong, 405, "method_not_allowed")
    assert {"GET", "HEAD", "POST"} <= set(wrong.headers["allow"].split(", "))


# Other sites


def test_a_known_site_may_call_and_read_what_it_needs(visitor: httpx.Client) -> None:
    asked = {
        "Origin": SITE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, idempotency-key, prefer",
    }
    allowed = visitor.options("/v1/orders", headers=asked)
    assert allowed.headers["access-control-allow-origin"] == SITE
    assert "POST" in allowed.headers["access-control-allow-methods"]
    assert "idempotency-key" in allowed.headers["access-control-allow-headers"]
    answer = visitor.get("/v1/tickets", headers={"Origin": SITE})
    assert answer.headers["access-control-allow-origin"] == SITE
    assert "RateLimit" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    assert "Origin" in answer.headers["vary"]


def test_an_unknown_site_may_not(visitor: httpx.Client, client: httpx.Client) -> None:
    for each in (visitor, client):
        answer = each.get("/v1/tickets", headers={"Origin": "https://elsewhere.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]


# Limits


def check_limited(answer: httpx.Response, kind: str) -> None:
    check_problem(answer, 429, "rate_limited")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert f'"{kind}";r=0;t=' in answer.headers["ratelimit"]


def test_an_address_has_its_limit(visitor: httpx.Client, strict: EdgeProcess) -> None:
    answers = [visitor.get("/v1/tickets") for _ in range(30)]
    assert {each.status_code for each in answers} == {200}
    assert answers[0].headers["ratelimit"].startswith('"address";r=29;t=')
    assert '"address";q=30;w=60' in answers[0].headers["ratelimit-policy"]
    check_limited(visitor.get("/v1/tickets"), "address")
    check_limited(visitor.get("/nowhere"), "address")
    assert visitor.get("/healthz").status_code == 200
    other = {"X-Forwarded-For": "203.0.113.9"}
    assert httpx.get(f"{strict.url}/v1/tickets", headers=other).status_code == 200


def test_a_user_has_a_limit_from_wherever_they_come(strict: EdgeProcess, signer: Signer) -> None:
    token = {"Authorization": f"Bearer {signer.token(uuid.uuid4())}"}
    with httpx.Client(base_url=strict.url, headers=token) as user:
        for at in range(5):
            answer = user.get("/v1/orders", headers={"X-Forwarded-For": f"203.0.113.{at}"})
            assert answer.status_code == 200
        answer = user.get("/v1/orders", headers={"X-Forwarded-For": "203.0.113.99"})
        check_limited(answer, "user")


def test_passwords_are_tried_slowly(visitor: httpx.Client, strict: EdgeProcess) -> None:
    def sign_in(http: httpx.Client, email: str) -> httpx.Response:
        return http.post("/v1/sessions", json={"email": email, "password": "wrong password"})

    ann = f"{uuid.uuid4().hex}@example.org"
    for _ in range(2):
        assert sign_in(visitor, ann).status_code in {202, 503}
    check_limited(sign_in(visitor, ann.upper()), "account")
    with httpx.Client(base_url=strict.url, headers={"X-Forwarded-For": "198.51.100.7"}) as other:
        check_limited(sign_in(other, ann), "account")
    sign_in(visitor, f"{uuid.uuid4().hex}@example.org")
    check_limited(sign_in(visitor, f"{uuid.uuid4().hex}@example.org"), "sign-in")


def test_a_user_follows_so_many_streams_at_once(strict: EdgeProcess, signer: Signer) -> None:
    def somebody(number: int) -> httpx.Client:
        told = {"Authorization": f"Bearer {signer.token(uuid.uuid4())}"}
        return httpx.Client(
            base_url=strict.url, headers=told | {"X-Forwarded-For": f"203.0.113.{number}"}
        )

    with somebody(50) as one, somebody(51) as other, listening(one, "/v1/notifications") as stream:
        assert stream.status == 200
        refused = one.get("/v1/notifications")
        problem = check_problem(refused, 429, "rate_limited")
        assert "close one" in problem["detail"]
        assert refused.headers["retry-after"] == "15"
        assert one.get("/v1/orders").status_code == 200
        with listening(other, "/v1/notifications") as another:
            assert another.status == 200


# Admission


def test_a_full_backlog_is_refused_before_anything_is_written(
    strict: EdgeProcess, signer: Signer, views: psycopg.Connection[DictRow]
) -> None:
    def place() -> httpx.Response:
        user = uuid.uuid4()
        told = {"Authorization": f"Bearer {signer.token(user)}", "X-Forwarded-For": str(user)}
        return httpx.post(f"{strict.url}/v1/orders", json=order(), headers=told | key())

    count = "SELECT count(*) AS n FROM operations"
    views.execute(
        "UPDATE operations SET status = 'failed', finished_at = now() WHERE status = 'pending'"
    )
    wait_for(lambda: place().status_code == 202)
    wait_for(lambda: place().status_code == 503)
    before = views.execute(count).fetchone()
    refused = place()
    check_problem(refused, 503, "unavailable")
    assert refused.headers["retry-after"] == "5"
    assert views.execute(count).fetchone() == before
    reads = {"X-Forwarded-For": "198.51.100.8"}
    assert httpx.get(f"{strict.url}/v1/tickets", headers=reads).status_code == 200
    views.execute(
        "UPDATE operations SET status = 'failed', finished_at = now() WHERE status = 'pending'"
    )
    wait_for(lambda: place().status_code == 202)


# What is measured


def test_a_method_that_a_client_makes_up_is_no_name_of_a_number(client: httpx.Client) -> None:
    """Each name is kept for good: a client must not be able to add to them."""
    for number in range(20):
        answer = client.request(f"MADEUP{number}", "/healthz")
        assert answer.status_code in {400, 405}
    client.head("/healthz")
    wait_for(lambda: {"other", "HEAD"} <= methods_of(client, "/healthz"))
    assert methods_of(client, "/healthz") <= {"other", "HEAD", "GET"}


def methods_of(client: httpx.Client, route: str) -> set[str]:
    """Return by which methods the requests of a route are counted."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        sample.labels["method"]
        for family in families
        for sample in family.samples
        if sample.labels.get("route") == route
    }


# Slow clients


def test_a_connection_that_never_asks_is_closed(edge: EdgeProcess) -> None:
    with socket.create_connection(("127.0.0.1", edge.port)) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        idle.settimeout(30)
        began = time.monotonic()
        assert idle.recv(1) == b""
        assert 8 < time.monotonic() - began < 18
