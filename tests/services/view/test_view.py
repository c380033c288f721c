"""The views and the ends of operations, on a real store."""

import threading
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest

from bus.envelope import encode
from bus.runner import Done, Incoming, Later, Runner
from bus.service import Service
from bus.stores.postgres import Connection
from schemas.auth import (
    KeysPublished,
    OpenSession,
    RegisterUser,
    SessionOpened,
    UserRefused,
    UserRegistered,
)
from schemas.bus import MessageDead
from schemas.expiration import ClockTicked
from schemas.order import (
    CancelOrder,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderRefused,
    OrderRestated,
    PlaceOrder,
)
from schemas.payment import PaymentAuthorized, PaymentRequested, PaymentRestated
from schemas.ticket import CreateTicket, TicketChanged, TicketCreated, TicketEdited
from tests.services.view.conftest import Views
from tests.unit.view.samples import NOW, SEALED, Sale, envelope, ticket
from workers.view.handlers import project


def test_the_newest_copy_stays(views: Views) -> None:
    """In one batch and in several, in any order, twice."""
    ticket_id = uuid4()
    told = [
        envelope(ticket(said, ticket_id, revision))
        for said, revision in ((TicketCreated, 1), (TicketChanged, 2), (TicketEdited, 3))
    ]
    views.hear(told[2], told[0])
    views.hear(told[1], told[1])
    views.hear(envelope(ticket(TicketChanged, ticket_id, 2)))
    (row,) = views.rows("tickets", ticket_id=ticket_id)
    assert (row["revision"], row["reserved"]) == (3, 3)
    assert row["price"] == Decimal("10.00")
    assert row["starts_at"] == NOW
    assert row["event"]["venue"] == {"city": "B"}


def test_every_column_is_what_was_said(views: Views) -> None:
    sale = Sale("30.75", "KWD")
    order = sale.order(OrderCreated, 2, "AWAITING_PAYMENT")
    payment = sale.payment(PaymentRequested, 1)
    views.hear(envelope(order), envelope(payment))
    (row,) = views.rows("orders", order_id=sale.order_id)
    for column in row.keys() - {"items"}:
        assert row[column] == getattr(order, column), column
    assert row["items"] == [
        {
            "id": str(sale.item_id),
            "quantity": 2,
            "unit_price": "15.375",
            "seat_id": None,
            "seat_label": None,
            "section_id": None,
            "refunded": False,
            "kept": False,
        }
    ]
    (row,) = views.rows("payments", order_id=sale.order_id)
    assert row == vars(payment)


def test_a_client_secret_is_forgotten_once_paid(views: Views) -> None:
    sale = Sale()
    paid = sale.payment(PaymentAuthorized, 2, authorisation="authorized")
    views.hear(envelope(sale.payment(PaymentRequested, 1)))
    (row,) = views.rows("payments", order_id=sale.order_id)
    assert row["client_secret"] == SEALED
    views.hear(envelope(paid))
    (row,) = views.rows("payments", order_id=sale.order_id)
    assert row["client_secret"] is None


def test_the_public_keys_are_kept(views: Views) -> None:
    issuer = f"test {uuid4()}"
    views.hear(envelope(KeysPublished(issuer=issuer, revision=2, keys=[{"kid": "b"}])))
    views.hear(envelope(KeysPublished(issuer=issuer, revision=1, keys=[{"kid": "a"}])))
    (row,) = views.rows("signing_keys", issuer=issuer)
    assert (row["revision"], row["keys"]) == (2, [{"kid": "b"}])


def test_steps_and_timeline_tell_what_happened(views: Views) -> None:
    sale = Sale()
    told = [
        envelope(sale.order(OrderCreated, 2, "AWAITING_PAYMENT"), sale.operation_id),
        envelope(sale.payment(PaymentRequested, 1), sale.operation_id),
        envelope(sale.payment(PaymentAuthorized, 2)),
        envelope(sale.order(OrderRestated, 2, "AWAITING_PAYMENT")),
        envelope(sale.released(3), sale.operation_id),
    ]
    views.hear(*told, *told)
    steps = views.rows("operation_steps", operation_id=sale.operation_id)
    assert {(row["message_id"], row["type"], row["at"]) for row in steps} == {
        (each.id, each.type, each.time) for each in (told[0], told[1], told[4])
    }
    timeline = views.rows("order_timeline", order_id=sale.order_id)
    assert {row["message_id"] for row in timeline} == {each.id for each in told[:3]}


def test_an_order_is_placed_whichever_half_comes_first(views: Views) -> None:
    for reverse in (False, True):
        sale = Sale()
        views.ask(PlaceOrder(ticket_id=sale.ticket_id, quantity=2), sale.operation_id)
        # Stripe's side of it may be told outside any operation.
        told = [
            envelope(sale.order(OrderCreated, 2, "AWAITING_PAYMENT"), sale.operation_id),
            envelope(sale.payment(PaymentRequested, 1)),
        ]
        first, second = reversed(told) if reverse else told
        views.hear(first)
        assert views.operation(sale.operation_id)["status"] == "pending"
        views.hear(second)
        ended = views.operation(sale.operation_id)
        assert ended["status"] == "succeeded"
        assert ended["finished_at"] is not None
        assert ended["result"]["payment"] == {"id": str(sale.payment_id)}
        assert ended["result"]["total_amount"] == "20.00"
        assert ended["error"] is None


def test_the_first_end_wins(views: Views) -> None:
    sale = Sale()
    views.ask(PlaceOrder(ticket_id=sale.ticket_id, quantity=2), sale.operation_id)
    views.hear(
        envelope(sale.order(OrderCreated, 2, "AWAITING_PAYMENT"), sale.operation_id),
        envelope(sale.payment(PaymentRequested, 1), sale.operation_id),
    )
    ended = views.operation(sale.operation_id)
    views.hear(
        envelope(sale.order(OrderCancelled, 3, "EXPIRED", cancel_reason="expired")),
        envelope(dead("orders.order.created"), sale.operation_id),
    )
    assert views.operation(sale.operation_id) == ended


def test_a_free_order_needs_no_payment(views: Views) -> None:
    sale = Sale("0")
    views.ask(PlaceOrder(ticket_id=sale.ticket_id, quantity=2), sale.operation_id)
    views.hear(envelope(sale.order(OrderCompleted, 2, "CONFIRMED"), sale.operation_id))
    ended = views.operation(sale.operation_id)
    assert (ended["result"]["status"], ended["result"]["payment"]) == ("CONFIRMED", None)


def test_a_sold_out_order_fails(views: Views) -> None:
    sale = Sale()
    views.ask(PlaceOrder(ticket_id=sale.ticket_id, quantity=2), sale.operation_id)
    over = sale.order(
        OrderCancelled, 2, "CANCELLED", cancel_reason="sold_out", total_amount=None, currency=None
    )
    views.hear(envelope(over))  # Found by the order: the envelope names no operation.
    ended = views.operation(sale.operation_id)
    assert (ended["status"], ended["error"]["code"], ended["error"]["status"]) == (
        "failed",
        "sold_out",
        409,
    )


@pytest.mark.parametrize("release_first", [False, True])
def test_a_cancellation_ends_whichever_message_gave_the_stock_back(
    views: Views, *, release_first: bool
) -> None:
    """The release may carry the operation that placed the order, or none."""
    sale, cancelling = Sale(), uuid4()
    views.ask(CancelOrder(order_id=sale.order_id), cancelling, user_id=sale.user_id)
    views.hear(envelope(sale.order(OrderCreated, 2, "AWAITING_PAYMENT"), sale.operation_id))
    told = [
        envelope(sale.order(OrderCancelled, 3, "CANCELLED", cancel_reason="cancelled"), cancelling),
        envelope(sale.released(3), sale.operation_id),
    ]
    first, second = reversed(told) if release_first else told
    views.hear(first)
    assert views.operation(cancelling)["status"] == "pending"
    views.hear(second)
    ended = views.operation(cancelling)
    assert ended["result"] == {"order_id": str(sale.order_id), "status": "CANCELLED"}


def test_a_strangers_cancellation_learns_nothing_of_the_order(views: Views) -> None:
    """Neither before nor after the owner's own: what ends it is the refusal alone."""
    sale, before, after, owners = Sale(), uuid4(), uuid4(), uuid4()
    command = CancelOrder(order_id=sale.order_id)
    views.ask(command, before, user_id=uuid4())
    views.ask(command, owners, user_id=sale.user_id)
    views.hear(
        envelope(sale.order(OrderCancelled, 3, "CANCELLED", cancel_reason="cancelled"), owners),
        envelope(sale.released(3), owners),
    )
    assert views.operation(owners)["status"] == "succeeded"
    assert views.operation(before)["status"] == "pending"
    views.ask(command, after, user_id=uuid4())
    for operation_id in (before, after):
        refused = OrderRefused(
            order_id=sale.order_id, command=CancelOrder.TYPE, code="not_found", detail="None."
        )
        views.hear(envelope(refused, operation_id))
        assert views.operation(operation_id)["error"]["status"] == 404


def test_refusals_end_their_own_operation_only(views: Views) -> None:
    sale, cancelling = Sale(), uuid4()
    views.ask(PlaceOrder(ticket_id=sale.ticket_id, quantity=2), sale.operation_id)
    views.ask(CancelOrder(order_id=sale.order_id), cancelling, user_id=sale.user_id)
    refused = OrderRefused(
        order_id=sale.order_id,
        command=CancelOrder.TYPE,
        code="order_not_cancellable",
        detail="Paid.",
    )
    views.hear(envelope(refused, sale.operation_id), envelope(refused, cancelling))
    assert views.operation(sale.operation_id)["status"] == "pending"
    error = views.operation(cancelling)["error"]
    assert (error["code"], error["detail"]) == ("order_not_cancellable", "Paid.")


def dead(message_type: str) -> MessageDead:
    return MessageDead(
        message_id=str(uuid4()), message_type=message_type, queue="q", code="fault", detail="?"
    )


def test_a_dead_message_ends_its_operation(views: Views) -> None:
    operation_id = uuid4()
    views.ask(OpenSession(email="a@b.example", password=SEALED), operation_id)
    views.hear(envelope(dead("auth.session.open"), operation_id))
    assert views.operation(operation_id)["error"]["code"] == "internal"


def test_accounts_and_tickets_end_with_their_own_event(views: Views) -> None:
    registering, refused, signing_in, creating = (uuid4() for _ in range(4))
    ticket_id, user_id = uuid4(), uuid4()
    register = RegisterUser(email="a@b.example", password=SEALED)
    created = ticket(TicketCreated, ticket_id, 1)
    views.ask(register, registering)
    views.ask(register, refused)
    views.ask(OpenSession(email="a@b.example", password=SEALED), signing_in)
    views.ask(CreateTicket.of(created, status="on_sale"), creating)
    views.hear(
        envelope(UserRegistered(user_id=user_id, email="a@b.example"), registering),
        envelope(
            UserRefused(
                email="a@b.example", command=RegisterUser.TYPE, code="email_taken", detail="Taken."
            ),
            refused,
        ),
        envelope(
            SessionOpened(
                session_id=uuid4(),
                user_id=user_id,
                access_token=SEALED,
                refresh_token=SEALED,
                expires_in=600,
            ),
            signing_in,
        ),
        envelope(created, creating),
    )
    assert views.operation(registering)["result"] == {"user_id": str(user_id)}
    assert views.operation(refused)["error"]["code"] == "email_taken"
    session = views.operation(signing_in)
    assert session["result"]["token_type"] == "Bearer"
    assert session["secret"] == {"access_token": SEALED, "refresh_token": SEALED}
    assert views.operation(creating)["result"] == {"ticket_id": str(ticket_id), "version": 1}


def test_whoever_waits_is_told_after_the_commit(views: Views) -> None:
    operation_id = uuid4()
    views.ask(RegisterUser(email="a@b.example", password=SEALED), operation_id)
    with psycopg.connect(views.db.info.dsn, password=views.db.info.password, autocommit=True) as db:
        db.execute("LISTEN operation_finished")
        event = envelope(UserRegistered(user_id=uuid4(), email="a@b.example"), operation_id)
        views.hear(event)
        views.hear(event)
        heard = [each.payload for each in db.notifies(timeout=30, stop_after=1)]
        assert heard == [str(operation_id)]
        assert views.operation(operation_id)["status"] == "succeeded"
        assert list(db.notifies(timeout=0)) == []


def test_unanswered_commands_are_sent_again(views: Views) -> None:
    """After 5, 20, 60 and 180 s, and not when something has happened."""
    fresh, due, answered, twice, given_up = (uuid4() for _ in range(5))
    command = RegisterUser(email="a@b.example", password=SEALED)
    views.ask(command, fresh, age_sec=-10)
    asked = views.ask(command, due, age_sec=6)
    views.ask(command, answered, age_sec=6)
    views.ask(command, twice, age_sec=10)
    views.ask(command, given_up, age_sec=10_000)
    views.db.execute("UPDATE operations SET republished = 1 WHERE id = %s", (twice,))
    views.db.execute("UPDATE operations SET republished = 4 WHERE id = %s", (given_up,))
    views.hear(envelope(ticket(TicketChanged, uuid4(), 1), answered))
    for _ in range(2):
        views.hear(envelope(ClockTicked(clock="c", at=NOW)))
    counts = [
        views.operation(each)["republished"] for each in (fresh, due, answered, twice, given_up)
    ]
    assert counts == [0, 1, 0, 1, 4]
    assert views.operation(given_up)["error"]["code"] == "internal"
    assert views.operation(due)["status"] == "pending"
    sent = views.db.execute("SELECT id, payload FROM outbox WHERE id = %s", (asked.id,)).fetchall()
    assert len(sent) == 1
    assert sent[0]["payload"]["operationid"] == str(due)
    views.db.execute(
        "UPDATE operations SET status = 'failed', finished_at = now() WHERE id = ANY(%s)",
        ([fresh, due, answered, twice, given_up],),
    )


def test_a_command_is_sent_again_as_often_as_it_takes(views: Views) -> None:
    operation_id = uuid4()
    asked = views.ask(
        RegisterUser(email="a@b.example", password=SEALED), operation_id, age_sec=1000
    )
    for count in (1, 2, 3, 4, 4):
        views.said.clear()
        views.hear(envelope(ClockTicked(clock="c", at=NOW)))
        assert views.operation(operation_id)["republished"] == count
    views.db.execute(
        "UPDATE operations SET status = 'failed', finished_at = now() WHERE id = %s",
        (operation_id,),
    )
    assert asked.id not in {each.id for each in views.said}


def test_two_halves_at_the_same_time_miss_nothing(views: Views) -> None:
    """Without any common key, the lock on the operation is enough."""
    alone = Service[Connection]("view", views.runner._service.store)
    alone.handles(OrderCreated, key=lambda _: uuid4())(project)
    alone.handles(PaymentRequested, key=lambda _: uuid4())(project)
    runner = Runner(alone, lambda _: None)
    for _ in range(25):
        sale = Sale()
        views.ask(PlaceOrder(ticket_id=sale.ticket_id, quantity=2), sale.operation_id)
        halves = [
            envelope(sale.order(OrderCreated, 2, "AWAITING_PAYMENT"), sale.operation_id),
            envelope(sale.payment(PaymentRequested, 1), sale.operation_id),
        ]
        together = threading.Barrier(2)

        def half(body: bytes, together: threading.Barrier = together) -> None:
            together.wait()
            runner.run([Incoming(body)])

        threads = [threading.Thread(target=half, args=(encode(each),)) for each in halves]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert views.operation(sale.operation_id)["status"] == "succeeded"


def test_batches_of_rivals_end_every_operation(views: Views) -> None:
    """Two processes, each with a half of every order, in opposite orders."""
    sales = [Sale() for _ in range(32)]
    shared = uuid4()
    for sale in sales:
        views.ask(PlaceOrder(ticket_id=sale.ticket_id, quantity=2), sale.operation_id)
    created = [
        envelope(sale.order(OrderCreated, 2, "AWAITING_PAYMENT"), sale.operation_id)
        for sale in sales
    ]
    requested = [envelope(sale.payment(PaymentRequested, 1)) for sale in reversed(sales)]
    batches = [
        [*created, envelope(ticket(TicketChanged, shared, 1))],
        [envelope(ticket(TicketChanged, shared, 2)), *requested],
    ]
    threads = [threading.Thread(target=views.hear, args=batch) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {views.operation(sale.operation_id)["status"] for sale in sales} == {"succeeded"}


def test_a_restated_order_heals_its_operation(views: Views) -> None:
    sale = Sale()
    views.ask(PlaceOrder(ticket_id=sale.ticket_id, quantity=2), sale.operation_id)
    views.hear(
        envelope(sale.order(OrderRestated, 2, "AWAITING_PAYMENT")),
        envelope(sale.payment(PaymentRestated, 1)),
    )
    assert views.operation(sale.operation_id)["status"] == "succeeded"


def test_an_event_that_cannot_be_stored_holds_nobody_up(views: Views) -> None:
    """Its batch is undone, and done again without it: nothing is lost, nothing is half there."""
    sale, ticket_id = Sale(), uuid4()
    views.ask(PlaceOrder(ticket_id=sale.ticket_id, quantity=2), sale.operation_id)
    batch = [
        envelope(sale.order(OrderCreated, 2, "AWAITING_PAYMENT"), sale.operation_id),
        envelope(ticket(TicketChanged, ticket_id, 1, quota=2**40), sale.operation_id),
        envelope(sale.payment(PaymentRequested, 1), sale.operation_id),
    ]
    verdicts = views.runner.run([Incoming(encode(each)) for each in batch])
    assert [type(each) for each in verdicts] == [Done, Later, Done]
    assert views.operation(sale.operation_id)["status"] == "succeeded"
    steps = views.rows("operation_steps", operation_id=sale.operation_id)
    assert {row["message_id"] for row in steps} == {batch[0].id, batch[2].id}
    assert views.rows("tickets", ticket_id=ticket_id) == []


def test_a_step_that_comes_late_is_still_told(views: Views) -> None:
    operation_id, ticket_id = uuid4(), uuid4()
    created = ticket(TicketCreated, ticket_id, 1)
    views.ask(CreateTicket.of(created, status="on_sale"), operation_id)
    views.hear(envelope(created, operation_id))
    ended = views.operation(operation_id)
    views.hear(envelope(ticket(TicketChanged, ticket_id, 2), operation_id))
    assert views.operation(operation_id) == ended
    assert len(views.rows("operation_steps", operation_id=operation_id)) == 2
