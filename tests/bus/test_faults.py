"""A process killed between any two steps: after it is started again, each message had one effect.

The whole of a service's process dies, by `bus.faults`, with several batches on their way; another
one is started without the fault. The services on the three stores die side by side.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from signal import SIGKILL
from uuid import UUID, uuid4

import pytest

from bus.envelope import Envelope, encode, envelope_of
from schemas.order import PlaceOrder
from tests.bus.probe import LEDGERS
from tests.bus.system import System, until

_MESSAGES, _BATCH, _SUBJECTS = 20, "4", 3
_POINTS = {
    "before_commit": "before_commit:2",  # Of the second batch: the first is through.
    "before_publish": "before_publish:2",
    "before_mark": "before_mark",
    "before_ack": "before_ack:2",
}


@dataclass
class Aftermath:
    """What one store's service was sent, and what came of it."""

    asked: list[Envelope]
    code: int = 0
    done_at_death: int = 0
    effects: dict[str, list[str]] = field(default_factory=dict)
    heard: list[tuple[str, str]] = field(default_factory=list)
    """Of each event: which message caused it, and its own id."""


def _orders() -> list[Envelope]:
    tickets = [uuid4() for _ in range(_SUBJECTS)]
    return [_order(tickets[number % _SUBJECTS]) for number in range(_MESSAGES)]


def _order(ticket_id: UUID) -> Envelope:
    command = PlaceOrder(ticket_id=ticket_id, quantity=1)
    return envelope_of(command, source="/edge", operation_id=uuid4(), user_id=uuid4())


@pytest.fixture(scope="module", params=_POINTS)
def killed(request: pytest.FixtureRequest, whole_system: System) -> Iterator[dict[str, Aftermath]]:
    """Kill the three services at one point, start them again, and wait until all is said."""
    system, fault = whole_system, _POINTS[request.param]
    system.purge()
    found = {store: Aftermath(_orders()) for store in LEDGERS}
    for store, aftermath in found.items():
        for each in aftermath.asked:
            system.send(f"{store}.commands", encode(each))
    doomed = {s: system.spawn(s, FOYER_BATCH=_BATCH, FOYER_FAULT=fault) for s in found}
    for store, process in doomed.items():
        found[store].code = process.wait(timeout=60)
        found[store].done_at_death = len(_effects(system, store, found[store]))
    heirs = {store: system.spawn(store, FOYER_BATCH=_BATCH) for store in found}
    until(lambda: _all_is_said(system, found), within_sec=60)
    for process in heirs.values():
        process.terminate()
    for store, process in heirs.items():
        assert process.wait(timeout=60) == 0
        _gather(system, found)
        found[store].effects = _by_subject(system, store, found[store])
        until(lambda s=store: system.ready(f"{s}.commands") == 0)  # type: ignore[misc]
    yield found
    system.purge()


def _all_is_said(system: System, found: dict[str, Aftermath]) -> bool:
    _gather(system, found)
    return all(
        len({cause for cause, _ in each.heard}) == _MESSAGES and system.unpublished(store) == 0
        for store, each in found.items()
    )


def _gather(system: System, found: dict[str, Aftermath]) -> None:
    while system.ready("ear.events"):
        said = system.said()
        found[said["source"].removeprefix("/")].heard.append((said["causationid"], said["id"]))


def _by_subject(system: System, store: str, of: Aftermath) -> dict[str, list[str]]:
    subjects = {each.data.subject for each in of.asked}
    return {subject: system.effects(store, subject) for subject in subjects}


def _effects(system: System, store: str, of: Aftermath) -> list[str]:
    return [each for effects in _by_subject(system, store, of).values() for each in effects]


def test_a_process_that_is_killed_between_two_steps_loses_and_repeats_nothing(
    killed: dict[str, Aftermath], store: str
) -> None:
    """One effect for each message, in the order of each aggregate, and one message heard."""
    after = killed[store]
    assert after.code == -SIGKILL
    for subject, effects in after.effects.items():
        assert effects == [str(e.id) for e in after.asked if e.data.subject == subject]
    assert {cause for cause, _ in after.heard} == {str(each.id) for each in after.asked}
    said = Counter(cause for cause, _ in set(after.heard))  # Heard twice under one id is once.
    assert set(said.values()) == {1}


def test_it_dies_with_work_done_and_work_undone(
    killed: dict[str, Aftermath], store: str, request: pytest.FixtureRequest
) -> None:
    """The test would mean little otherwise; a batch holds what had arrived, four at most."""
    batch = int(_BATCH)
    most = {"before_commit": batch, "before_publish": 2 * batch, "before_ack": 2 * batch}
    point = request.node.callspec.params["killed"]
    assert 0 < killed[store].done_at_death <= most.get(point, _MESSAGES)
