"""Bodies: strict JSON, the right shapes, a place for each fault, and nothing that breaks it."""

import json
import socket
import uuid
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.journeys.edge.parts import EdgeProcess, check_problem, key, order

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("ignore:EdDSA is deprecated")]
JSON = {"Content-Type": "application/json"}
TICKET: dict[str, Any] = {
    "title": "Gig",
    "price": "25",
    "currency": "EUR",
    "quota": 100,
    "max_per_user": 4,
    "ticket_type": "GA",
    "event": {
        "title": "Night",
        "starts_at": "2037-01-01T20:00:00+01:00",
        "ends_at": "2037-01-01T23:00:00Z",
    },
}


def pointers(answer: httpx.Response) -> set[str]:
    problem = check_problem(answer, 422, "invalid_request")
    return {each["pointer"] for each in problem["errors"]}


def ticket(**given: object) -> dict[str, Any]:
    return TICKET | given


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "x"],
)
def test_another_media_type_is_415(buyer: httpx.Client, content_type: str) -> None:
    headers = {"Content-Type": content_type, **key()}
    answer = buyer.post("/v1/orders", content=orjson.dumps(order()), headers=headers)
    check_problem(answer, 415, "unsupported_media_type")


def test_a_body_without_a_media_type_is_415(buyer: httpx.Client) -> None:
    answer = buyer.post("/v1/orders", content=orjson.dumps(order()), headers=key())
    check_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"1",
        b'"text"',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": 01}',
        b'{"quantity": 1, "quantity": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"a": "\x01"}',
        b'{"a": "\x00"}',
        b"{} {}",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
    ],
    ids=lambda body: repr(body[:30]),
)
def test_what_is_not_a_json_object_is_400(buyer: httpx.Client, body: bytes) -> None:
    answer = buyer.post("/v1/orders", content=body, headers=JSON | key())
    check_problem(answer, 400, "malformed")


def test_a_body_of_more_than_64_kib_is_413_however_it_is_sent(buyer: httpx.Client) -> None:
    body = orjson.dumps({"a": "x" * 65_536})
    answer = buyer.post("/v1/orders", content=body, headers=JSON | key())
    check_problem(answer, 413, "too_large")
    chunks = (body[at : at + 8192] for at in range(0, len(body), 8192))
    answer = buyer.post("/v1/orders", content=chunks, headers=JSON | key())
    check_problem(answer, 413, "too_large")


def test_who_is_refused_while_sending_is_told_that_the_connection_ends(edge: EdgeProcess) -> None:
    head = b"POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", edge.port), timeout=15) as sending:
        sending.sendall(head + b"Content-Length: 900000\r\n\r\n{")
        answer = b"".join(iter(lambda: sending.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nconnection: close\r\n" in answer.lower()


def test_who_was_heard_to_the_end_keeps_the_connection(client: httpx.Client) -> None:
    for _ in range(2):
        answer = client.post("/v1/users", content=b"{", headers=JSON)
        check_problem(answer, 400, "malformed")
        assert answer.headers.get("connection") != "close"


def test_a_body_of_64_kib_is_read(buyer: httpx.Client) -> None:
    body = orjson.dumps({"a": "x" * (65_536 - 8)})
    assert len(body) == 65_536
    answer = buyer.post("/v1/orders", content=body, headers=JSON | key())
    assert "/a" in pointers(answer)


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, "/ticket_id"),
        (order(ticket_id="1"), "/ticket_id"),
        (order(ticket_id=1), "/ticket_id"),
        (order(ticket_id=None), "/ticket_id"),
        (order(ticket_id=uuid.uuid4().hex), "/ticket_id"),
        (order(quantity=0), "/quantity"),
        (order(quantity=1001), "/quantity"),
        (order(quantity=-1), "/quantity"),
        (order(quantity="2"), "/quantity"),
        (order(quantity=2.0), "/quantity"),
        (order(quantity=True), "/quantity"),
        (order(quantity=None), "/quantity"),
        (order(quantity=10**30), "/quantity"),
        (order(method="CASH"), "/method"),
        (order(method=["CARD"]), "/method"),
        (order(extra=1), "/extra"),
        ({**order(), "a/b~c": 1}, "/a~1b~0c"),
        (order(seat_ids=[str(uuid.uuid4())]), ""),
        ({"ticket_id": str(uuid.uuid4())}, ""),
        ({"ticket_id": str(uuid.uuid4()), "section_id": str(uuid.uuid4())}, ""),
        (order(quantity="x", method=1), "/method"),
        ({"ticket_id": str(uuid.uuid4()), "seat_ids": []}, "/seat_ids"),
        ({"ticket_id": str(uuid.uuid4()), "seat_ids": ["1"]}, "/seat_ids/0"),
        ({"ticket_id": str(uuid.uuid4()), "seat_ids": [str(uuid.UUID(int=1))] * 2}, "/seat_ids"),
        (order(note="\x00"), "/note"),
        (order(note={"a": ["\n"]}), "/note/a/0"),
        (order(note="\x85"), "/note"),
        (order(note=2**53), "/note"),
    ],
)
def test_a_wrong_order_is_422_with_a_pointer(
    buyer: httpx.Client, body: dict[str, Any], at: str
) -> None:
    answer = buyer.post(
        "/v1/orders",
        content=orjson.dumps(body) if _small(body) else _big(body),
        headers=JSON | key(),
    )
    assert at in pointers(answer)


def _small(body: dict[str, Any]) -> bool:
    return all(not isinstance(each, int) or abs(each) < 2**63 for each in body.values())


def _big(body: dict[str, Any]) -> bytes:
    return httpx.Request("POST", "http://x", json=body).read()


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (ticket(price=25), "/price"),
        (ticket(price=25.5), "/price"),
        (ticket(price="-1"), "/price"),
        (ticket(price="1e3"), "/price"),
        (ticket(price="1.234"), "/price"),
        (ticket(price="1.000"), "/price"),
        (ticket(price="10.5", currency="JPY"), "/price"),
        (ticket(price="1.2345", currency="KWD"), "/price"),
        (ticket(price="100000000"), "/price"),
        (ticket(price=" 1"), "/price"),
        (ticket(price="NaN"), "/price"),
        (ticket(price="\u0661"), "/price"),
        (ticket(currency="EURO"), "/currency"),
        (ticket(currency="XXX"), "/currency"),
        (ticket(currency="eur"), "/currency"),
        (ticket(currency=978), "/currency"),
        (ticket(quota=0), "/quota"),
        (ticket(quota=1_000_001), "/quota"),
        (ticket(max_per_user=0), "/max_per_user"),
        ({name: value for name, value in TICKET.items() if name != "quota"}, "/quota"),
        (ticket(ticket_type="VIP"), "/ticket_type"),
        (ticket(status="closed"), "/status"),
        (ticket(title=""), "/title"),
        (ticket(title="   "), "/title"),
        (ticket(title="x" * 201), "/title"),
        (ticket(event={}), "/event/starts_at"),
        (ticket(event=[]), "/event"),
        (ticket(event=TICKET["event"] | {"extra": 1}), "/event/extra"),
        (ticket(event=TICKET["event"] | {"starts_at": "2037-01-01"}), "/event/starts_at"),
        (ticket(event=TICKET["event"] | {"starts_at": "2037-01-01T20:00:00"}), "/event/starts_at"),
        (ticket(event=TICKET["event"] | {"starts_at": 1798830000}), "/event/starts_at"),
        (ticket(event=TICKET["event"] | {"starts_at": "2037-13-01T20:00:00Z"}), "/event/starts_at"),
        (
            ticket(event=TICKET["event"] | {"starts_at": "0001-01-01T00:00:00+14:00"}),
            "/event/starts_at",
        ),
        (ticket(event=TICKET["event"] | {"ends_at": "2037-01-01T19:00:00Z"}), "/event/ends_at"),
        (ticket(event=TICKET["event"] | {"venue": "here"}), "/event/venue"),
        (ticket(event=TICKET["event"] | {"venue": {"$where": 1}}), "/event/venue"),
        (ticket(event=TICKET["event"] | {"venue": {"a": {"b.c": 1}}}), "/event/venue"),
        (ticket(event=TICKET["event"] | {"venue": {"a": "x" * 20_000}}), "/event/venue"),
    ],
)
def test_a_wrong_ticket_is_422_with_a_pointer(
    buyer: httpx.Client, body: dict[str, Any], at: str
) -> None:
    assert at in pointers(buyer.post("/v1/tickets", json=body))


def test_a_change_of_a_ticket_needs_its_version(buyer: httpx.Client) -> None:
    path = f"/v1/tickets/{uuid.uuid4()}"
    assert "/version" in pointers(buyer.patch(path, json={"title": "New"}))
    assert buyer.patch(path, json={"title": "New", "version": 1}).status_code == 202


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"email": "nobody", "password": "long enough"}, "/email"),
        ({"email": "a@example.com", "password": "too short"}, "/password"),
        ({"email": "a@example.com", "password": "x" * 129}, "/password"),
        ({"email": "a@example.com", "password": "long\nenough"}, "/password"),
        ({"email": f"{'a' * 250}@example.com", "password": "long enough"}, "/email"),
        ({"email": "a@example.com"}, "/password"),
    ],
)
def test_a_wrong_registration_is_422(client: httpx.Client, body: dict[str, str], at: str) -> None:
    answer = client.post("/v1/users", json=body)
    assert at in pointers(answer)
    assert body.get("password", "-") not in answer.text


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)
_FIELDS = st.sampled_from(["ticket_id", "quantity", "seat_ids", "section_id", "method", "title"])
_SHAPED = st.dictionaries(_FIELDS | st.text(max_size=5), _JSON, max_size=6)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=_SHAPED.map(lambda each: httpx.Request("POST", "http://x", content=_lax(each)).content)
    | st.binary(max_size=60)
)
def test_no_body_breaks_it(buyer: httpx.Client, body: bytes) -> None:
    for path in ("/v1/orders", "/v1/tickets", "/v1/users"):
        answer = buyer.post(path, content=body, headers=JSON | key())
        assert answer.status_code in {202, 400, 422}, (path, body, answer.text)


def _lax(value: object) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")
