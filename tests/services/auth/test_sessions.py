"""Refresh tokens, sign-out and change of password, on a real store."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from joserfc import jws, jwt
from joserfc.jwk import OKPKey

from bus.envelope import decode, encode, envelope_of
from bus.runner import Done, Incoming
from schemas.auth import (
    ChangePassword,
    CloseSession,
    CredentialsRefused,
    KeysPublished,
    OpenSession,
    PasswordChanged,
    RefreshRefused,
    RefreshSession,
    RepublishKeys,
    SessionClosed,
    SessionOpened,
    SessionRefreshed,
    SessionRefused,
)
from schemas.expiration import ClockTicked
from schemas.message import Message
from tests.services.auth.conftest import PASSWORD, Accounts


def refreshed(accounts: Accounts, token: str) -> Message:
    return accounts.told(RefreshSession(request_id=uuid4(), refresh_token=accounts.seal(token)))


def next_token(accounts: Accounts, token: str) -> str:
    said = refreshed(accounts, token)
    assert isinstance(said, SessionRefreshed)
    return accounts.unseal(said.refresh_token)


def is_dead(accounts: Accounts, token: str) -> bool:
    said = refreshed(accounts, token)
    assert isinstance(said, RefreshRefused)
    return said.code == "bad_credentials"


def claims_of(accounts: Accounts, sealed: str) -> dict[str, object]:
    keys = accounts.told(RepublishKeys())
    assert isinstance(keys, KeysPublished)
    token = accounts.unseal(sealed)
    public = {each["kid"]: OKPKey.import_key(each) for each in keys.keys}
    kid = jws.extract_compact(token.encode()).headers()["kid"]
    return dict(jwt.decode(token, public[kid], algorithms=["EdDSA"]).claims)


def test_a_refresh_token_is_exchanged_for_new_tokens(accounts: Accounts) -> None:
    opened = accounts.arrive()
    said = refreshed(accounts, opened.refresh_token)
    assert isinstance(said, SessionRefreshed)
    assert (said.user_id, said.expires_in) == (opened.user_id, 600)
    claims = claims_of(accounts, said.access_token)
    assert claims["sid"] == str(opened.session_id)
    assert claims["sub"] == str(opened.user_id)
    assert claims["jti"] == str(said.session_id) != str(opened.session_id)
    assert next_token(accounts, accounts.unseal(said.refresh_token)) != opened.refresh_token


def test_reuse_ends_the_whole_family_and_no_other(accounts: Accounts) -> None:
    first = accounts.arrive()
    other = accounts.sign_in(first.email)
    second = next_token(accounts, first.refresh_token)
    assert is_dead(accounts, first.refresh_token)
    assert is_dead(accounts, second)
    assert next_token(accounts, other.refresh_token)


def test_a_command_delivered_twice_is_no_theft(accounts: Accounts) -> None:
    opened = accounts.arrive()
    command = RefreshSession(request_id=uuid4(), refresh_token=accounts.seal(opened.refresh_token))
    body = encode(envelope_of(command, source="/edge"))
    accounts.said.clear()
    for _ in range(2):
        assert accounts.runner.run([Incoming(body), Incoming(body)]) == [Done()] * 2
    (said,) = [decode(each.body).data for each in accounts.said]
    assert isinstance(said, SessionRefreshed)
    assert next_token(accounts, accounts.unseal(said.refresh_token))


@pytest.mark.parametrize("token", ["", "x", "A" * 43])
def test_what_was_never_given_opens_nothing(accounts: Accounts, token: str) -> None:
    assert is_dead(accounts, token)


def test_a_token_that_is_too_old_opens_nothing(accounts: Accounts) -> None:
    opened = accounts.arrive()
    accounts.db.execute(
        "UPDATE sessions SET created_at = now() - interval '31 days',"
        " expires_at = now() - interval '1 second' WHERE id = %s",
        [opened.session_id],
    )
    assert is_dead(accounts, opened.refresh_token)


def test_of_two_who_send_one_token_at_once_none_keeps_the_session(accounts: Accounts) -> None:
    """One is served and the other seen as reuse, whichever comes first."""
    opened = accounts.arrive()
    accounts.said.clear()
    together = threading.Barrier(4)

    def race() -> None:
        command = RefreshSession(
            request_id=uuid4(), refresh_token=accounts.seal(opened.refresh_token)
        )
        body = encode(envelope_of(command, source="/edge"))
        together.wait()
        accounts.runner.run([Incoming(body)])

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = [decode(each.body).data for each in accounts.said]
    (served,) = [each for each in said if isinstance(each, SessionRefreshed)]
    assert len(said) == 4
    assert is_dead(accounts, accounts.unseal(served.refresh_token))


def test_signing_out_ends_the_family_and_can_be_said_again(accounts: Accounts) -> None:
    opened = accounts.arrive()
    other = accounts.sign_in(opened.email)
    token = next_token(accounts, opened.refresh_token)
    command = CloseSession(session_id=opened.session_id, user_id=opened.user_id)
    for _ in range(2):
        said = accounts.told(command, user_id=opened.user_id)
        assert said == SessionClosed(session_id=opened.session_id, user_id=opened.user_id)
    assert is_dead(accounts, token)
    assert next_token(accounts, other.refresh_token)


def change(accounts: Accounts, who: UUID, session: UUID, current: str, new: str) -> Message:
    seal = accounts.seal
    command = ChangePassword(
        user_id=who, session_id=session, current_password=seal(current), new_password=seal(new)
    )
    return accounts.told(command, user_id=who)


def test_a_new_password_ends_the_other_sessions(accounts: Accounts) -> None:
    mine = accounts.arrive()
    other = accounts.sign_in(mine.email)
    changed = change(accounts, mine.user_id, mine.session_id, PASSWORD, "another horse")
    assert isinstance(changed, PasswordChanged)
    assert is_dead(accounts, other.refresh_token)
    assert next_token(accounts, mine.refresh_token)
    seal = accounts.seal
    old = accounts.told(OpenSession(email=mine.email, password=seal(PASSWORD)))
    new = accounts.told(OpenSession(email=mine.email, password=seal("another horse")))
    assert isinstance(old, SessionRefused)
    assert isinstance(new, SessionOpened)


@pytest.mark.parametrize(
    ("current", "new", "code"),
    [
        ("a wrong password", "another horse", "bad_credentials"),
        (PASSWORD, "too short", "invalid_request"),
        (PASSWORD, "x" * 129, "invalid_request"),
    ],
)
def test_a_refused_change_changes_nothing(
    accounts: Accounts, current: str, new: str, code: str
) -> None:
    mine = accounts.arrive()
    other = accounts.sign_in(mine.email)
    refused = change(accounts, mine.user_id, mine.session_id, current, new)
    assert isinstance(refused, CredentialsRefused)
    assert (refused.command, refused.code) == ("auth.password.change", code)
    assert next_token(accounts, other.refresh_token)


def test_nobody_changes_another_password(accounts: Accounts) -> None:
    mine, theirs = accounts.arrive(), accounts.arrive()
    command = ChangePassword(
        user_id=theirs.user_id,
        session_id=theirs.session_id,
        current_password=accounts.seal(PASSWORD),
        new_password=accounts.seal("another horse"),
    )
    refused = accounts.told(command, user_id=mine.user_id)
    assert isinstance(refused, CredentialsRefused)
    assert refused.code == "forbidden"


def test_old_sessions_are_forgotten_at_a_tick(accounts: Accounts) -> None:
    kept, expired, revoked = accounts.arrive(), accounts.arrive(), accounts.arrive()
    accounts.db.execute(
        "UPDATE sessions SET created_at = now() - interval '31 days',"
        " expires_at = now() - interval '1 second' WHERE id = %s",
        [expired.session_id],
    )
    accounts.db.execute(
        "UPDATE sessions SET revoked_at = now() - interval '25 hours' WHERE id = %s",
        [revoked.session_id],
    )
    accounts.ask(ClockTicked(clock="c", at=datetime.now(UTC)))
    ids = [each.session_id for each in (kept, expired, revoked)]
    rows = accounts.db.execute("SELECT id FROM sessions WHERE id = ANY(%s)", [ids]).fetchall()
    assert [row["id"] for row in rows] == [kept.session_id]
    assert next_token(accounts, kept.refresh_token)


def test_a_session_lives_as_long_as_it_is_used(accounts: Accounts) -> None:
    opened = accounts.arrive()
    next_token(accounts, opened.refresh_token)
    rows = accounts.db.execute(
        "SELECT expires_at, used_at FROM sessions WHERE family = %s ORDER BY created_at",
        [opened.session_id],
    ).fetchall()
    assert [row["used_at"] is not None for row in rows] == [True, False]
    assert rows[1]["expires_at"] - datetime.now(UTC) > timedelta(days=29, hours=23)
