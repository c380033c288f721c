"""The calls to Stripe: each made in its turn, ended once, and never leaving anything behind."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
import stripe
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from schemas.payment import DrivePayment, PaymentFailed, PaymentRequested, PaymentSucceeded
from tests.driven import postgres
from tests.services.payment.paying import Cashier, Paying
from workers.payment import calls, gateway
from workers.payment.gateway import TryAgain


def test_a_call_that_has_ended_is_never_made_again(cashier: Cashier) -> None:
    """What goes wrong after its outcome was committed is not a reason to repeat it."""
    paying = Paying(cashier)
    paying.hear(paying.created())
    (call,) = paying.claim()
    cashier.desk.make(call)
    calls.put_off(postgres("payment").db, call.id, postgres("payment").claim, 0, "late", None)
    assert [each["state"] for each in paying.calls()] == ["done"]
    assert paying.claim() == []


def test_each_call_leaves_a_line_that_says_whom_it_was_for(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.pay()
    paying.hear(paying.completed())
    (call,) = paying.claim()
    with capture_logs(processors=[merge_contextvars]) as lines:
        found, answer = cashier.desk.ask(call)
    (line,) = lines
    assert found.operation_id
    assert (
        line.items()
        >= {
            "event": "called",
            "log_level": "info",
            "call": "capture",
            "payment_id": call.payment_id,
            "operation_id": found.operation_id,
            "outcome": "answered",
        }.items()
    )
    assert line["took_ms"] >= 0
    cashier.desk._keep(call, found, answer)


def test_what_is_said_of_an_outcome_names_its_operation(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.pay()
    paying.hear(paying.completed())
    (call,) = paying.claim()
    found, _ = cashier.desk.ask(call)
    with capture_logs(processors=[merge_contextvars]) as lines:
        cashier.desk._write(call, found, TryAgain("no answer", same_key=True))
    (line,) = (each for each in lines if each["log_level"] == "warning")
    assert line["operation_id"] == found.operation_id


def test_an_outcome_that_another_process_has_written_is_not_written_again(
    cashier: Cashier,
) -> None:
    """A process that was taken for dead comes back with an answer."""
    paying = cashier.open()
    paying.pay()
    paying.hear(paying.completed())
    (call,) = paying.claim()
    found, answer = cashier.desk.ask(call)
    with _another_process():
        (taken_over,) = paying.claim()
        cashier.desk.make(taken_over)
    cashier.desk._keep(call, found, answer)
    calls.put_off(postgres("payment").db, call.id, postgres("payment").claim, 0, "late", None)
    assert paying.calls()[-1]["state"] == "done"
    assert paying.records().count("captured") == 1


@contextmanager
def _another_process() -> Iterator[None]:
    """Be a process that has taken over all calls of a dead one."""
    database = postgres("payment")
    ours = database.claim
    database.claim = ours + 1
    database.db.execute("UPDATE gateway_calls SET claim = %s", [database.claim])
    try:
        yield
    finally:
        database.claim = ours


def test_calls_are_made_in_the_order_in_which_they_were_asked_for(cashier: Cashier) -> None:
    """Whoever asked second may have had the slower clock, and so the lower id."""
    paying, database = cashier.open(), postgres("payment")
    higher, lower = sorted([uuid4(), uuid4()], reverse=True)
    calls.ask(database.db, higher, paying.row()["id"], "close")
    calls.ask(database.db, lower, paying.row()["id"], "cancel")
    made = []
    while due := paying.claim():
        made.append([each.kind for each in due])
        assert calls.end(database.db, due[0].id, database.claim, "done", {})
    assert made == [["close"], ["cancel"]]


def test_a_payment_that_ends_before_its_intent_is_made_leaves_none_open(cashier: Cashier) -> None:
    paying = Paying(cashier)
    paying.hear(paying.created())
    paying.hear(paying.cancelled())
    assert paying.call().types == [PaymentRequested.TYPE, PaymentFailed.TYPE]
    (intent,) = paying.intents()
    assert intent["status"] == "canceled"


@pytest.mark.parametrize("fault", ["error_rate", "error_after_rate"])
def test_a_new_attempt_finds_the_intent_that_the_one_before_has_left(
    cashier: Cashier, fault: str
) -> None:
    """Stripe repeats its 500 for that key, whether it has made the intent or not."""
    paying = Paying(cashier)
    paying.hear(paying.created())
    cashier.stand_in.faults(**{fault: {"create_intent": 1}})
    paying.call_once()
    cashier.stand_in.faults()
    paying.call_once()
    assert paying.calls()[0]["idempotency_key"].endswith(":create:2")
    assert paying.call().types == [PaymentRequested.TYPE]
    (intent,) = paying.intents()
    assert paying.row()["stripe_payment_intent_id"] == intent["id"]


def test_what_an_attempt_has_left_is_looked_for_no_further_back_than_its_payment(
    cashier: Cashier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many intents are older: an on-sale makes thousands in a few minutes."""
    monkeypatch.setattr(gateway, "_PAGE", 1)
    older = [cashier.open() for _ in range(5)]
    _until_stripes_clock_shows(max(each.intents()[0]["created"] for each in older) + 8)
    paying = Paying(cashier)
    paying.hear(paying.created())
    cashier.stand_in.faults(error_rate={"create_intent": 1})
    paying.call_once()
    cashier.stand_in.faults()
    paying.call_once()
    cashier.open()  # Somebody else buys meanwhile.
    with _listed(monkeypatch) as pages:
        assert paying.call().types == [PaymentRequested.TYPE]
    assert 0 < len(pages) <= 3, pages
    (intent,) = paying.intents()
    assert paying.row()["stripe_payment_intent_id"] == intent["id"]


def _until_stripes_clock_shows(then: int) -> None:
    """The stand-in's clock is ours."""
    deadline = time.monotonic() + 20
    while time.time() < then:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def _listed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Note which pages of its intents Stripe is asked for."""
    pages: list[str] = []
    request = stripe.RequestsClient.request

    def noted(client: Any, method: str, url: str, *args: Any, **more: Any) -> Any:  # noqa: ANN401  # The SDK's.
        if method == "get" and "/v1/payment_intents?" in url:
            pages.append(url)
        return request(client, method, url, *args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(stripe.RequestsClient, "request", noted)
        yield pages


def test_an_intent_that_is_made_for_an_ended_payment_is_cancelled(cashier: Cashier) -> None:
    """The void overtakes the creation, which is under way; nobody is told that it can be paid."""
    paying = Paying(cashier)
    paying.hear(paying.created())
    (call,) = paying.claim()
    paying.hear(paying.void())
    cashier.desk.make(call)
    assert paying.call().types == [PaymentFailed.TYPE]
    (intent,) = paying.intents()
    assert intent["status"] == "canceled"
    assert paying.row()["client_secret"] is None


def test_a_repeat_has_the_attempts_key_and_a_new_attempt_its_own(cashier: Cashier) -> None:
    paying = cashier.open()
    paying.pay()
    paying.hear(paying.completed())
    keys = []
    for fault in ("unavailable_rate", "rate_limit_rate", "reply_lost_rate", "unavailable_rate"):
        cashier.stand_in.faults(**{fault: {"capture": 1}})
        paying.call_once()
        keys.append(paying.calls()[-1]["idempotency_key"])
    assert len(set(keys)) == 1
    cashier.stand_in.faults()
    assert paying.call().types == [PaymentSucceeded.TYPE]
    assert paying.intents()[0]["captured"] == 2500


def test_what_somebody_waits_for_is_claimed_first(cashier: Cashier) -> None:
    looked, moved = cashier.open(), Paying(cashier)
    looked.tick()
    moved.hear(moved.created())
    database = postgres("payment")
    database.db.execute("UPDATE gateway_calls SET next_at = now() WHERE state = 'due'")
    (first,) = calls.claim_calls(database.db, database.claim, [], 1)
    assert (first.kind, first.payment_id) == ("create", moved.row()["id"])
    looked.call()
    moved.call()


def test_what_nobody_waits_for_is_claimed_a_few_at_a_time(cashier: Cashier) -> None:
    silent, buyer = [cashier.open() for _ in range(4)], Paying(cashier)
    _have_stripe_asked(silent)
    buyer.hear(buyer.created())
    database = postgres("payment")
    claimed = calls.claim_calls(database.db, database.claim, [], 100, patient=2)
    assert sorted(each.kind for each in claimed if not each.urgent) == ["retrieve"] * 2
    assert [each.payment_id for each in claimed if each.urgent] == [buyer.row()["id"]]
    for each in (*silent, buyer):
        each.call()


def test_a_look_that_somebody_waits_for_is_urgent(cashier: Cashier) -> None:
    """Calls for a payment are made in their order: whoever has paid is not to wait for a look."""
    paying, database = cashier.open(), postgres("payment")
    paying.pay()
    _have_stripe_asked([paying])
    paying.hear(paying.completed())
    for kind in ("retrieve", "capture"):  # Not one that nobody waits for is asked for.
        due = calls.claim_calls(database.db, database.claim, [], 100, patient=0)
        (call,) = [each for each in due if each.payment_id == paying.row()["id"]]
        assert call.kind == kind
        cashier.desk.make(call)
    assert paying.state()[1] == "captured"


def test_a_look_under_way_that_a_capture_waits_for_is_urgent_when_it_is_put_off(
    cashier: Cashier,
) -> None:
    paying, database = cashier.open(), postgres("payment")
    paying.pay()
    _have_stripe_asked([paying])
    (look,) = paying.claim()
    assert not look.urgent
    paying.hear(paying.completed())
    calls.put_off(database.db, look.id, database.claim, 0, "no answer", None)
    (again,) = calls.claim_calls(database.db, database.claim, [], 100, patient=0)
    assert (again.id, again.urgent) == (look.id, True)
    paying.call()
    assert paying.state()[1] == "captured"


def test_a_dead_processs_call_is_taken_over_and_a_living_ones_is_not(cashier: Cashier) -> None:
    paying, database = Paying(cashier), postgres("payment")
    paying.hear(paying.created())
    (call,) = paying.claim()
    other = database.claim + 1
    database.db.execute("UPDATE gateway_calls SET claim = %s WHERE id = %s", [other, call.id])

    def taken(alive: list[int]) -> list[UUID]:
        due = calls.claim_calls(database.db, database.claim, [], 100, alive=alive)
        return [each.id for each in due if each.id == call.id]

    assert taken([database.claim, other]) == []
    assert taken([database.claim]) == [call.id]
    assert paying.call().types == [PaymentRequested.TYPE]
    assert len(paying.intents()) == 1


def _have_stripe_asked(silent: Sequence[Paying]) -> None:
    """Let a tick find payments that nothing was heard of for long, and nothing else."""
    database, order_ids = postgres("payment"), [each.order_id for each in silent]
    database.db.execute(
        "UPDATE gateway_calls SET next_at = now() + interval '1 hour' WHERE state = 'due'"
    )
    database.db.execute(
        "UPDATE payments SET asked_at = CASE WHEN order_id = ANY(%s)"
        " THEN now() - interval '1 day' ELSE now() END",
        [order_ids],
    )
    silent[0].hear(silent[0].clock())
    assert [each.calls()[-1]["kind"] for each in silent] == ["retrieve"] * len(silent)


def test_an_operator_has_what_was_put_off_made_now(cashier: Cashier) -> None:
    paying = Paying(cashier)
    paying.hear(paying.created())
    cashier.stand_in.faults(unavailable_rate={"create_intent": 1})
    paying.call_once()
    cashier.stand_in.faults()
    postgres("payment").db.execute("UPDATE gateway_calls SET next_at = now() + interval '1 hour'")
    driven = DrivePayment(order_id=paying.order_id, action="retry", by="ada")
    for _ in range(2):
        assert paying.hear(driven).types == []
    database = postgres("payment")
    (due,) = [
        each
        for each in calls.claim_calls(database.db, database.claim, [], 100)
        if each.payment_id == paying.row()["id"]
    ]
    assert due.kind == "create"
    assert {each["urgent"] for each in paying.calls()} == {True}
    assert [each["kind"] for each in paying.calls()] == ["create", "retrieve"]
    assert paying.records() == ["attempted", "operator", "operator"]
    assert paying.call().types == [PaymentRequested.TYPE]


@pytest.mark.parametrize("kind", ["capture", "cancel", "close", "retrieve", "refund"])
def test_a_key_of_another_account_decides_nothing(
    cashier: Cashier, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its Stripe knows none of our intents: an operator mends the key, and all goes on."""
    paying = cashier.open().paid() if kind == "refund" else cashier.open()
    if kind in {"capture", "cancel"}:
        paying.pay()
    before = _as_it_stands(paying)
    asked = {
        "capture": paying.completed(),
        "cancel": paying.void(),
        "close": paying.cancelled(),
        "retrieve": DrivePayment(order_id=paying.order_id, action="retry", by="ada"),
        "refund": paying.refund(),
    }
    paying.hear(asked[kind])
    with _of_another_account(paying):
        capsys.readouterr()
        paying.call_once()
    assert (paying.calls()[-1]["kind"], paying.calls()[-1]["state"]) == (kind, "due")
    assert "[error" in capsys.readouterr().out
    assert _as_it_stands(paying) == before
    paying.call()
    assert {each["state"] for each in paying.calls()} == {"done"}


def _as_it_stands(paying: Paying) -> object:
    """Return how far its money is, whatever is under way."""
    row = paying.row()
    return row["status"], row["captured_amount"], row["refunded_amount"], row["failure"]


@contextmanager
def _of_another_account(paying: Paying) -> Iterator[None]:
    """Have a payment's intent be one that the Stripe of our key has not."""
    database, row = postgres("payment"), paying.row()
    change = "UPDATE payments SET stripe_payment_intent_id = %s WHERE id = %s"
    database.db.execute(change, [f"pi_{uuid4().hex}", row["id"]])
    try:
        yield
    finally:
        database.db.execute(change, [row["stripe_payment_intent_id"], row["id"]])
