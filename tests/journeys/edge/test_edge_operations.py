"""Accepting: rows, commands on the bus, keys, waiting, and secrets that are given once."""

import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson
import psycopg
import pytest
from psycopg.rows import DictRow

from bus.envelope import decode
from tests.journeys.edge.parts import (
    ORDERS,
    Bus,
    EdgeProcess,
    Signer,
    check_problem,
    key,
    order,
    wait_for,
)
from tests.journeys.edge.rows import add_step, finish

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("ignore:EdDSA is deprecated")]
Views = psycopg.Connection[DictRow]


def row_of(views: Views, operation_id: str) -> dict[str, Any]:
    found = views.execute("SELECT * FROM operations WHERE id = %s", (operation_id,)).fetchone()
    assert found is not None
    return found


def place(
    client: httpx.Client, body: Mapping[str, object] | None = None, **headers: str
) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/v1/orders", json=dict(body or order()), headers=key() | names)


# Accepting


def test_an_accepted_order_is_a_row_and_a_message(
    buyer: httpx.Client, user: uuid.UUID, views: Views, bus: Bus
) -> None:
    bus.purge()
    body = order()
    answer = place(buyer, body)
    assert answer.status_code == 202
    operation = answer.json()
    assert answer.headers["location"] == f"/v1/operations/{operation['id']}"
    assert answer.headers["retry-after"] == "1"
    assert operation == {
        "id": operation["id"],
        "type": "orders.order.place",
        "status": "pending",
        "submitted_at": operation["submitted_at"],
        "finished_at": None,
        "steps": [],
        "result": None,
        "error": None,
    }
    assert operation["submitted_at"].endswith("Z")
    (message,) = bus.messages(ORDERS)
    assert message == row_of(views, operation["id"])["command"]
    envelope = decode(orjson.dumps(message))
    assert (envelope.operation_id, envelope.user_id) == (uuid.UUID(operation["id"]), user)
    assert message["subject"] == body["ticket_id"]
    assert buyer.get(answer.headers["location"]).json() == operation


def test_many_at_once_are_all_accepted(buyer: httpx.Client, bus: Bus) -> None:
    bus.purge()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: place(buyer), range(200)))
    assert {each.status_code for each in answers} == {202}
    accepted = {each.json()["id"] for each in answers}
    assert len(accepted) == 200
    assert {each["operationid"] for each in bus.messages(ORDERS)} == accepted


# Keys


def test_the_same_key_and_request_is_the_same_operation(buyer: httpx.Client) -> None:
    body = order(method="CARD")
    first = place(buyer, body, Idempotency_Key="abc-1").json()
    again = dict(reversed(body.items()))
    for quoted in ("abc-1", '"abc-1"'):
        answer = place(buyer, again, Idempotency_Key=quoted)
        assert answer.status_code == 202
        assert answer.json()["id"] == first["id"]


def test_the_same_key_with_another_request_is_refused(buyer: httpx.Client) -> None:
    place(buyer, Idempotency_Key="k")
    check_problem(place(buyer, Idempotency_Key="k"), 422, "idempotency_mismatch")


def test_a_key_is_one_users_and_one_routes(
    edge: EdgeProcess, buyer: httpx.Client, signer: Signer
) -> None:
    body = order()
    ids = {place(buyer, body, Idempotency_Key="k").json()["id"]}
    token = {"Authorization": f"Bearer {signer.token(uuid.uuid4())}"}
    with httpx.Client(base_url=edge.url, headers=token) as other:
        ids.add(place(other, body, Idempotency_Key="k").json()["id"])
    for _ in range(2):
        path = f"/v1/orders/{uuid.uuid4()}/cancellation"
        ids.add(buyer.post(path, headers={"Idempotency-Key": "k"}).json()["id"])
    assert len(ids) == 4


def test_a_repeated_request_of_a_finished_operation_is_200(
    buyer: httpx.Client, views: Views
) -> None:
    body = order()
    first = place(buyer, body, Idempotency_Key="k").json()
    finish(views, first["id"], result={"order_id": "1"})
    answer = place(buyer, body, Idempotency_Key="k")
    assert answer.status_code == 200
    assert answer.json()["result"] == {"order_id": "1"}


def test_a_repeat_publishes_again_only_before_the_first_step(
    buyer: httpx.Client, views: Views, bus: Bus
) -> None:
    bus.purge()
    body = order()
    first = place(buyer, body, Idempotency_Key="k").json()
    place(buyer, body, Idempotency_Key="k")
    sent = bus.messages(ORDERS)
    assert [each["id"] for each in sent] == [sent[0]["id"]] * 2
    assert sent[0] == sent[1]
    add_step(views, first["id"])
    place(buyer, body, Idempotency_Key="k")
    assert bus.messages(ORDERS) == []


def test_the_same_key_at_the_same_time_is_one_operation(buyer: httpx.Client, bus: Bus) -> None:
    bus.purge()
    body = order()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: place(buyer, body, Idempotency_Key="k"), range(48)))
    assert {each.status_code for each in answers} == {202}
    assert len({each.json()["id"] for each in answers}) == 1
    assert len({each["id"] for each in bus.messages(ORDERS)}) == 1


def test_a_request_without_a_body_may_have_a_key(buyer: httpx.Client) -> None:
    path = f"/v1/orders/{uuid.uuid4()}/cancellation"
    ids = {buyer.post(path, headers={"Idempotency-Key": "k"}).json()["id"] for _ in range(3)}
    assert len(ids) == 1


# Waiting


def pending_of(views: Views, user: uuid.UUID) -> str:
    """Return the id of the user's pending operation, as soon as there is one."""
    query = "SELECT id FROM operations WHERE user_id = %s AND status = 'pending'"
    wait_for(lambda: views.execute(query, (user,)).fetchone())
    row = views.execute(query, (user,)).fetchone()
    assert row is not None
    return str(row["id"])


def test_a_client_that_waits_hears_of_the_end_at_once(
    buyer: httpx.Client, user: uuid.UUID, views: Views
) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(place, buyer, None, Prefer="wait=10")
        operation_id = pending_of(views, user)
        finish(views, operation_id, result={"ok": True})
        ended_at = time.monotonic()
        answer = waiting.result(5)
    assert time.monotonic() - ended_at < 4
    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=10"
    assert answer.json()["result"] == {"ok": True}


def test_reading_an_operation_can_wait_too(
    buyer: httpx.Client, user: uuid.UUID, views: Views
) -> None:
    location = place(buyer).headers["location"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(buyer.get, location, headers={"Prefer": "wait=60"})
        error = {"type": "/docs#sold_out", "title": "No", "status": 409, "code": "sold_out"}
        finish(views, pending_of(views, user), status="failed", error=error)
        answer = waiting.result(5)
    assert answer.status_code == 200
    assert answer.json()["error"] == error
    assert buyer.get(location).json()["status"] == "failed"


def test_a_wait_that_is_over_is_202(buyer: httpx.Client) -> None:
    began = time.monotonic()
    answer = place(buyer, None, Prefer="wait=1")
    assert 0.9 < time.monotonic() - began < 8
    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers
    assert answer.headers["retry-after"] == "1"


def test_who_waits_hears_of_an_end_that_came_while_nobody_listened(
    buyer: httpx.Client, user: uuid.UUID, views: Views, known: Mapping[str, str]
) -> None:
    stop = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE query LIKE 'LISTEN%' AND usename = 'edge'"""
    with (
        psycopg.connect(known["FOYER_ADMIN_DATABASE_URL"], autocommit=True) as admin,
        ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(place, buyer, None, Prefer="wait=10")
        operation_id = pending_of(views, user)
        # Without a word: whoever was not listening did not hear it anyway.
        views.execute(
            "UPDATE operations SET status = 'succeeded', finished_at = now() WHERE id = %s",
            (operation_id,),
        )
        admin.execute(stop)
        assert waiting.result(8).status_code == 200


# Who may read


def test_an_operation_is_its_makers_alone(
    buyer: httpx.Client, client: httpx.Client, signer: Signer
) -> None:
    location = place(buyer).headers["location"]
    check_problem(client.get(location), 404, "not_found")
    other = {"Authorization": f"Bearer {signer.token(uuid.uuid4())}"}
    check_problem(client.get(location, headers=other), 404, "not_found")
    check_problem(client.get(f"/v1/operations/{uuid.uuid4()}"), 404, "not_found")
    ended = {"Authorization": f"Bearer {signer.token(uuid.uuid4(), exp=1)}"}
    check_problem(client.get(location, headers=ended), 401, "unauthenticated")


def test_one_made_without_a_token_is_read_by_its_id(client: httpx.Client) -> None:
    body = {"email": f"{uuid.uuid4()}@example.com", "password": "long enough"}
    answer = client.post("/v1/users", json=body)
    assert answer.status_code == 202
    assert client.get(answer.headers["location"]).json() == answer.json()
