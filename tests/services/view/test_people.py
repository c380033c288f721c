"""What the views keep of people, and how they forget it: in any order, for good."""

from itertools import permutations
from uuid import UUID, uuid4

import pytest

from bus.envelope import Envelope, envelope_of
from schemas.auth import (
    DeleteUser,
    OpenSession,
    RegisterUser,
    SessionOpened,
    SignInErased,
    UserDeleted,
    UserNamed,
    UserRefused,
    UserRegistered,
)
from schemas.expiration import ClockTicked
from schemas.message import Message
from schemas.payment import PaidDataErased
from schemas.user import Preferences, Profile, UserChanged, UserDataErased
from schemas.view import ViewedDataErased
from tests.services.view.conftest import Views
from tests.unit.view.samples import NOW, SEALED


def said(message: Message, operation_id: UUID | None = None) -> Envelope:
    return envelope_of(message, source="/test", operation_id=operation_id)


def person(user_id: UUID, revision: int, name: str) -> UserChanged:
    return UserChanged(
        user_id=user_id,
        revision=revision,
        profile=Profile(display_name=name),
        preferences=Preferences(),
        billing_address=None,
    )


def test_the_newest_of_somebody_is_kept(views: Views) -> None:
    user_id = uuid4()
    views.hear(said(person(user_id, 2, "Ada")), said(person(user_id, 1, "Bob")))
    views.hear(said(UserNamed(user_id=user_id, email="a@b.example")))
    (row,) = views.rows("people", user_id=user_id)
    assert (row["revision"], row["profile"]["display_name"]) == (2, "Ada")
    assert row["billing_address"] is None
    (row,) = views.rows("accounts", user_id=user_id)
    assert row["email"] == "a@b.example"


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
@pytest.mark.parametrize("together", [True, False])
def test_somebody_who_has_left_is_forgotten_in_any_order(
    views: Views, order: tuple[int, ...], *, together: bool
) -> None:
    user_id = uuid4()
    told = (
        UserRegistered(user_id=user_id, email="a@b.example"),
        person(user_id, 1, "Ada"),
        UserDeleted(user_id=user_id),
        UserNamed(user_id=user_id, email="a@b.example"),
    )
    batch = [said(told[each]) for each in order]
    for part in [batch] if together else [[each] for each in batch]:
        views.hear(*part)
    assert not views.rows("accounts", user_id=user_id)
    assert not views.rows("people", user_id=user_id)


def test_the_views_say_that_they_have_forgotten(views: Views) -> None:
    user_id, operation = uuid4(), uuid4()
    views.said.clear()
    views.hear(said(UserDeleted(user_id=user_id), operation))
    assert [each.type for each in views.said] == ["views.user.erased"]


@pytest.mark.parametrize("last", range(4))
def test_a_deletion_is_done_when_everybody_has_forgotten(views: Views, last: int) -> None:
    user_id, operation = uuid4(), uuid4()
    views.ask(DeleteUser(user_id=user_id, password=SEALED), operation, user_id=user_id)
    erased: list[Message] = [
        SignInErased(user_id=user_id),
        UserDataErased(user_id=user_id),
        PaidDataErased(user_id=user_id),
        ViewedDataErased(user_id=user_id),
    ]
    latest = erased.pop(last)
    views.hear(said(UserDeleted(user_id=user_id), operation))
    for each in erased:
        views.hear(said(each, operation))
        assert views.operation(operation)["status"] == "pending"
    views.hear(said(latest, operation))
    row = views.operation(operation)
    assert (row["status"], row["result"]) == ("succeeded", {"user_id": str(user_id)})


def test_an_operation_that_has_ended_keeps_no_personal_command(views: Views) -> None:
    done, refused = uuid4(), uuid4()
    email = f"{uuid4().hex}@example.org"
    for operation in (done, refused):
        views.ask(RegisterUser(email=email, password=SEALED), operation)
        assert email in str(views.operation(operation)["command"])
    told = {"email": email, "command": RegisterUser.TYPE, "code": "email_taken", "detail": "x"}
    views.hear(said(UserRegistered(user_id=uuid4(), email=email), done))
    views.hear(said(UserRefused(**told), refused))
    for operation in (done, refused):
        row = views.operation(operation)
        assert row["status"] != "pending"
        assert email not in str(row)
        assert row["command"]["type"] == RegisterUser.TYPE


def test_keys_of_somebody_who_has_left_are_forgotten(views: Views) -> None:
    user_id, ended, open_still, leaving = uuid4(), uuid4(), uuid4(), uuid4()
    for each in (ended, open_still):
        views.ask(OpenSession(email="a@b.example", password=SEALED), each, user_id=user_id)
    views.ask(DeleteUser(user_id=user_id, password=SEALED), leaving, user_id=user_id)
    for each in (ended, open_still, leaving):
        views.db.execute(
            "UPDATE operations SET idempotency_key = %s, request_hash = '' WHERE id = %s",
            [str(each), each],
        )
    opened = SessionOpened(
        session_id=uuid4(), user_id=user_id, access_token=SEALED, refresh_token=SEALED,
        expires_in=600,
    )  # fmt: skip
    views.hear(said(opened, ended))
    views.hear(said(UserDeleted(user_id=user_id), leaving))
    assert views.operation(ended)["idempotency_key"] is None
    assert views.operation(open_still)["idempotency_key"] == str(open_still), "it is in use"
    views.hear(said(opened, open_still))
    assert views.operation(open_still)["idempotency_key"] is None
    for erased in (
        SignInErased(user_id=user_id),
        UserDataErased(user_id=user_id),
        PaidDataErased(user_id=user_id),
        ViewedDataErased(user_id=user_id),
    ):
        views.hear(said(erased, leaving))
    assert views.operation(leaving)["status"] == "succeeded"
    assert views.operation(leaving)["idempotency_key"] == str(leaving)


def test_secrets_that_nobody_came_for_go_at_a_tick(views: Views) -> None:
    old, fresh = uuid4(), uuid4()
    for operation in (old, fresh):
        views.ask(OpenSession(email="a@b.example", password=SEALED), operation)
        opened = SessionOpened(
            session_id=uuid4(), user_id=uuid4(), access_token=SEALED, refresh_token=SEALED,
            expires_in=600,
        )  # fmt: skip
        views.hear(said(opened, operation))
    views.db.execute(
        "UPDATE operations SET finished_at = now() - interval '61 seconds' WHERE id = %s", [old]
    )
    views.hear(said(ClockTicked(clock="c", at=NOW)))
    assert views.operation(old)["secret"] is None
    assert views.operation(fresh)["secret"] is not None


def test_a_personal_command_that_was_sent_again_is_forgotten_once_it_is_out(views: Views) -> None:
    operation, email = uuid4(), f"{uuid4().hex}@example.org"
    views.ask(OpenSession(email=email, password=SEALED), operation, age_sec=10)
    views.hear(said(ClockTicked(clock="c", at=NOW)))
    about = "SELECT FROM outbox WHERE payload::text LIKE %s"
    assert views.db.execute(about, [f"%{email}%"]).rowcount == 1
    views.hear(said(ClockTicked(clock="c", at=NOW)))
    assert views.db.execute(about, [f"%{email}%"]).rowcount == 1
    views.db.execute("UPDATE outbox SET published_at = now()")
    views.hear(said(ClockTicked(clock="c", at=NOW)))
    assert views.db.execute(about, [f"%{email}%"]).rowcount == 0
