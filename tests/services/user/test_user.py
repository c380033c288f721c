"""Profiles, preferences and addresses on a real store: happy, refused, twice, late, erased."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import DictRow

from bus.envelope import encode
from bus.runner import Incoming, Later, Runner
from bus.stores.postgres import Connection
from schemas.auth import UserDeleted, UserRegistered
from schemas.expiration import ClockTicked
from schemas.message import Message
from schemas.user import (
    BillingAddress,
    EditPreferences,
    EditProfile,
    PutAddress,
    RepublishUsers,
    UserChanged,
    UserDataErased,
    UserEditRefused,
    UserRestated,
)
from tests.driven import Driven, Said, message_of
from workers.user import handlers
from workers.user.handlers import user

Users = Driven[Connection]
Db = psycopg.Connection[DictRow]
HOME = BillingAddress(line1="Ring 1", line2=None, city="Wien", postal_code="1010", country="AT")


def registered(users: Users) -> UUID:
    user_id = uuid4()
    users.told(UserRegistered(user_id=user_id, email=f"{user_id}@example.org"))
    return user_id


def asked(users: Users, command: Message) -> Said:
    user_id: UUID = vars(command)["user_id"]
    return users.told(command, user_id=user_id, operation_id=uuid4())


def test_whoever_registers_has_a_profile(users: Users) -> None:
    event, operation = UserRegistered(user_id=uuid4(), email="a@b.example"), uuid4()
    said = users.told(event, operation_id=operation)
    changed = said.one(UserChanged)
    assert (changed.user_id, changed.revision) == (event.user_id, 1)
    assert said.envelopes[0].operation_id == operation
    assert users.told(event).types == []  # Told again, by another message.


def test_everything_can_be_changed(users: Users) -> None:
    user_id = registered(users)
    profile = EditProfile(user_id=user_id, display_name="Ada", timezone="Europe/Vienna")
    asked(users, profile)
    asked(users, EditPreferences(user_id=user_id, marketing_opt_in=True))
    said = asked(users, PutAddress(user_id=user_id, address=HOME)).one(UserChanged)
    assert said.revision == 4
    assert (said.profile.display_name, said.profile.locale) == ("Ada", "en")
    assert said.preferences.marketing_opt_in
    assert said.billing_address == HOME
    moved = replace(HOME, line2="Door 3")
    said = asked(users, PutAddress(user_id=user_id, address=moved)).one(UserChanged)
    assert said.billing_address == moved


@pytest.mark.parametrize(
    "wrong", [{"locale": "Klingon"}, {"timezone": "Mars/Base"}], ids=lambda each: next(iter(each))
)
def test_what_is_not_a_place_is_refused(users: Users, wrong: dict[str, str]) -> None:
    user_id = registered(users)
    refused = asked(users, EditProfile(user_id=user_id, **wrong)).one(UserEditRefused)
    assert (refused.code, refused.command) == ("invalid_request", "users.profile.edit")
    assert not [each for each in wrong.values() if each in refused.detail]


def test_nobody_changes_somebody_else(users: Users) -> None:
    command = EditProfile(user_id=registered(users), display_name="Eve")
    refused = users.told(command, user_id=registered(users)).one(UserEditRefused)
    assert refused.code == "forbidden"


def test_a_command_delivered_twice_counts_once(users: Users) -> None:
    user_id = registered(users)
    command = message_of(EditProfile(user_id=user_id, display_name="Ada"), user_id=user_id)
    assert users.hear(command, command).one(UserChanged).revision == 2
    assert users.hear(command).types == []


@pytest.mark.usefixtures("users")
def test_an_edit_that_overtakes_the_registration_waits_for_it() -> None:
    user_id = uuid4()
    command = message_of(EditProfile(user_id=user_id, display_name="Ada"), user_id=user_id)
    (verdict,) = Runner(user, lambda _: None).run([Incoming(encode(command))])
    assert isinstance(verdict, Later)
    assert (verdict.code, verdict.counts) == ("not_found", False)


def test_everybody_is_said_again_in_pages(
    users: Users, user_db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "_PAGE", 2)
    wanted = {registered(users) for _ in range(3)}
    told: dict[UUID, UserRestated] = {}
    pages = [RepublishUsers()]
    while pages:
        said = users.told(pages.pop())
        told |= {e.data.user_id: e.data for e in said.envelopes if isinstance(e.data, UserRestated)}
        pages += [each.data for each in said.envelopes if isinstance(each.data, RepublishUsers)]
    assert wanted <= told.keys()
    kept = user_db.execute("SELECT count(*) AS n FROM user_profiles").fetchone()
    assert kept is not None
    assert kept["n"] == len(told)


def everything_of(user_db: Db, user_id: UUID) -> list[DictRow]:
    tables = {"user_profiles": "user_id", "user_preferences": "user_id",
              "billing_addresses": "user_id", "outbox": "aggregate_id"}  # fmt: skip
    found: list[DictRow] = []
    for table, column in tables.items():
        statement = f"SELECT * FROM {table} WHERE {column}::text = %s"  # noqa: S608  # Ours.
        found += user_db.execute(statement.encode(), [str(user_id)]).fetchall()
    return found


def test_a_deleted_user_is_forgotten_and_stays_so(users: Users, user_db: Db) -> None:
    event = UserRegistered(user_id=uuid4(), email="a@b.example")
    users.told(event)
    asked(users, EditProfile(user_id=event.user_id, display_name="Ada"))
    asked(users, PutAddress(user_id=event.user_id, address=HOME))
    operation = uuid4()
    said = users.told(UserDeleted(user_id=event.user_id), operation_id=operation)
    assert said.types == ["users.user.erased"]
    assert said.envelopes[0].operation_id == operation
    assert users.told(event).types == []  # The registration, delivered late.
    edit = EditProfile(user_id=event.user_id, display_name="Ada")
    assert asked(users, edit).one(UserEditRefused).code == "not_found"
    kept = everything_of(user_db, event.user_id)
    types = sorted(each["event_type"] for each in kept)
    assert types == ["users.user.erased", "users.user.refused"]
    assert "Ada" not in str(kept)
    assert users.told(UserDeleted(user_id=event.user_id)).types == []


def test_a_deletion_that_comes_first_wins(users: Users, user_db: Db) -> None:
    event = UserRegistered(user_id=uuid4(), email="a@b.example")
    assert users.told(UserDeleted(user_id=event.user_id)).types == ["users.user.erased"]
    assert users.told(event).types == []
    assert [each["event_type"] for each in everything_of(user_db, event.user_id)] == [
        "users.user.erased"
    ]


def test_what_is_still_being_said_is_forgotten_at_a_tick(users: Users, user_db: Db) -> None:
    """A row of the outbox that the broker has not confirmed cannot be taken away."""
    user_id, operation = registered(users), uuid4()
    waiting = "UPDATE outbox SET published_at = %s WHERE aggregate_id = %s"
    user_db.execute(waiting, [None, user_id])
    tick = ClockTicked(clock="c", at=datetime.now(UTC))
    assert users.told(UserDeleted(user_id=user_id), operation_id=operation).types == []
    assert users.told(tick).types == []
    user_db.execute(waiting, [datetime.now(UTC), user_id])
    said = users.told(tick)
    assert said.one(UserDataErased).user_id == user_id
    assert said.envelopes[0].operation_id == operation
    assert users.told(tick).types == []
