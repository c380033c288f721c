"""Messages of one aggregate never race: not between threads, not between processes."""

import signal
import threading
from collections.abc import Callable
from uuid import uuid4

from bus.envelope import Envelope, encode, envelope_of
from bus.runner import Done, Incoming, Runner
from schemas.auth import UserRegistered
from tests.bus.probe import LEDGERS
from tests.bus.system import System, until

Order = Callable[..., Envelope]
_THREADS, _BATCHES, _IN_BATCH = 6, 8, 3


def test_threads_do_not_race(system: System, store: str, order: Order) -> None:
    """Each handler reads a counter, dawdles, and writes one more."""
    service = system.service(store)
    runner = Runner(service, lambda _: None)
    hot, together = uuid4(), threading.Barrier(_THREADS)
    wrong: list[object] = []

    def work() -> None:
        together.wait()
        for _ in range(_BATCHES):
            batch = [Incoming(encode(order(ticket_id=hot))) for _ in range(_IN_BATCH)]
            wrong.extend(v for v in runner.run(batch) if v != Done())

    threads = [threading.Thread(target=work) for _ in range(_THREADS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    service.store.close()
    assert wrong == []
    assert system.counted(store, hot) == _THREADS * _BATCHES * _IN_BATCH


def test_batches_that_share_several_aggregates_do_not_lock_each_other_out(
    system: System, store: str, order: Order
) -> None:
    service = system.service(store)
    runner = Runner(service, lambda _: None)
    hot = [uuid4() for _ in range(6)]
    wrong: list[object] = []

    def work(backwards: int) -> None:
        for _ in range(5):
            tickets = hot[::-1] if backwards else hot
            batch = [Incoming(encode(order(ticket_id=each))) for each in tickets]
            wrong.extend(v for v in runner.run(batch) if v != Done())

    threads = [threading.Thread(target=work, args=[number % 2]) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    service.store.close()
    assert wrong == []
    assert [system.counted(store, each) for each in hot] == [20] * 6


def test_rival_threads_with_one_message_handle_it_once(
    system: System, store: str, order: Order
) -> None:
    service = system.service(store)
    said: list[object] = []
    runner = Runner(service, said.extend)
    for _ in range(10):
        asked, together = order(), threading.Barrier(3)

        def work(body: bytes = encode(asked), together: threading.Barrier = together) -> None:
            together.wait()
            runner.run([Incoming(body)])

        threads = [threading.Thread(target=work) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert system.effects(store, asked.data.subject) == [str(asked.id)]
    service.store.close()
    assert len(said) == 10


def test_processes_do_not_race(system: System, order: Order) -> None:
    """Two processes on each store, one of which is killed at any moment in between."""
    hot, count = uuid4(), 90
    processes = {name: [system.spawn(name) for _ in range(2)] for name in LEDGERS}
    for name in LEDGERS:
        until(lambda n=name: system.consumers(f"{n}.commands") == 2, within_sec=60)  # type: ignore[misc]
    for number in range(count):
        for name in LEDGERS:
            system.send(f"{name}.commands", encode(order(ticket_id=hot)))
            if number == count // 2:
                processes[name][0].kill()
    for name in LEDGERS:
        until(lambda n=name: system.counted(n, hot) >= count, within_sec=60)  # type: ignore[misc]
        until(lambda n=name: system.unpublished(n) == 0, within_sec=60)  # type: ignore[misc]
    for pair in processes.values():
        for process in pair:
            process.send_signal(signal.SIGTERM)
    codes = [p.wait(timeout=60) for pair in processes.values() for p in pair]
    assert sorted(codes) == [-signal.SIGKILL] * len(LEDGERS) + [0] * len(LEDGERS)
    for name in LEDGERS:
        assert system.counted(name, hot) == count
        effects = system.effects(name, hot)
        assert len(effects) == len(set(effects)) == count


def test_both_queues_of_two_processes_do_not_race(system: System, order: Order) -> None:
    """A command and an event about one aggregate are rivals as two commands are."""
    hot, count = uuid4(), 40
    registered = UserRegistered(user_id=hot, email="hot@example.org")
    pairs = {name: [system.spawn(name, FOYER_BATCH="3") for _ in range(2)] for name in LEDGERS}
    for name in LEDGERS:
        until(lambda n=name: system.consumers(f"{n}.commands") == 2, within_sec=60)  # type: ignore[misc]
        until(lambda n=name: system.consumers(f"{n}.events") == 2, within_sec=60)  # type: ignore[misc]
    for _ in range(count):
        for name in LEDGERS:
            system.send(f"{name}.commands", encode(order(ticket_id=hot)))
            system.send(f"{name}.events", encode(envelope_of(registered, source="/edge")))
    for name in LEDGERS:
        until(lambda n=name: len(system.effects(n, hot)) >= 2 * count, within_sec=60)  # type: ignore[misc]
        until(lambda n=name: system.unpublished(n) == 0, within_sec=60)  # type: ignore[misc]
    processes = [each for pair in pairs.values() for each in pair]
    for process in processes:
        process.terminate()
    assert [process.wait(timeout=60) for process in processes] == [0] * len(processes)
    assert {name: system.counted(name, hot) for name in LEDGERS} == dict.fromkeys(
        LEDGERS, 2 * count
    )
