"""The drill: keys are rotated under people who are signed in, and nobody notices."""

import os
import subprocess
import sys

import httpx
import psycopg
import pytest
from joserfc import jws

from ops.local.layout import ROOT
from ops.local.stack import Stack
from tests.journeys.shop import DEADLINE_SEC, Person, until

pytestmark = pytest.mark.journey


def kid_of(person: Person) -> str:
    token = person.http.headers["Authorization"].removeprefix("Bearer ")
    return str(jws.extract_compact(token.encode()).headers()["kid"])


def rotate(system: Stack) -> list[str]:
    """Run the drill; return what it says of each key."""
    done = subprocess.run(
        [sys.executable, "-m", "ops", "rotate-keys"],
        cwd=ROOT,
        env=os.environ | {"FOYER_PORT_BASE": str(system.layout.base)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [line for line in done.stdout.splitlines() if "signs from" in line]


def test_nobody_notices_a_rotation(system: Stack, buyer: Person) -> None:
    old, old_token = kid_of(buyer), buyer.http.headers["Authorization"]
    told = rotate(system)
    assert len(told) >= 2
    assert [line for line in told if line.startswith(old)]
    assert rotate(system) == told
    buyer.sign_in()
    assert kid_of(buyer) == old
    with psycopg.connect(system.environment()["FOYER_AUTH_DATABASE_URL"]) as auth_db:
        auth_db.execute(
            "UPDATE signing_keys SET not_before = not_before - interval '1 hour',"
            " retires_at = retires_at - interval '1 hour'"
        )
    buyer.sign_in()
    assert kid_of(buyer) != old
    assert buyer.read("/v1/users/me")["id"] == buyer.id
    answer = httpx.get(
        f"{buyer.http.base_url}/v1/users/me",
        headers={"Authorization": old_token},
        timeout=DEADLINE_SEC,
    )
    assert answer.status_code == httpx.codes.OK
    until(
        lambda: {each["kid"] for each in buyer.read("/.well-known/jwks.json")["keys"]},
        lambda kids: {old, kid_of(buyer)} <= kids,
        DEADLINE_SEC,
    )
