"""What Stripe refuses, and how: never a traceback, always its own shape of error."""

import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stripe._v1_services import V1Services

from tests.stripe_stand_in.conftest import PUBLISHABLE_KEY, SECRET_KEY, StandIn

if TYPE_CHECKING:
    import httpx

GOOD = {"amount": "1200", "currency": "eur"}


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({}, "amount", "parameter_missing"),
        ({"amount": "", "currency": "eur"}, "amount", "parameter_invalid_empty"),
        ({"amount": "12.5", "currency": "eur"}, "amount", "parameter_invalid_integer"),
        ({"amount": "٣", "currency": "eur"}, "amount", "parameter_invalid_integer"),
        ({"amount": "-5", "currency": "eur"}, "amount", "parameter_invalid_integer"),
        ({"amount": "9" * 30, "currency": "eur"}, "amount", "parameter_invalid_integer"),
        ({"amount": "100000000", "currency": "eur"}, "amount", "amount_too_large"),
        ({"amount": "49", "currency": "usd"}, "amount", "amount_too_small"),
        ({"amount": "1205", "currency": "kwd"}, "amount", None),
        ({"amount": "150", "currency": "isk"}, "amount", None),
        ({"amount": "1200"}, "currency", "parameter_missing"),
        ({"amount": "1200", "currency": "xxx"}, "currency", None),
        (GOOD | {"amount[x]": "1"}, "amount", None),
        (GOOD | {"colour": "red"}, "colour", "parameter_unknown"),
        (GOOD | {"capture_method": "later"}, "capture_method", None),
        (GOOD | {"payment_method": "pm_card_none"}, "payment_method", "resource_missing"),
        (GOOD | {"metadata": "x"}, "metadata", None),
        (GOOD | {"metadata[a][b]": "x"}, "a", None),
        (GOOD | {"metadata[" + "k" * 41 + "]": "x"}, None, None),
        (GOOD | {"metadata[k]": "v" * 501}, None, None),
        (GOOD | {f"metadata[k{n}]": "v" for n in range(51)}, "metadata", None),
        (GOOD | {"confirm": "perhaps"}, "confirm", None),
        (GOOD | {"confirm": "true"}, "payment_method", None),
        (GOOD | {"payment_method_data[card][number]": "4242"}, None, "incorrect_number"),
        (GOOD | {"[x": "1"}, None, None),
        (GOOD | {"a" + "[a]" * 50: "1"}, None, None),
    ],
)
def test_bad_parameters(
    stand_in: StandIn, fields: dict[str, str], param: str | None, code: str | None
) -> None:
    """400, naming the parameter."""
    said = stand_in.post("/v1/payment_intents", **fields)
    error = said.json()["error"]
    assert (said.status_code, error["type"]) == (400, "invalid_request_error")
    assert param is None or error["param"] == param
    assert code is None or error["code"] == code


@pytest.mark.parametrize("amount", [("jpy", 500), ("kwd", 1230), ("eur", 50)])
def test_minor_units(sdk: V1Services, amount: tuple[str, int]) -> None:
    """No decimals, three, two."""
    assert (
        sdk.payment_intents.create({"amount": amount[1], "currency": amount[0]}).amount == amount[1]
    )


def test_keys_are_asked_for(stand_in: StandIn) -> None:
    """401 without a key, with a wrong one, and with the publishable one out of its place."""
    assert stand_in.http.get("/v1/payment_intents").status_code == 401
    with pytest.raises(stripe.AuthenticationError):
        stand_in.client("sk_test_of_somebody_else").v1.payment_intents.list()
    for wrong in ("Basic !!!", "Bearer", "Nonsense"):
        assert (
            stand_in.http.get("/v1/payment_intents", headers={"Authorization": wrong}).status_code
            == 401
        )
    assert stand_in.http.get("/v1/payment_intents", auth=(SECRET_KEY, "")).status_code == 200
    said = stand_in.post("/v1/payment_intents", key=PUBLISHABLE_KEY, **GOOD)
    assert (said.status_code, said.json()["error"]["code"]) == (401, "secret_key_required")


def test_the_publishable_key_needs_the_client_secret(stand_in: StandIn, sdk: V1Services) -> None:
    """Neither a guess nor nothing confirms."""
    made = sdk.payment_intents.create({"amount": 1200, "currency": "eur"})
    path = f"/v1/payment_intents/{made.id}/confirm"
    missing = stand_in.post(path, key=PUBLISHABLE_KEY, payment_method="pm_card_visa")
    assert (missing.status_code, missing.json()["error"]["code"]) == (400, "parameter_missing")
    guess = stand_in.post(
        path, key=PUBLISHABLE_KEY, client_secret="guess", payment_method="pm_card_visa"
    )
    assert (guess.status_code, guess.json()["error"]["param"]) == (400, "client_secret")
    assert sdk.payment_intents.retrieve(made.id).status == "requires_payment_method"


def test_unknown_things(stand_in: StandIn, sdk: V1Services) -> None:
    """404 resource_missing in a path, 400 in a parameter, 404 for a path that does not exist."""
    for find in (
        sdk.payment_intents.retrieve,
        sdk.refunds.retrieve,
        sdk.charges.retrieve,
        sdk.events.retrieve,
    ):
        with pytest.raises(stripe.InvalidRequestError) as missing:
            find("xx_none")
        assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as wrong:
        sdk.refunds.create({"payment_intent": "pi_none"})
    assert (wrong.value.http_status, wrong.value.code) == (400, "resource_missing")
    for path in ("/v1/unicorns", "/v1/payment_intents/", "/", "/v1/payment_intents/a/b/c"):
        said = stand_in.http.get(path, headers={"Authorization": f"Bearer {SECRET_KEY}"})
        assert (said.status_code, said.json()["error"]["type"]) == (404, "invalid_request_error")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "starting_after=pi_none",
        "created[never]=1",
        "created=x",
        "a=1",
    ],
)
def test_bad_lists(stand_in: StandIn, query: str) -> None:
    """400 for a page that cannot be."""
    said = stand_in.http.get(
        f"/v1/payment_intents?{query}", headers={"Authorization": f"Bearer {SECRET_KEY}"}
    )
    assert (said.status_code, said.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"POST /v1/refunds HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /v1/refunds HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST /v1/refunds HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000, 431),
    ],
)
def test_broken_requests(stand_in: StandIn, raw: bytes, status: int) -> None:
    """Refused, and the connection closed."""
    host, _, port = stand_in.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as wire:
        wire.sendall(raw)
        said = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := wire.recv(65536):
                said += piece
    assert said.startswith(f"HTTP/1.1 {status} ".encode())


def test_a_body_that_is_not_a_form(stand_in: StandIn) -> None:
    """JSON and broken UTF-8 are 400."""
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    assert stand_in.http.post("/v1/payment_intents", json=GOOD, headers=headers).status_code == 400
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    for body in (b"\xff\xfe", b"amount=%ff", b"a&" * 1500):
        assert (
            stand_in.http.post("/v1/payment_intents", content=body, headers=headers).status_code
            == 400
        )


NAMES = [
    "amount",
    "currency",
    "metadata",
    "metadata[a]",
    "expand[]",
    "confirm",
    "payment_method",
    "limit",
    "created",
]


@given(
    path=st.sampled_from(
        ["/v1/payment_intents", "/v1/payment_intents/pi_x", "/v1/refunds", "/v1/events"]
    ),
    fields=st.dictionaries(
        st.sampled_from(NAMES) | st.text(max_size=12), st.text(max_size=12), max_size=6
    ),
    get=st.booleans(),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_breaks_it(stand_in: StandIn, path: str, fields: dict[str, Any], get: bool) -> None:  # noqa: FBT001 - drawn
    """Whatever comes is answered below 500, in JSON; the fixture looks for tracebacks."""
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    said: httpx.Response = (
        stand_in.http.get(path, params=fields, headers=headers)
        if get
        else stand_in.http.post(path, data=fields, headers=headers)
    )
    assert said.status_code < 500
    assert isinstance(said.json(), dict)
