"""Versions beside each other: an old consumer and a new message, a new one and an old message."""

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Literal
from uuid import uuid4

import orjson
import pytest

from bus import envelope
from bus.envelope import Envelope, decode, encode, envelope_of
from bus.runner import Dead, Done, Incoming, Later, Runner
from bus.service import Service
from schemas import message
from schemas.auth import UserRegistered
from schemas.message import catalogue
from schemas.order import PlaceOrder
from tests.bus.system import System, until

Order = Callable[..., Envelope]
_TYPE, _EVENTS = UserRegistered.TYPE, "postgres.events"


def _without(handled: Service[Any]) -> Service[Any]:
    """Make the old version: the one before the event was handled."""
    del handled.handlers[_TYPE]
    return handled


@pytest.mark.parametrize("declared", [True, False])
def test_a_new_event_waits_for_the_version_that_handles_it(
    system: System, monkeypatch: pytest.MonkeyPatch, *, declared: bool
) -> None:
    """The old version puts it off: it knows no handler, or not even the type."""
    said = envelope_of(UserRegistered(user_id=uuid4(), email="new@example.org"), source="/edge")
    with monkeypatch.context() as patch:
        if not declared:
            known = {name: each for name, each in catalogue().items() if name != _TYPE}
            patch.setattr(envelope, "catalogue", lambda: MappingProxyType(known))
        with system.running(_without(system.service("postgres"))) as old:
            system.send(_EVENTS, encode(said))
            until(lambda: old.batches)
            old.broker.draining = True  # It is being replaced.
        assert system.effects("postgres", said.data.subject) == []
    with system.node("postgres") as new:
        effects = until(lambda: system.effects("postgres", said.data.subject))
        until(lambda: system.ready(_EVENTS) == 0)
        assert new.batches == [1]
    assert effects == [str(said.id)]
    assert system.ready("postgres.dead") == 0


@pytest.fixture
def old_list(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Have the old version's list of methods; call it to have the new one's."""
    monkeypatch.setitem(PlaceOrder.__annotations__, "method", Literal["CARD", "APPLE_PAY"])

    def undo() -> None:
        monkeypatch.undo()
        message._schema.cache_clear()

    message._schema.cache_clear()
    yield undo
    undo()


def test_a_new_value_of_a_closed_list_waits_for_the_version_that_knows_it(
    system: System, order: Order, old_list: Callable[[], None]
) -> None:
    """To the old version it is no list's value; that alone does not make the message malformed."""
    asked = order()
    body = _changed(asked, {"method": "GOOGLE_PAY"})
    with system.node("postgres") as old:
        system.send("postgres.commands", body)
        until(lambda: old.batches)
        old.broker.draining = True
    assert system.effects("postgres", asked.data.subject) == []
    old_list()
    with system.node("postgres"):
        effects = until(lambda: system.effects("postgres", asked.data.subject))
    assert effects == [str(asked.id)]
    assert system.ready("postgres.dead") == 0


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        ({"method": "BARTER"}, Later),
        ({"method": "BARTER", "quantity": "two"}, Dead),
        ({"method": "BARTER", "ticket_id": ...}, Dead),
        ({"method": 7}, Dead),
        ({"method": ["BARTER"]}, Dead),
        ({"method": None}, Dead),
    ],
)
def test_only_what_may_be_a_newer_list_waits(
    runner: Runner[Any], order: Order, data: dict[str, object], verdict: type
) -> None:
    (found,) = runner.run([Incoming(_changed(order(), data))])
    assert isinstance(found, verdict)
    assert isinstance(found, Later | Dead)
    assert found.code == {Later: "unknown_type", Dead: "malformed"}[verdict]


def _changed(asked: Envelope, data: dict[str, object], **attributes: object) -> bytes:
    document = orjson.loads(encode(asked))
    document["data"] = {k: v for k, v in (document["data"] | data).items() if v is not ...}
    return orjson.dumps(document | attributes)


def test_a_new_message_has_fields_that_nobody_knows_here(
    runner: Runner[Any], system: System, store: str, order: Order
) -> None:
    asked = order()
    body = _changed(asked, {"colour": "blue", "seats": [{"row": 1}]}, partitionkey="x", newer=1)
    assert runner.run([Incoming(body)]) == [Done()]
    assert system.effects(store, asked.data.subject) == [str(asked.id)]
    assert decode(body).data == asked.data


def test_an_old_message_lacks_fields_that_have_a_default(
    runner: Runner[Any], system: System, store: str, order: Order
) -> None:
    """Only such fields may be added to a message that is in use."""
    asked = order()
    body = _changed(asked, {"method": ..., "seat_ids": ..., "section_id": ...})
    assert b"method" not in body
    assert runner.run([Incoming(body)]) == [Done()]
    assert system.effects(store, asked.data.subject) == [str(asked.id)]
    assert decode(body).data == asked.data
