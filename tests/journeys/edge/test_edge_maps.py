"""Reading plans and seats: kept bytes, letters, and changes as they happen."""

import asyncio
import random
import statistics
import time
import uuid
from contextlib import AsyncExitStack

import httpx
import pytest

from schemas.venue import PlanActivated, PlanCreated, PlanDeactivated, PlanEdited
from tests.journeys.edge.parts import EdgeProcess, check_problem
from tests.journeys.edge.rows import add_ticket
from tests.journeys.edge.seats import Views, show, watching
from tests.unit.view.halls import Hall
from tests.unit.view.samples import Sale
from workers.view import map_store
from workers.view.maps import Changed

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("ignore:EdDSA is deprecated")]
WATCHERS = 500


@pytest.fixture
def hall(views: Views) -> Hall:
    """A plan that is on sale."""
    hall = Hall()
    show(views, hall.plan(PlanCreated))
    show(views, hall.plan(PlanActivated, revision=2, status="active"))
    return hall


def plan_of(hall: Hall) -> str:
    return f"/v1/seating-plans/{hall.plan_id}"


def map_of(client: httpx.Client, hall: Hall) -> str:
    answer = client.get(f"{plan_of(hall)}/availability")
    assert answer.status_code == 200, answer.text
    letters: str = answer.json()["sections"][str(hall.stalls)]
    return letters


# Plans


def test_a_plan_is_shown_with_its_seats(client: httpx.Client, hall: Hall) -> None:
    answer = client.get(plan_of(hall))
    plan = answer.json()
    assert (plan["id"], plan["status"], plan["version"]) == (str(hall.plan_id), "active", 1)
    stalls, floor = plan["sections"]
    assert stalls["rows"][1]["seats"][0] == {
        "id": str(hall.rows[1][0]),
        "label": "R2S1",
        "column": 1,
        "price": "10.00",
        "attributes": {},
    }
    assert (floor["type"], floor["capacity"], floor["price"]) == ("ga", 10, "8.00")
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["", "/availability"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_who_has_it_already_is_told_so(
    client: httpx.Client, hall: Hall, path: str, coding: str
) -> None:
    there, coded = plan_of(hall) + path, {"Accept-Encoding": coding}
    first = client.get(there, headers=coded)
    tag = first.headers["etag"]
    assert first.headers.get("content-encoding", "identity") == coding
    assert tag.startswith(f'"{hall.plan_id}')
    assert "Accept-Encoding" in first.headers["vary"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(there, headers={**coded, "If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    assert client.get(there, headers={**coded, "If-None-Match": '"x"'}).content == first.content


def test_the_two_forms_have_tags_of_their_own(client: httpx.Client, hall: Hall) -> None:
    plain, packed = (
        client.get(plan_of(hall), headers={"Accept-Encoding": each})
        for each in ("gzip;q=0", "br, gzip")
    )
    assert plain.headers["etag"] != packed.headers["etag"]
    assert plain.content == packed.content


def test_another_version_is_another_answer(client: httpx.Client, views: Views, hall: Hall) -> None:
    first = client.get(plan_of(hall))
    hall.rows.append([uuid.uuid4()])
    show(views, hall.plan(PlanEdited, 2, revision=3, status="active", name="Matinee"))
    second = client.get(plan_of(hall), headers={"If-None-Match": first.headers["etag"]})
    assert second.status_code == 200
    assert (second.json()["name"], second.json()["version"]) == ("Matinee", 2)
    assert len(second.json()["sections"][0]["rows"]) == 3
    show(views, hall.plan(PlanDeactivated, 2, revision=4, status="inactive", name="Matinee"))
    third = client.get(plan_of(hall), headers={"If-None-Match": second.headers["etag"]})
    assert third.json()["status"] == "inactive"


def test_a_map_says_of_which_version_of_the_plan_it_is(
    client: httpx.Client, views: Views, hall: Hall
) -> None:
    map_of_it = f"{plan_of(hall)}/availability"
    assert client.get(map_of_it).json()["version"] == client.get(plan_of(hall)).json()["version"]
    hall.rows.append([uuid.uuid4()])
    show(views, hall.plan(PlanEdited, 2, revision=3, status="active"))
    edited = client.get(map_of_it).json()
    assert edited["version"] == client.get(plan_of(hall)).json()["version"] == 2
    show_changes(views, hall, [hall.rows[0][0]], "H", 2)
    changed = client.get(map_of_it).json()
    assert (changed["version"], changed["revision"]) == (2, edited["revision"] + 1)


@pytest.mark.parametrize("path", ["", "/availability"])
def test_a_draft_is_its_organizers_own(
    buyer: httpx.Client, client: httpx.Client, user: uuid.UUID, views: Views, path: str
) -> None:
    hall = Hall()
    hall.organizer_id = user
    show(views, hall.plan(PlanCreated))
    mine = buyer.get(plan_of(hall) + path)
    assert mine.status_code == 200
    assert mine.headers["cache-control"] == "private, no-cache"
    check_problem(client.get(plan_of(hall) + path), 404, "not_found")
    expired = {"Authorization": "Bearer x"}
    check_problem(client.get(plan_of(hall) + path, headers=expired), 401, "unauthenticated")
    check_problem(client.get(f"/v1/seating-plans/{uuid.uuid4()}{path}"), 404, "not_found")


# Availability


def test_a_change_is_seen_by_whoever_asks_after_it(
    client: httpx.Client, views: Views, hall: Hall
) -> None:
    assert map_of(client, hall) == "AAAAAA"
    for revision in range(1, 40):
        show(views, hall.held(hall.seats[:2], revision * 2))
        assert map_of(client, hall) == "HHAAAA"
        show(views, hall.freed(hall.seats[:2], revision * 2 + 1))
        assert map_of(client, hall) == "AAAAAA"


def test_what_is_left_without_numbers_is_told(
    client: httpx.Client, views: Views, hall: Hall
) -> None:
    show(views, hall.reserved(Sale(), hall.seats[2:3], 1, taken=4))
    body = client.get(f"{plan_of(hall)}/availability").json()
    assert body["sections"] == {str(hall.stalls): "AARAAA", str(hall.floor): {"available": 6}}
    assert body["revision"] == 2


def test_an_arena_is_small(client: httpx.Client, views: Views) -> None:
    hall = Hall(rows=200, columns=100)
    show(views, hall.plan(PlanCreated), hall.plan(PlanActivated, revision=2, status="active"))
    answer = client.get(f"{plan_of(hall)}/availability", headers={"Accept-Encoding": "identity"})
    assert len(map_of(client, hall)) == 20_000
    assert len(answer.content) < 25_000
    layout = client.get(plan_of(hall))
    assert sum(len(row["seats"]) for row in layout.json()["sections"][0]["rows"]) == 20_000


def test_a_seated_ticket_has_what_both_have_left(
    client: httpx.Client, views: Views, hall: Hall
) -> None:
    row = add_ticket(views, quota=16, reserved=0, sold=0, seating_plan_id=hall.plan_id)
    path = f"/v1/tickets/{row['ticket_id']}"
    show(views, hall.held(hall.seats[:4], 1))
    shown = client.get(path).json()
    assert (shown["available"], shown["seating_plan_id"]) == (12, str(hall.plan_id))
    views.execute("UPDATE tickets SET sold = 10 WHERE ticket_id = %s", (row["ticket_id"],))
    assert client.get(path).json()["available"] == 6


# Changes as they happen


async def test_a_stream_begins_with_the_whole_map(
    edge: EdgeProcess, views: Views, hall: Hall
) -> None:
    async with watching(edge.port, hall.plan_id) as watcher:
        await watcher.until(lambda w: w.events == ["snapshot"])
        assert watcher.sections[str(hall.stalls)] == "AAAAAA"
        show(views, hall.reserved(Sale(), hall.seats[1:3], 1, taken=3))
        await watcher.until(lambda w: len(w.events) > 1)
        assert watcher.events == ["snapshot", "change"]
        assert watcher.sections == {str(hall.stalls): "ARRAAA", str(hall.floor): {"available": 7}}
        assert watcher.revision == 2


async def test_who_comes_back_hears_what_was_missed(
    edge: EdgeProcess, views: Views, hall: Hall
) -> None:
    async with watching(edge.port, hall.plan_id) as watcher:
        await watcher.until(lambda w: w.events)
        before = watcher.sections
    show(views, hall.held(hall.seats[:1], 1))
    show(views, hall.held(hall.seats[1:2], 1))
    async with watching(edge.port, hall.plan_id, watcher.last_id) as back:
        back.sections = before
        await back.until(lambda w: w.events)
        assert back.events == ["change"]
        assert (back.sections[str(hall.stalls)], back.revision) == ("HHAAAA", 3)
        show(views, hall.held(hall.seats[2:3], 1))
        await back.until(lambda w: len(w.events) > 1)
        assert (back.events[1], back.sections[str(hall.stalls)]) == ("change", "HHHAAA")


@pytest.mark.parametrize("last_id", ["1", "99", "0"])
async def test_who_is_too_far_behind_gets_the_whole_map(
    edge: EdgeProcess, views: Views, hall: Hall, last_id: str
) -> None:
    """Also who comes with a revision that never was: the views were made anew."""
    show(views, hall.held(hall.seats[:1], 1))
    views.execute("DELETE FROM seat_map_changes WHERE plan_id = %s", (hall.plan_id,))
    show(views, hall.held(hall.seats[1:2], 1))
    async with watching(edge.port, hall.plan_id, last_id) as watcher:
        await watcher.until(lambda w: w.events)
        assert watcher.events == ["snapshot"]
        assert watcher.sections[str(hall.stalls)] == "HHAAAA"


async def test_another_layout_is_told_as_a_whole(
    edge: EdgeProcess, views: Views, hall: Hall
) -> None:
    async with watching(edge.port, hall.plan_id) as watcher:
        await watcher.until(lambda w: w.events)
        assert watcher.version == 1
        hall.rows.append([uuid.uuid4()])
        show(views, hall.plan(PlanEdited, 2, revision=3, status="active"))
        show(views, hall.held(hall.seats[6:], 1))
        await watcher.until(lambda w: w.sections[str(hall.stalls)] == "AAAAAAH")
        assert set(watcher.events[1:]) <= {"snapshot", "change"}
        assert watcher.version == 2


def test_a_stream_is_refused_as_the_answer_is(client: httpx.Client, hall: Hall) -> None:
    stream = {"Accept": "text/event-stream"}
    gone = client.get(f"/v1/seating-plans/{uuid.uuid4()}/availability", headers=stream)
    check_problem(gone, 404, "not_found")
    wrong = stream | {"Last-Event-ID": "x"}
    check_problem(client.get(f"{plan_of(hall)}/availability", headers=wrong), 400, "malformed")


async def test_a_crowd_sees_one_map(edge: EdgeProcess, views: Views) -> None:
    """Five hundred at once, while seats change."""
    hall, luck = Hall(rows=20, columns=25), random.Random(7)  # noqa: S311  # Not a secret.
    show(views, hall.plan(PlanCreated), hall.plan(PlanActivated, revision=2, status="active"))
    took: list[float] = []
    async with AsyncExitStack() as crowd:
        watchers = [
            await crowd.enter_async_context(watching(edge.port, hall.plan_id))
            for _ in range(WATCHERS)
        ]
        await asyncio.gather(*(each.until(lambda w: w.events) for each in watchers))
        for revision in range(1, 31):
            seats = luck.sample(hall.seats, 4)
            began = time.perf_counter()
            show_changes(views, hall, seats, luck.choice("AHRS"), revision)
            now = revision_of(views, hall)
            while watchers[0].revision < now:
                await watchers[0].hear_one()
            took.append(time.perf_counter() - began)
        final = revision_of(views, hall)
        await asyncio.gather(*(each.until(lambda w: w.revision == final) for each in watchers))
    (seen,) = {each.sections[str(hall.stalls)] for each in watchers}
    assert seen == stored(views, hall)
    assert statistics.median(took) < 2, took


def show_changes(
    views: Views, hall: Hall, seats: list[uuid.UUID], letter: str, revision: int
) -> None:
    """Change seats to any letter, as one transaction of the view service does."""
    rows = [
        {"seat_id": seat, "plan_id": hall.plan_id, "status": letter, "revision": revision}
        for seat in seats
    ]
    with views.transaction():
        map_store.change(views, Changed(rows, []), [])


def revision_of(views: Views, hall: Hall) -> int:
    row = views.execute("SELECT revision FROM seat_maps WHERE plan_id = %s", (hall.plan_id,))
    found: int = row.fetchall()[0]["revision"]
    return found


def stored(views: Views, hall: Hall) -> str:
    rows = views.execute(
        "SELECT status FROM seats WHERE plan_id = %s ORDER BY index", (hall.plan_id,)
    ).fetchall()
    return "".join(row["status"] for row in rows)
