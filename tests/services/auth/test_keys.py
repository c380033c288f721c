"""Signing keys on a real store: rotated by the tick and by an operator, without a gap."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from joserfc import jws

from schemas.auth import KeysPublished, RefreshSession, RotateKeys, SessionRefreshed
from schemas.expiration import ClockTicked
from schemas.message import Message
from tests.services.auth.conftest import Accounts, Opened


def tick(accounts: Accounts) -> list[Message]:
    return accounts.ask(ClockTicked(clock="c", at=datetime.now(UTC)))


def age(accounts: Accounts, **by: int) -> None:
    """Let time pass for the keys."""
    accounts.db.execute(
        "UPDATE signing_keys SET not_before = not_before - %(by)s,"
        " retires_at = retires_at - %(by)s",
        {"by": timedelta(**by)},
    )


@pytest.fixture
def who(accounts: Accounts) -> Opened:
    """Somebody who is signed in; there is one key."""
    accounts.db.execute("TRUNCATE signing_keys")
    return accounts.arrive()


class Holder:
    """Refreshes, and sees which key signs."""

    def __init__(self, accounts: Accounts, who: Opened) -> None:
        """Hold the refresh token."""
        self.accounts, self.token = accounts, who.refresh_token

    def kid(self) -> str:
        """Return the key that signs now."""
        sealed = self.accounts.seal(self.token)
        said = self.accounts.told(RefreshSession(request_id=uuid4(), refresh_token=sealed))
        assert isinstance(said, SessionRefreshed)
        self.token = self.accounts.unseal(said.refresh_token)
        signed = self.accounts.unseal(said.access_token)
        return str(jws.extract_compact(signed.encode()).headers()["kid"])


def test_keys_follow_each_other_without_a_gap(accounts: Accounts, who: Opened) -> None:
    holder = Holder(accounts, who)
    first = holder.kid()
    age(accounts, days=29, hours=22)
    assert tick(accounts) == []
    age(accounts, hours=1)
    (told,) = tick(accounts)
    assert isinstance(told, KeysPublished)
    second, last = (each["kid"] for each in told.keys)
    assert last == first == holder.kid()
    assert tick(accounts) == []
    age(accounts, hours=1)
    assert holder.kid() == second
    assert tick(accounts) == []
    age(accounts, minutes=11)
    (after,) = tick(accounts)
    assert isinstance(after, KeysPublished)
    assert [each["kid"] for each in after.keys] == [second] == [holder.kid()]
    assert after.revision > told.revision


def test_an_operator_rotates_and_asking_again_changes_nothing(
    accounts: Accounts, who: Opened
) -> None:
    first = Holder(accounts, who).kid()
    (told,) = accounts.ask(RotateKeys())
    assert isinstance(told, KeysPublished)
    assert [each["kid"] for each in told.keys][1:] == [first]
    assert [each for each in told.keys if "d" in each] == []
    assert accounts.ask(RotateKeys()) == []
    rows = accounts.db.execute("SELECT kid, not_before FROM signing_keys").fetchall()
    (waiting,) = [row["not_before"] for row in rows if row["kid"] != first]
    ahead = waiting - datetime.now(UTC)
    assert timedelta(minutes=59) < ahead <= timedelta(hours=1)
