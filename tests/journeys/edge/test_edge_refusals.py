"""What the edge refuses by itself, and that it never breaks on what it is sent."""

import socket
import uuid

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.journeys.edge.parts import EdgeProcess, Signer, check_problem, key, order

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("ignore:EdDSA is deprecated")]
JSON = {"Content-Type": "application/json"}
SOME_ID = uuid.UUID("0c2b4a52-7f6e-4b8e-9c1d-5a3f2e1d0c9b")


def pointers(answer: httpx.Response) -> set[str]:
    problem = check_problem(answer, 422, "invalid_request")
    return {each["pointer"] for each in problem["errors"]}


# Paths and methods


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/nothing",
        "/v1/orders/",
        "/v1/orders/1",
        "/v1/orders/not-a-uuid",
        f"/v1/orders/{SOME_ID.hex}",
        f"/v1/orders/{{{SOME_ID}}}",
        f"/v1/orders/urn:uuid:{SOME_ID}",
        "/v1/operations/%00",
        "/v1/tickets/%ff%fe",
        f"/v1/tickets/{SOME_ID}%0a",
    ],
)
def test_a_path_that_leads_nowhere_is_404(buyer: httpx.Client, path: str) -> None:
    check_problem(buyer.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/orders", "GET, HEAD, POST, OPTIONS"),
        ("GET", "/v1/users", "POST"),
        ("PUT", "/healthz", "GET, HEAD, OPTIONS"),
        ("PATCH", f"/v1/orders/{SOME_ID}", "GET"),
    ],
)
def test_a_wrong_method_is_405_and_says_what_may_be_done(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = client.request(method, path)
    check_problem(answer, 405, "method_not_allowed")
    assert allowed in answer.headers["allow"]


# Tokens


@pytest.mark.parametrize("path", ["/v1/orders", f"/v1/orders/{SOME_ID}/payment"])
def test_without_a_token_it_is_401(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    check_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_token_comes_before_the_body(client: httpx.Client) -> None:
    check_problem(client.post("/v1/orders", content=b"{", headers=JSON), 401, "unauthenticated")


def test_tokens_that_are_not_valid_are_refused(
    edge: EdgeProcess, signer: Signer, user: uuid.UUID
) -> None:
    good = signer.token(user)
    head, claims, signature = good.split(".")
    forged = Signer()
    bad = {
        "expired": signer.token(user, exp=1),
        "no expiry": signer.token(user, exp=None),
        "expiry as a text": signer.token(user, exp="9999999999"),
        "not yet": signer.token(user, nbf=9999999999),
        "beginning as a text": signer.token(user, nbf="0"),
        "another issuer": signer.token(user, iss="other"),
        "another audience": signer.token(user, aud="other"),
        "no user": signer.token("nobody"),
        "a refresh token's type": signer.token(user, header={"typ": "JWT"}),
        "an unknown key": signer.token(user, header={"kid": "unknown"}),
        "somebody else's key": forged.token(user, header={"kid": signer.kid}),
        "changed claims": f"{head}.{claims[:-2]}AA.{signature}",
        "no signature": f"{head}.{claims}.",
        "no algorithm": f"{orjson.dumps({'alg': 'none'}).hex()}.{claims}.",
        "not a token": "abc",
        "dots": "..",
        "too long": "a" * 5000,
    }
    with httpx.Client(base_url=edge.url) as client:
        for why, token in bad.items():
            for scheme in ("Bearer", "bearer"):
                answer = client.get("/v1/orders", headers={"Authorization": f"{scheme} {token}"})
                assert answer.status_code == 401, why
        for header in ("Basic YTpi", "Bearer", good):
            answer = client.get("/v1/orders", headers={"Authorization": header})
            check_problem(answer, 401, "unauthenticated")
        assert client.get("/v1/orders", headers={"Authorization": f"Bearer {good}"}).is_success


def test_a_bad_token_does_not_matter_where_none_is_needed(client: httpx.Client) -> None:
    assert client.get("/v1/tickets", headers={"Authorization": "Bearer x"}).status_code == 200


# Queries and keys


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("limit=x", "/limit"),
        ("limit=", "/limit"),
        ("limit=1.0", "/limit"),
        ("limit=5&limit=6", "/limit"),
        ("cursor=", "/cursor"),
        ("cursor=abc", "/cursor"),
        ("cursor=%00", "/cursor"),
        ("cursor=WyJvcmRlcnMiLCIxIiwiMiJd", "/cursor"),
        ("unknown=1", "/unknown"),
        ("from=yesterday", "/from"),
        ("from=2037-01-02T00:00:00Z&to=2037-01-01T00:00:00Z", "/to"),
        ("q=%00", "/q"),
        (f"q={'x' * 201}", "/q"),
    ],
)
def test_a_wrong_query_is_422(client: httpx.Client, query: str, at: str) -> None:
    assert at in pointers(client.get(f"/v1/tickets?{query}"))


def test_a_query_where_none_is_known_is_422(buyer: httpx.Client) -> None:
    assert pointers(buyer.post("/v1/orders?a=1", json=order(), headers=key())) == {"/a"}
    assert pointers(buyer.get("/healthz?a=1")) == {"/a"}


def test_a_query_that_is_not_utf_8_is_400(client: httpx.Client) -> None:
    check_problem(client.get("/v1/tickets?q=%ff"), 400, "malformed")


def test_an_order_needs_a_key(buyer: httpx.Client) -> None:
    check_problem(buyer.post("/v1/orders", json=order()), 400, "key_required")
    for empty in ("", '""'):
        answer = buyer.post("/v1/orders", json=order(), headers={"Idempotency-Key": empty})
        check_problem(answer, 400, "key_required")
    answer = buyer.post("/v1/orders", json=order(), headers={"Idempotency-Key": "x" * 256})
    check_problem(answer, 400, "malformed")
    answer = buyer.post("/v1/orders", json=order(), headers={"Idempotency-Key": "x" * 255})
    assert answer.status_code == 202


# Whatever else


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.dictionaries(
        st.sampled_from(["q", "from", "to", "limit", "cursor"]),
        st.text(max_size=20).filter(lambda t: not any(0xD800 <= ord(c) < 0xE000 for c in t)),
    )
)
def test_no_query_breaks_it(client: httpx.Client, query: dict[str, str]) -> None:
    assert client.get("/v1/tickets", params=query).status_code in {200, 422}


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"BREW /v1/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /v1/orders HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer \xff\r\n\r\n",
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_what_is_no_http_is_a_problem_document_too(edge: EdgeProcess, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", edge.port), timeout=10) as connection:
        connection.sendall(raw)
        answer = b""
        while data := connection.recv(65536):
            answer += data
            if b"}" in data:
                break
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer
    assert 400 <= orjson.loads(body)["status"] < 500
    assert head.split()[1] == b"%d" % orjson.loads(body)["status"]


def test_a_token_without_a_session_cannot_end_or_keep_one(buyer: httpx.Client) -> None:
    """Such were given before sessions had names; they live for minutes."""
    change = {"current_password": "x", "new_password": "another horse"}
    check_problem(buyer.delete("/v1/sessions/current"), 401, "unauthenticated")
    check_problem(buyer.put("/v1/users/me/password", json=change), 401, "unauthenticated")
