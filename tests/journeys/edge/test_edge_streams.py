"""Streams: an operation step by step, and all that a user is told, without a gap."""

import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import DictRow

from schemas.venue import PlanActivated, PlanCreated
from tests.journeys.edge.parts import EdgeProcess, Signer, check_problem, key, order, wait_for
from tests.journeys.edge.rows import add_order, add_step, finish, ring
from tests.journeys.edge.seats import show
from tests.journeys.listening import listening
from tests.unit.view.halls import Hall
from workers.view import store
from workers.view.store import Notification

pytestmark = pytest.mark.stack
Views = psycopg.Connection[DictRow]
NOTIFICATIONS = "/v1/notifications"


def tell_of_order(views: Views, user: uuid.UUID) -> str:
    """Tell a user of an order, as the view service does; return the order's id."""
    row = add_order(views, user_id=user)
    tell(views, Notification(user, "order", row["order_id"]))
    return str(row["order_id"])


def tell(views: psycopg.Connection[Any], *told: Notification) -> None:
    with views.transaction():
        store.notify(views, told)
        store.ring(views, {each.user_id for each in told})


# One operation


def test_an_operation_is_told_step_by_step_to_its_end(buyer: httpx.Client, views: Views) -> None:
    placed = buyer.post("/v1/orders", json=order(), headers=key()).json()
    add_step(views, placed["id"])
    with listening(buyer, f"/v1/operations/{placed['id']}") as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["cache-control"] == "no-store"
        assert stream.next().name == "step"
        add_step(views, placed["id"])
        ring(views, placed["id"])
        assert stream.next().data["type"] == "tickets.reservation.held"
        finish(views, placed["id"], result={"order_id": "1"})
        ring(views, placed["id"])
        end = stream.next()
        assert end.name == "end"
        assert end.data == buyer.get(f"/v1/operations/{placed['id']}").json()
        assert stream.ended()


def test_one_that_has_ended_is_told_whole(buyer: httpx.Client, views: Views) -> None:
    placed = buyer.post("/v1/orders", json=order(), headers=key()).json()
    add_step(views, placed["id"])
    finish(views, placed["id"], result={"order_id": "1"})
    with listening(buyer, f"/v1/operations/{placed['id']}") as stream:
        assert [stream.next().name for _ in range(2)] == ["step", "end"]
        assert stream.ended()


def test_streams_are_for_whom_they_are(
    buyer: httpx.Client, client: httpx.Client, signer: Signer
) -> None:
    placed = buyer.post("/v1/orders", json=order(), headers=key()).json()
    path = f"/v1/operations/{placed['id']}"
    stream = {"Accept": "text/event-stream"}
    other = stream | {"Authorization": f"Bearer {signer.token(uuid.uuid4())}"}
    check_problem(client.get(path, headers=stream), 404, "not_found")
    check_problem(client.get(path, headers=other), 404, "not_found")
    check_problem(client.get(NOTIFICATIONS, headers=stream), 401, "unauthenticated")


def test_a_stream_ends_with_the_token_that_opened_it(
    edge: EdgeProcess, signer: Signer, user: uuid.UUID, views: Views
) -> None:
    """Who comes back with a fresh one has missed nothing."""
    draft, on_sale = Hall(), Hall()
    draft.organizer_id = user
    show(views, draft.plan(PlanCreated), on_sale.plan(PlanCreated))
    show(views, on_sale.plan(PlanActivated, revision=2, status="active"))
    maps = [f"/v1/seating-plans/{each.plan_id}/availability" for each in (draft, on_sale)]
    with client_of(edge, signer.token(user)) as buyer:
        placed = buyer.post("/v1/orders", json=order(), headers=key()).json()
    ends_at = int(time.time()) + 6
    with (
        client_of(edge, signer.token(user, exp=ends_at)) as brief,
        listening(brief, NOTIFICATIONS) as told,
        listening(brief, f"/v1/operations/{placed['id']}") as followed,
        listening(brief, maps[0]) as watched,
        listening(brief, maps[1]) as public,
    ):
        assert (watched.next().name, public.next().name) == ("snapshot", "snapshot")
        assert all(each.ended(20) for each in (told, followed, watched))
        assert time.time() >= ends_at
        assert public.silent, "what everybody may watch needs no token"
        check_problem(brief.get(NOTIFICATIONS), 401, "unauthenticated")
    missed = tell_of_order(views, user)
    with (
        client_of(edge, signer.token(user)) as fresh,
        listening(fresh, NOTIFICATIONS, {"Last-Event-ID": told.last_id or ""}) as told,
    ):
        assert told.next().data["id"] == missed


def client_of(edge: EdgeProcess, token: str) -> httpx.Client:
    return httpx.Client(base_url=edge.url, timeout=15, headers={"Authorization": f"Bearer {token}"})


# All that a user is told


def test_a_user_hears_of_orders_and_operations(
    buyer: httpx.Client, user: uuid.UUID, views: Views
) -> None:
    with listening(buyer, NOTIFICATIONS) as stream:
        assert stream.greeted.wait(10)
        order_id = tell_of_order(views, user)
        heard = stream.next()
        assert (heard.name, heard.last_id) == ("order", "1")
        assert heard.data == buyer.get(f"/v1/orders/{order_id}").json()
        placed = buyer.post("/v1/orders", json=order(), headers=key()).json()
        finish(views, placed["id"], result={"order_id": "1"})
        tell(views, Notification(user, "operation", uuid.UUID(placed["id"])))
        heard = stream.next()
        assert (heard.name, heard.last_id) == ("operation", "2")
        assert heard.data == buyer.get(f"/v1/operations/{placed['id']}").json()
        tell_of_order(views, uuid.uuid4())
        tell_of_order(views, user)
        assert stream.next().last_id == "3", "somebody else's came in between"


def test_who_comes_back_goes_on_where_they_were(
    buyer: httpx.Client, user: uuid.UUID, views: Views
) -> None:
    first = tell_of_order(views, user)
    with listening(buyer, NOTIFICATIONS) as stream:
        assert stream.greeted.wait(10)
        wait_for(lambda: stream.last_id == "1")
        assert stream.silent, "a first connection begins with what happens from now on"
    missed = [tell_of_order(views, user) for _ in range(120)]
    with listening(buyer, NOTIFICATIONS, {"Last-Event-ID": "1"}) as stream:
        heard = [stream.next() for _ in missed]
        assert [each.data["id"] for each in heard] == missed
        assert [each.last_id for each in heard] == [str(each) for each in range(2, 122)]
        assert first not in missed


def test_who_was_away_too_long_is_told_so(
    buyer: httpx.Client, user: uuid.UUID, views: Views
) -> None:
    for _ in range(3):
        last = tell_of_order(views, user)
    views.execute("DELETE FROM notifications WHERE user_id = %s AND number < 3", (user,))
    with listening(buyer, NOTIFICATIONS, {"Last-Event-ID": "1"}) as stream:
        assert stream.next().name == "missed"
        assert stream.next().data["id"] == last
    with listening(buyer, NOTIFICATIONS, {"Last-Event-ID": "2"}) as stream:
        assert stream.next().name == "order"
    with listening(buyer, NOTIFICATIONS, {"Last-Event-ID": "99"}) as stream:
        assert stream.next() == ("missed", {}, "3")


def test_a_place_that_is_none_is_refused(buyer: httpx.Client) -> None:
    for wrong in ("x", "-1", "1.5", "9" * 19, "9" * 100):
        answer = buyer.get(NOTIFICATIONS, headers={"Last-Event-ID": wrong})
        check_problem(answer, 400, "malformed")


def test_what_was_rung_while_nobody_listened_is_heard(
    buyer: httpx.Client, user: uuid.UUID, views: Views, known: Mapping[str, str]
) -> None:
    stop = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE query LIKE 'LISTEN%' AND usename = 'edge'"""
    with (
        listening(buyer, NOTIFICATIONS) as stream,
        psycopg.connect(known["FOYER_ADMIN_DATABASE_URL"], autocommit=True) as admin,
    ):
        wait_for(lambda: stream.last_id == "0")
        # Without a word: whoever was not listening did not hear it anyway.
        store.notify(
            views, [Notification(user, "order", add_order(views, user_id=user)["order_id"])]
        )
        admin.execute(stop)
        assert stream.next().name == "order"


def test_streams_do_not_keep_a_process_from_stopping(
    known: Mapping[str, str], signer: Signer, tmp_path: Path, user: uuid.UUID
) -> None:
    edge = EdgeProcess(known, tmp_path / "edge.log")
    wait_for(lambda: edge.status("/readyz") == 200)
    token = {"Authorization": f"Bearer {signer.token(user)}"}
    with (
        httpx.Client(base_url=edge.url, headers=token, timeout=15) as client,
        listening(client, NOTIFICATIONS) as stream,
    ):
        assert stream.greeted.wait(10)
        began = time.monotonic()
        assert edge.stop() == 0
        assert time.monotonic() - began < 10
        assert stream.ended()
    assert '"level":"error"' not in edge.log.read_text()
