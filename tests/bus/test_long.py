"""What takes long holds up nothing else."""

import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from bus.envelope import Envelope, encode, envelope_of
from bus.service import Transaction
from bus.stores.postgres import Connection
from schemas.order import CancelOrder
from tests.bus.system import BINDINGS, System, until
from tests.bus.test_topology import bound

_COMMANDS, _LONG = "postgres.commands", "postgres.long"
_LONGEST_SEC = 20


@pytest.fixture
def patient(system: System) -> Iterator[System]:
    """The system, with a queue for what takes long."""
    system.migrate(BINDINGS, long={"postgres": ([CancelOrder.TYPE], [])})
    yield system
    system.api.call("DELETE", "queues", "probe", _LONG)


def test_what_takes_long_waits_in_a_queue_of_its_own_and_nothing_waits_behind_it(
    patient: System, order: Callable[..., Envelope]
) -> None:
    service, others = patient.service("postgres"), [order() for _ in range(3)]
    began, ended = [], []

    @service.handles(CancelOrder, long=True)
    def outlast(_: CancelOrder, tx: Transaction[Connection]) -> None:
        """Take until all others are done, or for too long."""
        began.append(time.monotonic())
        wanted = [each.id for each in others]
        seen = "SELECT FROM effects WHERE id = ANY(%s)"
        while len(tx.db.execute(seen, [wanted]).fetchall()) < len(others):
            assert time.monotonic() < began[0] + _LONGEST_SEC, "the others wait"
            time.sleep(0.01)
        ended.append(tx.cause.id)

    assert service.queues == ["commands", "events", "long"]
    long = envelope_of(CancelOrder(order_id=uuid4()), source="/edge", operation_id=uuid4())
    with patient.running(service):
        patient.channel.basic_publish("foyer.commands", CancelOrder.TYPE, encode(long))
        until(lambda: began)
        for each in others:
            patient.send(_COMMANDS, encode(each))
        until(lambda: ended == [long.id])
        until(lambda: patient.handled("postgres", long.id))


def test_what_takes_long_is_handled_one_by_one(patient: System) -> None:
    """Nobody waits for the locks of one while another of its batch is at work."""
    service, ended = patient.service("postgres"), []

    @service.handles(CancelOrder, long=True)
    def note(_: CancelOrder, tx: Transaction[Connection]) -> None:
        ended.append(tx.cause.id)

    long = [
        envelope_of(CancelOrder(order_id=uuid4()), source="/edge", operation_id=uuid4())
        for _ in range(5)
    ]
    for each in long:
        patient.channel.basic_publish("foyer.commands", CancelOrder.TYPE, encode(each))
    until(lambda: patient.ready(_LONG) == len(long))
    with patient.running(service) as node:
        until(lambda: len(ended) == len(long))
        assert ended == [each.id for each in long]
        assert node.batches == [1] * len(long)


def test_a_queue_for_what_takes_long_hears_nothing_when_nothing_does_any_more(
    patient: System,
) -> None:
    assert ("foyer.commands", CancelOrder.TYPE) in bound(patient, _LONG)
    patient.rebuild()
    assert bound(patient, _LONG) == {("foyer.return", _LONG)}


def test_a_service_without_anything_long_has_two_queues(system: System) -> None:
    service = system.service("redis")
    assert service.queues == ["commands", "events"]
    service.store.close()
