"""Secrets: sealed before they go anywhere, given to their owner, and once where that matters."""

import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import orjson
import psycopg
import pytest
from psycopg.rows import DictRow

from bus.sealing import Opener, Sealer
from tests.journeys.edge.parts import (
    Bus,
    EdgeProcess,
    Signer,
    check_problem,
    key,
    order,
    wait_for,
)
from tests.journeys.edge.rows import add_order, add_payment, finish

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


def test_a_password_is_sealed_before_it_goes_anywhere(
    client: httpx.Client, views: Views, bus: Bus, known: Mapping[str, str]
) -> None:
    bus.purge()
    password = f"secret-{uuid.uuid4()}"
    body = {"email": f"{uuid.uuid4()}@example.com", "password": password}
    answers = [client.post(path, json=body) for path in ("/v1/users", "/v1/sessions")]
    sent = bus.messages("auth.long")
    assert password not in orjson.dumps(sent).decode()
    auth = Opener(known["FOYER_AUTH_SEAL_KEY"])
    assert [auth.open(each["data"]["password"]) for each in sent] == [password] * 2
    for answer in answers:
        assert password not in str(row_of(views, answer.json()["id"]))


def test_everything_that_proves_somebody_is_sealed(
    client: httpx.Client, signer: Signer, views: Views, bus: Bus, known: Mapping[str, str]
) -> None:
    bus.purge()
    old, new, token = (f"secret-{uuid.uuid4()}" for _ in range(3))
    user, session = uuid.uuid4(), uuid.uuid4()
    mine = {"Authorization": f"Bearer {signer.token(user, sid=str(session))}"}
    change = {"current_password": old, "new_password": new}
    answers = [
        client.post("/v1/sessions/refresh", json={"refresh_token": token}),
        client.put("/v1/users/me/password", json=change, headers=mine),
        client.request("DELETE", "/v1/users/me", json={"password": old}, headers=mine),
        client.delete("/v1/sessions/current", headers=mine),
    ]
    assert [answer.status_code for answer in answers] == [202] * 4
    refresh, sign_out = (each["data"] for each in bus.messages("auth.commands"))
    change_password, delete = (each["data"] for each in bus.messages("auth.long"))
    sent = refresh, sign_out, change_password, delete
    kept = [row_of(views, answer.json()["id"]) for answer in answers]
    assert not [each for each in (old, new, token) if each in f"{sent}{kept}"]
    auth = Opener(known["FOYER_AUTH_SEAL_KEY"])
    assert auth.open(refresh["refresh_token"]) == token
    opened = [auth.open(change_password[name]) for name in change]
    assert (opened, auth.open(delete["password"])) == ([old, new], old)
    assert {each["user_id"] for each in (sign_out, change_password, delete)} == {str(user)}
    assert change_password["session_id"] == sign_out["session_id"] == str(session)


def test_tokens_are_given_once_and_only_within_a_minute(
    client: httpx.Client, views: Views, known: Mapping[str, str]
) -> None:
    seal = Sealer(known["FOYER_EDGE_SEAL_PUBLIC_KEY"]).seal
    secret = {"access_token": seal("access"), "refresh_token": seal("refresh")}
    body = {"email": "a@example.com", "password": "long enough"}
    result = {"token_type": "Bearer", "expires_in": 600}

    location = client.post("/v1/sessions", json=body).headers["location"]
    finish(views, location.rpartition("/")[2], result=result, secret=secret)
    first = client.get(location)
    given = {"access_token": "access", "refresh_token": "refresh"}
    assert first.json()["result"] == result | given
    assert first.headers["cache-control"] == "no-store"
    assert client.get(location).json()["result"] == result

    late = client.post("/v1/sessions", json=body).headers["location"]
    finish(views, late.rpartition("/")[2], result=result, secret=secret)
    views.execute(
        "UPDATE operations SET finished_at = finished_at - interval '61 s' WHERE id = %s",
        (late.rpartition("/")[2],),
    )
    assert client.get(late).json()["result"] == result


def test_the_client_secret_is_given_while_the_order_can_be_paid(
    buyer: httpx.Client,
    user: uuid.UUID,
    views: Views,
    known: Mapping[str, str],
) -> None:
    sealed = Sealer(known["FOYER_EDGE_SEAL_PUBLIC_KEY"]).seal("pi_1_secret_2")
    row = add_order(views, user_id=user)
    paid = add_payment(views, row, client_secret=sealed)
    body = order()
    location = place(buyer, body, Idempotency_Key="k").headers["location"]
    only_id = {"id": str(paid["payment_id"])}
    result = {"order_id": str(row["order_id"]), "payment": only_id}
    finish(views, location.rpartition("/")[2], result=result)
    details = only_id | {
        "client_secret": "pi_1_secret_2",
        "publishable_key": known["STRIPE_PUBLISHABLE_KEY"],
        "api_base": known["STRIPE_API_BASE"],
    }
    payment = f"/v1/orders/{row['order_id']}/payment"
    for _ in range(2):
        assert buyer.get(location).json()["result"]["payment"] == details
        assert buyer.get(payment).json() == details
    assert place(buyer, body, Idempotency_Key="k").json()["result"]["payment"] == details
    assert buyer.get(payment).headers["cache-control"] == "no-store"

    views.execute("UPDATE orders SET status = 'EXPIRED' WHERE order_id = %s", (row["order_id"],))
    assert buyer.get(location).json()["result"] == result
    check_problem(buyer.get(payment), 404, "not_found")


def test_a_payment_is_the_buyers_alone(
    edge: EdgeProcess, signer: Signer, views: Views, known: Mapping[str, str]
) -> None:
    sealed = Sealer(known["FOYER_EDGE_SEAL_PUBLIC_KEY"]).seal("pi_1_secret_2")
    row = add_order(views)
    add_payment(views, row, client_secret=sealed)
    other = {"Authorization": f"Bearer {signer.token(row['organizer_id'])}"}
    with httpx.Client(base_url=edge.url, headers=other) as client:
        check_problem(client.get(f"/v1/orders/{row['order_id']}/payment"), 404, "not_found")
        check_problem(client.get(f"/v1/orders/{row['order_id']}"), 404, "not_found")


def test_a_path_that_leads_nowhere_is_not_written_down(
    client: httpx.Client, edge: EdgeProcess
) -> None:
    """It may be an address, typed in the wrong place."""
    asked = {f"request-{uuid.uuid4()}": path for path in ("/v1/users/ann@example.org", "/healthz")}
    for request_id, path in asked.items():
        client.get(path, headers={"X-Request-Id": request_id})
    wait_for(lambda: all(each in edge.log.read_text() for each in asked))
    lines = [orjson.loads(line) for line in edge.log.read_text().splitlines()]
    logged = [line["path"] for line in lines if line.get("request_id") in asked]
    assert logged == ["nowhere", "/healthz"]
    assert "ann@" not in edge.log.read_text()
