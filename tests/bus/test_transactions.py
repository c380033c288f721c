"""A batch and its transaction, on every kind of store: together or not at all, once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from bus.envelope import Envelope, Outgoing, decode, encode, envelope_of
from bus.runner import Dead, Done, Incoming, Later, Runner, Verdict
from bus.service import Transaction
from schemas.auth import UserRegistered
from schemas.order import OrderRefused
from tests.bus.probe import FAULT, FAULT_ONCE, NOT_YET, REFUSED
from tests.bus.system import System

Order = Callable[..., Envelope]


class Batches:
    """The runner, and what it said."""

    def __init__(self, runner: Runner[Any]) -> None:
        self.runner = runner
        self.said: list[Outgoing] = runner.said  # type: ignore[attr-defined]

    def run(self, *messages: Envelope | bytes, since: datetime | None = None) -> list[Verdict]:
        bodies = [each if isinstance(each, bytes) else encode(each) for each in messages]
        return self.runner.run([Incoming(body, since=since) for body in bodies])

    def answers(self) -> list[Envelope]:
        return [decode(each.body) for each in self.said]


@pytest.fixture
def batches(runner: Runner[Any]) -> Batches:
    return Batches(runner)


def test_what_is_written_and_said_commits_together(
    batches: Batches, system: System, store: str, order: Order
) -> None:
    asked = order()
    owed = system.unpublished(store)
    assert batches.run(asked) == [Done()]
    assert system.effects(store, asked.data.subject) == [str(asked.id)]
    assert system.handled(store, asked.id)
    assert system.unpublished(store) == owed + 1
    (answer,) = batches.answers()
    assert answer.operation_id == asked.operation_id
    assert answer.user_id == asked.user_id
    assert answer.causation_id == asked.id
    assert answer.source == f"/{store}"
    assert answer.id.version == 7


def test_a_fault_leaves_nothing(batches: Batches, system: System, store: str, order: Order) -> None:
    """The handler has written and emitted before it fails."""
    asked = order(FAULT)
    owed = system.unpublished(store)
    (verdict,) = batches.run(asked)
    assert isinstance(verdict, Later)
    assert (verdict.code, verdict.counts) == ("fault", True)
    assert isinstance(verdict.error, ZeroDivisionError)
    assert system.effects(store, asked.data.subject) == []
    assert not system.handled(store, asked.id)
    assert system.unpublished(store) == owed
    assert batches.said == []


def test_a_fault_that_passes_is_tried_again_at_once(
    batches: Batches, system: System, store: str, order: Order
) -> None:
    asked = order(FAULT_ONCE)
    assert batches.run(asked) == [Done()]
    assert len(system.effects(store, asked.data.subject)) == 1
    assert len(batches.said) == 1


def test_a_duplicate_is_handled_once(
    batches: Batches, system: System, store: str, order: Order
) -> None:
    """In the same batch, in the next, and by another process."""
    asked = order()
    assert batches.run(asked, asked, asked) == [Done()] * 3
    assert batches.run(asked) == [Done()]
    other = system.service(store)
    assert Runner(other, batches.said.extend).run([Incoming(encode(asked))]) == [Done()]
    other.store.close()
    assert system.effects(store, asked.data.subject) == [str(asked.id)]
    assert len(batches.said) == 1


def test_a_refusal_harms_no_neighbour(
    batches: Batches, system: System, store: str, order: Order
) -> None:
    before, refused, after = order(), order(REFUSED), order()
    assert batches.run(before, refused, after) == [Done()] * 3
    assert system.effects(store, before.data.subject)
    assert system.effects(store, after.data.subject)
    assert system.handled(store, refused.id)
    answers = {each.causation_id: each for each in batches.answers()}
    assert answers.keys() == {before.id, refused.id, after.id}
    answer = answers[refused.id]
    assert isinstance(answer.data, OrderRefused)
    assert answer.data.code == "sold_out"
    assert answer.data.command == "orders.order.place"
    assert answer.operation_id == refused.operation_id
    batches.said.clear()
    assert batches.run(refused) == [Done()]
    assert batches.said == []  # Refused once is refused for good.


def test_a_fault_in_the_middle_holds_up_only_the_guilty(
    batches: Batches, system: System, store: str, order: Order
) -> None:
    before, guilty, after = order(), order(FAULT), order()
    first, second, third = batches.run(before, guilty, after)
    assert (first, third) == (Done(), Done())
    assert isinstance(second, Later)
    for innocent in (before, after):
        assert system.effects(store, innocent.data.subject) == [str(innocent.id)]
    assert system.effects(store, guilty.data.subject) == []
    assert {each.causation_id for each in batches.answers()} == {before.id, after.id}
    assert len(batches.said) == 2


def test_what_cannot_be_read_harms_no_neighbour(
    batches: Batches, system: System, store: str, order: Order
) -> None:
    asked = order()
    broken, handled = batches.run(b"{", asked)
    assert isinstance(broken, Dead)
    assert broken.code == "malformed"
    assert handled == Done()
    assert len(system.effects(store, asked.data.subject)) == 1


def test_not_yet_waits_and_then_is_a_refusal(
    batches: Batches, system: System, store: str, order: Order
) -> None:
    waiting, other = order(NOT_YET), order()
    now = datetime.now(UTC)
    for since in (None, now - timedelta(seconds=1)):
        verdict, neighbour = batches.run(waiting, other, since=since)
        assert isinstance(verdict, Later)
        assert (verdict.code, verdict.counts) == ("unknown_ticket", False)
        assert neighbour == Done()
        assert not system.handled(store, waiting.id)
    assert system.effects(store, other.data.subject) == [str(other.id)]
    batches.said.clear()
    assert batches.run(waiting, since=now - timedelta(seconds=5)) == [Done()]
    (answer,) = batches.answers()
    assert isinstance(answer.data, OrderRefused)
    assert answer.data.code == "unknown_ticket"
    assert system.handled(store, waiting.id)


def test_a_transaction_of_the_services_own(batches: Batches, system: System, store: str) -> None:
    """What it says travels like a handler's; it has no cause."""
    said = UserRegistered(user_id=uuid4(), email="own@example.org")
    owed = system.unpublished(store)
    with batches.runner.transaction("key") as tx:
        tx.emit(said)
        with pytest.raises(LookupError):
            _ = tx.cause
    assert system.unpublished(store) == owed + 1
    assert [each.data for each in batches.answers()] == [said]


def test_a_transaction_of_the_services_own_rolls_back(
    batches: Batches, system: System, store: str
) -> None:
    owed = system.unpublished(store)

    def fail(tx: Transaction[Any]) -> None:
        tx.emit(UserRegistered(user_id=uuid4(), email="own@example.org"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), batches.runner.transaction() as tx:
        fail(tx)
    assert system.unpublished(store) == owed
    assert batches.said == []


def test_what_is_said_of_one_subject_collapses(batches: Batches) -> None:
    user = uuid4()
    with batches.runner.transaction() as tx:
        for number in range(5):
            email = f"{number}@example.org"
            tx.emit(UserRegistered(user_id=user, email=email), collapse=True)
        tx.emit(UserRegistered(user_id=uuid4(), email="other@example.org"), collapse=True)
    kept = [each.data for each in batches.answers()]
    assert [each.email for each in kept if isinstance(each, UserRegistered)] == [
        "4@example.org",
        "other@example.org",
    ]


def test_the_end_of_a_batch_runs_once_and_inside_it(batches: Batches, store: str) -> None:
    del store
    ran: list[int] = []
    with batches.runner.transaction() as tx:

        def finish() -> None:
            ran.append(1)
            tx.emit(UserRegistered(user_id=uuid4(), email="last@example.org"))

        tx.before_commit(finish)
        assert ran == []
    assert ran == [1]
    assert len(batches.said) == 1


def test_what_waits_for_the_commit_runs_after_it_and_only_then(
    batches: Batches, system: System, store: str
) -> None:
    seen: list[int] = []
    owed = system.unpublished(store)
    with batches.runner.transaction() as tx:
        tx.emit(UserRegistered(user_id=uuid4(), email="before@example.org"))
        tx.after_commit(lambda: seen.append(system.unpublished(store) - owed))
        assert seen == []
    assert seen == [1]

    def fail(tx: Transaction[Any]) -> None:
        tx.after_commit(lambda: seen.append(2))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), batches.runner.transaction() as tx:
        fail(tx)
    assert seen == [1]


def test_what_is_forwarded_keeps_its_id_and_goes_out_again(
    batches: Batches, system: System, store: str
) -> None:
    message = UserRegistered(user_id=uuid4(), email="again@example.org")
    stored = envelope_of(message, source="/edge")
    owed = system.unpublished(store)
    for _ in range(2):
        with batches.runner.transaction() as tx:
            tx.forward(stored)
            tx.forward(stored)
        assert system.unpublished(store) == owed + 1
        batches.runner._store.mark([stored.id])
        assert system.unpublished(store) == owed
    assert [each.id for each in batches.said] == [stored.id] * 2
