"""Accounts over HTTP: what people see of themselves, how they prove it is them, how they leave."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from tests.journeys.shop import DEADLINE_SEC, PASSWORD, Json, Person, until

pytestmark = pytest.mark.journey
CROWD = 200
HOME = {"line1": "Ring 1", "line2": None, "city": "Wien", "postal_code": "1010", "country": "AT"}


def refreshed(person: Person, token: str) -> Json:
    return person.write("POST", "/v1/sessions/refresh", {"refresh_token": token})


def code_of(operation: Json) -> tuple[int, str]:
    assert operation["status"] == "failed", operation
    return operation["error"]["status"], operation["error"]["code"]


def test_people_see_and_change_what_is_known_of_them(buyer: Person) -> None:
    me = buyer.read("/v1/users/me")
    assert (me["id"], me["email"], me["billing_address"]) == (buyer.id, buyer.email, None)
    assert me["profile"] == {"display_name": None, "locale": "en", "timezone": "UTC"}
    profile = {"display_name": "Ada", "locale": "de-AT", "timezone": "Europe/Vienna"}
    asked = (
        ("PATCH", "profile", profile),
        ("PATCH", "preferences", {"marketing_opt_in": True}),
        ("PUT", "billing-address", HOME),
    )
    for method, part, body in asked:
        done = buyer.write(method, f"/v1/users/me/{part}", body)
        assert (done["status"], done["result"]) == ("succeeded", {"user_id": buyer.id}), done
    me = buyer.read("/v1/users/me")
    assert me["profile"] == profile
    assert me["preferences"] == {
        "marketing_opt_in": True,
        "order_updates": True,
        "product_updates": False,
    }
    assert me["billing_address"] == HOME


def test_a_key_stands_for_one_change(buyer: Person) -> None:
    key = uuid4().hex
    path = "/v1/users/me/profile"
    first = buyer.write("PATCH", path, {"display_name": "Ada"}, key)
    assert buyer.write("PATCH", path, {"display_name": "Ada"}, key)["id"] == first["id"]
    other = buyer.http.patch(path, json={"display_name": "Eve"}, headers={"Idempotency-Key": key})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize(
    ("part", "body", "pointer"),
    [
        ("profile", {"locale": "Austrian"}, "/locale"),
        ("profile", {"timezone": "Europe/Linz"}, "/timezone"),
        ("profile", {"display_name": " "}, "/display_name"),
        ("profile", {"email": "a@b.example"}, "/email"),
        ("preferences", {"order_updates": "yes"}, "/order_updates"),
        ("preferences", {"order_updates": 1}, "/order_updates"),
        ("billing-address", HOME | {"country": "XX"}, "/country"),
        ("billing-address", {k: v for k, v in HOME.items() if k != "city"}, "/city"),
    ],
)
def test_what_is_not_right_is_told_at_once(
    organizer: Person, part: str, body: Json, pointer: str
) -> None:
    method = "PUT" if part == "billing-address" else "PATCH"
    answer = organizer.http.request(method, f"/v1/users/me/{part}", json=body)
    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/users/me"),
        ("DELETE", "/v1/users/me"),
        ("PUT", "/v1/users/me/password"),
        ("PATCH", "/v1/users/me/profile"),
        ("PATCH", "/v1/users/me/preferences"),
        ("PUT", "/v1/users/me/billing-address"),
        ("DELETE", "/v1/sessions/current"),
    ],
)
def test_nobody_is_me_without_a_token(organizer: Person, method: str, path: str) -> None:
    answer = httpx.request(method, f"{organizer.http.base_url}{path}", timeout=DEADLINE_SEC)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_tokens_are_exchanged_and_reuse_ends_the_session(buyer: Person) -> None:
    done = refreshed(buyer, buyer.refresh_token)
    assert done["type"] == "auth.session.refresh"
    result = done["result"]
    assert (result["token_type"], result["user_id"]) == ("Bearer", buyer.id)
    assert 0 < result["expires_in"] <= 600
    again = httpx.get(f"{buyer.http.base_url}/v1/operations/{done['id']}", timeout=DEADLINE_SEC)
    assert "refresh_token" not in again.json()["result"]  # Given once.
    buyer.http.headers["Authorization"] = f"Bearer {result['access_token']}"
    assert buyer.read("/v1/users/me")["id"] == buyer.id
    assert code_of(refreshed(buyer, buyer.refresh_token)) == (401, "bad_credentials")
    assert code_of(refreshed(buyer, result["refresh_token"])) == (401, "bad_credentials")


def test_signing_out_ends_the_session_but_not_the_token_in_hand(buyer: Person) -> None:
    for _ in range(2):
        done = buyer.write("DELETE", "/v1/sessions/current")
        assert done["status"] == "succeeded", done
    assert code_of(refreshed(buyer, buyer.refresh_token)) == (401, "bad_credentials")
    assert buyer.read("/v1/users/me")["id"] == buyer.id


def test_a_crowd_that_signs_in_keeps_nobody_waiting_who_has(buyer: Person) -> None:
    """Each password costs a core some 20 ms; who is signed in waits behind none of them."""

    def sign_in(number: int) -> str:
        login = {"email": f"crowd-{number}@example.org", "password": PASSWORD}
        operation_id: str = buyer.http.post("/v1/sessions", json=login).json()["id"]
        return operation_id

    with ThreadPoolExecutor(8) as pool:
        crowd = list(pool.map(sign_in, range(CROWD)))
    assert refreshed(buyer, buyer.refresh_token)["status"] == "succeeded"
    assert buyer.http.get(f"/v1/operations/{crowd[-1]}").json()["status"] == "pending"
    until(
        lambda: buyer.http.get(f"/v1/operations/{crowd[-1]}").json(),
        lambda seen: seen["status"] == "failed",
        60,
    )


def test_a_new_password_ends_the_other_sessions(buyer: Person) -> None:
    other = buyer.refresh_token
    mine = buyer.sign_in()
    path = "/v1/users/me/password"
    wrong = {"current_password": "wrong", "new_password": "another horse"}
    assert code_of(buyer.write("PUT", path, wrong)) == (401, "bad_credentials")
    right = wrong | {"current_password": PASSWORD}
    assert buyer.write("PUT", path, right)["status"] == "succeeded"
    assert code_of(refreshed(buyer, other)) == (401, "bad_credentials")
    assert refreshed(buyer, mine)["status"] == "succeeded"
    assert code_of(buyer.write("POST", "/v1/sessions", buyer.login)) == (401, "bad_credentials")
    login = buyer.login | {"password": "another horse"}
    assert buyer.write("POST", "/v1/sessions", login)["status"] == "succeeded"


def test_an_account_is_deleted_by_who_knows_its_password(
    organizer: Person, arrive: Callable[[], Person]
) -> None:
    person = arrive()
    order = person.buy(organizer.offer(price="0.00"))
    wrong = person.write("DELETE", "/v1/users/me", {"password": "not the password"})
    assert code_of(wrong) == (401, "bad_credentials")
    done = person.write("DELETE", "/v1/users/me", {"password": PASSWORD})
    assert (done["status"], done["result"]) == ("succeeded", {"user_id": person.id})
    assert {each["type"] for each in done["steps"]} == {
        *("auth.user.deleted", "auth.user.erased", "users.user.erased"),
        *("payments.user.erased", "views.user.erased"),
    }
    assert person.http.get("/v1/users/me").status_code == httpx.codes.NOT_FOUND
    assert code_of(person.write("POST", "/v1/sessions", person.login)) == (401, "bad_credentials")
    assert code_of(refreshed(person, person.refresh_token)) == (401, "bad_credentials")
    edit = person.write("PATCH", "/v1/users/me/profile", {"display_name": "Ada"})
    assert code_of(edit) == (404, "not_found")
    again = person.write("DELETE", "/v1/users/me", {"password": PASSWORD})
    assert code_of(again) == (404, "not_found")
    assert person.read(f"/v1/orders/{order['order_id']}")["status"] == "CONFIRMED"
    anew = person.write("POST", "/v1/users", person.login)
    assert anew["status"] == "succeeded"
    assert anew["result"]["user_id"] != person.id
    person.sign_in()
    assert person.read("/v1/users/me")["profile"]["display_name"] is None
