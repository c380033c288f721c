"""Accounts, sessions and keys, on a real store."""

import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import argon2
import pytest
from joserfc import jws, jwt
from joserfc.jwk import OKPKey

from bus.envelope import decode, encode, envelope_of
from bus.runner import Incoming
from bus.sealing import Sealer, generate
from schemas.auth import (
    KeysPublished,
    OpenSession,
    RegisterUser,
    RepublishKeys,
    SessionOpened,
    SessionRefused,
    UserRefused,
    UserRegistered,
)
from schemas.expiration import ClockTicked
from schemas.message import Message
from tests.services.auth.conftest import Accounts
from workers.auth.handlers import auth, ensure_keys

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")

PASSWORD = "correct horse battery"


def register(accounts: Accounts, email: str, password: str = PASSWORD) -> Message:
    (said,) = accounts.ask(RegisterUser(email=email, password=accounts.seal(password)))
    return said


def sign_in(accounts: Accounts, email: str, password: str = PASSWORD) -> Message:
    said = accounts.ask(OpenSession(email=email, password=accounts.seal(password)))
    return next(each for each in said if not isinstance(each, KeysPublished))


def test_an_account_is_opened_once(accounts: Accounts) -> None:
    email = accounts.address()
    opened = register(accounts, f"  {email.upper()} ")
    assert isinstance(opened, UserRegistered)
    assert opened.email == email
    again = register(accounts, email)
    assert isinstance(again, UserRefused)
    assert (again.command, again.code) == ("auth.user.register", "email_taken")
    (row,) = accounts.db.execute("SELECT * FROM users WHERE email = %s", (email,)).fetchall()
    assert row["id"] == opened.user_id
    assert row["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_command_delivered_twice_opens_one_account(accounts: Accounts) -> None:
    command = RegisterUser(email=accounts.address(), password=accounts.seal(PASSWORD))
    body = encode(envelope_of(command, source="/edge", operation_id=uuid4()))
    accounts.said.clear()
    for _ in range(2):
        accounts.runner.run([Incoming(body), Incoming(body)])
    assert [each.type for each in accounts.said] == ["auth.user.registered"]


def test_of_two_at_once_one_gets_the_address(accounts: Accounts) -> None:
    """By the lock on the address, in any spelling, across threads."""
    email = accounts.address()
    accounts.said.clear()
    together = threading.Barrier(4)

    def race(spelling: str) -> None:
        command = RegisterUser(email=spelling, password=accounts.seal(PASSWORD))
        body = encode(envelope_of(command, source="/edge"))
        together.wait()
        accounts.runner.run([Incoming(body)])

    threads = [
        threading.Thread(target=race, args=(spelling,))
        for spelling in (email, email.upper(), f" {email}", f"{email} ")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.type for each in accounts.said) == [
        "auth.user.refused",
        "auth.user.refused",
        "auth.user.refused",
        "auth.user.registered",
    ]


@pytest.mark.parametrize("password", ["too short", "x" * 129])
def test_the_policy_holds_whoever_sealed_the_password(accounts: Accounts, password: str) -> None:
    refused = register(accounts, accounts.address(), password)
    assert isinstance(refused, UserRefused)
    assert refused.code == "invalid_request"


def test_an_address_must_be_one(accounts: Accounts) -> None:
    refused = register(accounts, "nobody")
    assert isinstance(refused, UserRefused)
    assert refused.code == "invalid_request"


def test_what_was_sealed_to_somebody_else_is_refused(accounts: Accounts) -> None:
    """A refusal, not a fault: trying again would not help."""
    stranger = Sealer(generate()[1]).seal(PASSWORD)
    mangled = accounts.seal(PASSWORD)[:-4] + "AAAA"
    for sealed in (stranger, mangled):
        (said,) = accounts.ask(RegisterUser(email=accounts.address(), password=sealed))
        assert isinstance(said, UserRefused)
        assert said.code == "invalid_request"
        (said,) = accounts.ask(OpenSession(email=accounts.address(), password=sealed))
        assert isinstance(said, SessionRefused)
        assert said.code == "invalid_request"


def test_the_right_password_opens_a_session(accounts: Accounts) -> None:
    email = accounts.address()
    user = register(accounts, email)
    assert isinstance(user, UserRegistered)
    opened = sign_in(accounts, f"{email.title()} ")
    assert isinstance(opened, SessionOpened)
    assert (opened.user_id, opened.expires_in) == (user.user_id, 600)
    (keys,) = accounts.ask(RepublishKeys())
    assert isinstance(keys, KeysPublished)
    access_token = accounts.unseal(opened.access_token)
    kid = jws.extract_compact(access_token.encode()).headers()["kid"]
    (public,) = [OKPKey.import_key(each) for each in keys.keys if each["kid"] == kid]
    token = jwt.decode(access_token, public, algorithms=["EdDSA"])
    assert token.header["typ"] == "at+jwt"
    assert token.claims["sub"] == str(user.user_id)
    assert token.claims["exp"] - token.claims["iat"] == 600


def test_a_refresh_token_is_kept_hashed(accounts: Accounts) -> None:
    email = accounts.address()
    register(accounts, email)
    opened = sign_in(accounts, email)
    assert isinstance(opened, SessionOpened)
    refresh = accounts.unseal(opened.refresh_token)
    assert len(refresh) == 43  # 256 bits in base64.
    (row,) = accounts.db.execute(
        "SELECT * FROM sessions WHERE id = %s", (opened.session_id,)
    ).fetchall()
    assert row["refresh_token_hash"] == hashlib.sha256(refresh.encode()).digest()
    assert row["family"] == opened.session_id
    assert (row["used_at"], row["revoked_at"]) == (None, None)
    assert timedelta(days=29) < row["expires_at"] - datetime.now(UTC) <= timedelta(days=30)


def test_a_wrong_password_and_an_unknown_address_sound_the_same(accounts: Accounts) -> None:
    email = accounts.address()
    register(accounts, email)
    wrong = sign_in(accounts, email, PASSWORD + "!")
    unknown = sign_in(accounts, accounts.address())
    assert isinstance(wrong, SessionRefused)
    assert isinstance(unknown, SessionRefused)
    assert (wrong.code, wrong.detail) == (unknown.code, unknown.detail)
    assert wrong.code == "bad_credentials"


def test_a_hash_of_older_parameters_is_replaced(accounts: Accounts) -> None:
    email = accounts.address()
    register(accounts, email)
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    accounts.db.execute("UPDATE users SET password_hash = %s WHERE email = %s", (weak, email))
    for _ in range(2):
        assert isinstance(sign_in(accounts, email), SessionOpened)
    row = accounts.db.execute(
        "SELECT password_hash FROM users WHERE email = %s", (email,)
    ).fetchone()
    assert row is not None
    assert "m=19456,t=2,p=1" in row["password_hash"]


def test_a_batch_of_sign_ins_spoils_nobodys(accounts: Accounts) -> None:
    emails = [accounts.address() for _ in range(3)]
    for email in emails:
        register(accounts, email)
    commands = [OpenSession(email=each, password=accounts.seal(PASSWORD)) for each in emails]
    commands.insert(1, OpenSession(email=emails[0], password=accounts.seal("a wrong password")))
    said = [each for each in accounts.ask(*commands) if not isinstance(each, KeysPublished)]
    assert [type(each) for each in said] == [
        SessionOpened,
        SessionRefused,
        SessionOpened,
        SessionOpened,
    ]


def test_no_secret_is_said_or_stored_in_the_open(accounts: Accounts) -> None:
    email, operation_id = accounts.address(), uuid4()
    register(accounts, email)
    accounts.ask(
        OpenSession(email=email, password=accounts.seal(PASSWORD)), operation_id=operation_id
    )
    opened = decode(accounts.said[-1].body)
    assert opened.operation_id == operation_id
    assert isinstance(opened.data, SessionOpened)
    secrets = [
        PASSWORD,
        accounts.unseal(opened.data.access_token),
        accounts.unseal(opened.data.refresh_token),
    ]
    rows = [
        *accounts.db.execute("SELECT payload FROM outbox").fetchall(),
        *accounts.db.execute("SELECT * FROM sessions").fetchall(),
        *accounts.db.execute("SELECT * FROM users").fetchall(),
    ]
    kept = json.dumps(rows, default=str)
    assert [each for each in secrets if each in kept] == []


def test_one_key_is_made_and_announced_however_many_ask(accounts: Accounts) -> None:
    accounts.db.execute("TRUNCATE signing_keys")
    accounts.said.clear()
    together, kids = threading.Barrier(4), set()

    def ask() -> None:
        together.wait()
        with auth.transaction() as tx:
            kids.add(ensure_keys(tx).kid)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kids) == 1
    (said,) = [decode(each.body) for each in accounts.said]
    assert isinstance(said.data, KeysPublished)
    assert said.operation_id is None
    assert [each["kid"] for each in said.data.keys] == list(kids)
    assert [each for each in said.data.keys if "d" in each] == []


def test_a_tick_says_keys_only_when_there_were_none(accounts: Accounts) -> None:
    accounts.db.execute("TRUNCATE signing_keys")
    tick = ClockTicked(clock="c", at=datetime.now(UTC))
    assert [type(each) for each in accounts.ask(tick)] == [KeysPublished]
    assert accounts.ask(tick) == []


def test_keys_are_said_again_when_asked_for(accounts: Accounts) -> None:
    first, second = (accounts.ask(RepublishKeys())[-1] for _ in range(2))
    assert isinstance(first, KeysPublished)
    assert first == second


def test_a_retired_key_is_followed_by_another(accounts: Accounts) -> None:
    (before,) = accounts.ask(RepublishKeys())
    accounts.db.execute("UPDATE signing_keys SET retires_at = now()")
    (after,) = accounts.ask(ClockTicked(clock="c", at=datetime.now(UTC)))
    assert isinstance(before, KeysPublished)
    assert isinstance(after, KeysPublished)
    assert after.revision > before.revision
    assert [each["kid"] for each in after.keys[1:]] == [each["kid"] for each in before.keys]
    opened = register(accounts, accounts.address())
    assert isinstance(opened, UserRegistered)
    assert isinstance(opened.user_id, UUID)
