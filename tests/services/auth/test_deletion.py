"""Deleting an account, on auth's real store: happy, refused, twice, and while something is said."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from schemas.auth import (
    CredentialsRefused,
    DeleteUser,
    OpenSession,
    RegisterUser,
    RepublishAccounts,
    SessionRefused,
    SignInErased,
    UserDeleted,
    UserNamed,
    UserRefused,
    UserRegistered,
)
from schemas.expiration import ClockTicked
from schemas.message import Message
from tests.services.auth.conftest import PASSWORD, Accounts, Opened


def delete(accounts: Accounts, who: Opened, password: str = PASSWORD) -> list[Message]:
    command = DeleteUser(user_id=who.user_id, password=accounts.seal(password))
    accounts.confirm()
    return accounts.ask(command, user_id=who.user_id, operation_id=uuid4())


def tick(accounts: Accounts) -> list[Message]:
    return accounts.ask(ClockTicked(clock="c", at=datetime.now(UTC)))


def kept(accounts: Accounts, word: str) -> list[str]:
    tables = ("users", "sessions", "erasures", "outbox", "inbox", "signing_keys")
    return [
        table
        for table in tables
        if accounts.db.execute(
            f"SELECT FROM {table} AS t WHERE t::text ILIKE %s".encode(),  # Ours.
            [f"%{word}%"],
        ).rowcount
    ]


def test_the_right_password_deletes_and_the_address_is_free_again(accounts: Accounts) -> None:
    who = accounts.arrive()
    wrong = accounts.seal("a wrong password")
    spelled = f" {who.email.upper()}"
    accounts.ask(OpenSession(email=spelled, password=wrong))
    accounts.ask(RegisterUser(email=who.email, password=accounts.seal(PASSWORD)))
    assert kept(accounts, who.email) == ["users", "outbox"]
    said = delete(accounts, who)
    assert said == [UserDeleted(user_id=who.user_id), SignInErased(user_id=who.user_id)]
    assert kept(accounts, who.email) == []
    assert (
        accounts.db.execute("SELECT FROM sessions WHERE user_id = %s", [who.user_id]).rowcount == 0
    )
    sign_in = OpenSession(email=who.email, password=accounts.seal(PASSWORD))
    assert isinstance(accounts.told(sign_in), SessionRefused)
    again = accounts.told(RegisterUser(email=who.email, password=accounts.seal(PASSWORD)))
    assert isinstance(again, UserRegistered)
    assert again.user_id != who.user_id


def test_a_wrong_password_deletes_nothing(accounts: Accounts) -> None:
    who = accounts.arrive()
    (refused,) = delete(accounts, who, "a wrong password")
    assert isinstance(refused, CredentialsRefused)
    assert (refused.command, refused.code) == ("auth.user.delete", "bad_credentials")
    assert accounts.sign_in(who.email).user_id == who.user_id


def test_nobody_deletes_somebody_else(accounts: Accounts) -> None:
    who = accounts.arrive()
    command = DeleteUser(user_id=who.user_id, password=accounts.seal(PASSWORD))
    refused = accounts.told(command, user_id=accounts.arrive().user_id)
    assert isinstance(refused, CredentialsRefused)
    assert refused.code == "forbidden"


def test_a_second_deletion_finds_nobody(accounts: Accounts) -> None:
    who = accounts.arrive()
    delete(accounts, who)
    (refused,) = delete(accounts, who)
    assert isinstance(refused, CredentialsRefused)
    assert refused.code == "not_found"


def test_what_is_still_being_said_is_forgotten_at_a_tick(accounts: Accounts) -> None:
    """A row of the outbox that the broker has not confirmed cannot be taken away."""
    who = accounts.arrive()
    command = DeleteUser(user_id=who.user_id, password=accounts.seal(PASSWORD))
    accounts.db.execute("UPDATE outbox SET published_at = NULL")
    assert accounts.told(command, user_id=who.user_id) == UserDeleted(user_id=who.user_id)
    assert tick(accounts) == []
    assert kept(accounts, who.email) == ["erasures", "outbox"]
    accounts.confirm()
    assert tick(accounts) == [SignInErased(user_id=who.user_id)]
    assert kept(accounts, who.email) == []
    assert tick(accounts) == []


def test_a_refused_registration_is_forgotten_with_the_account(accounts: Accounts) -> None:
    who = accounts.arrive()
    again = RegisterUser(email=who.email.upper(), password=accounts.seal(PASSWORD))
    assert isinstance(accounts.told(again), UserRefused)
    delete(accounts, who)
    assert kept(accounts, who.email) == []


def test_everybody_is_said_again_but_who_has_left(accounts: Accounts) -> None:
    left, stays = accounts.arrive(), accounts.arrive()
    delete(accounts, left)
    told: dict[UUID, str] = {}
    pages: list[Message] = [RepublishAccounts()]
    while pages:
        said = accounts.ask(pages.pop())
        told |= {each.user_id: each.email for each in said if isinstance(each, UserNamed)}
        pages += [each for each in said if isinstance(each, RepublishAccounts)]
    assert told[stays.user_id] == stays.email
    assert left.user_id not in told
