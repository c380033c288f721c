"""Every route, walked with somebody else's token: nothing of one user reaches another."""

from collections.abc import Callable, Iterator
from copy import copy
from uuid import uuid4

import httpx
import pytest

from http_edge.call import Access, Call
from http_edge.calls import CALLS
from ops.local.stack import Stack
from tests.journeys.listening import Event, listening
from tests.journeys.seating import House, code_of, done
from tests.journeys.shop import Json, Person, until

pytestmark = pytest.mark.journey


STALLS = {"name": "Stalls", "type": "seated", "row_count": 2, "column_count": 2}


class Owned:
    """What one user has, and its ids: drafts, what is on sale, a venue, an order, an operation."""

    def __init__(self, owner: Person) -> None:
        """Make it all."""
        venue = {"name": "House", "capacity": 100, "timezone": "Europe/Vienna", "address": "A 1"}
        self.venue_id = done(owner, "POST", "/v1/venues", venue)["venue_id"]
        path = f"/v1/venues/{self.venue_id}/sections"
        self.section_id = done(owner, "POST", path, STALLS)["section_id"]
        self.ticket_id = owner.offer(ticket_type="SEATED_MANUAL", status="draft")
        plan = {
            "venue_id": self.venue_id,
            "ticket_id": self.ticket_id,
            "name": "Plan",
            "assignment_mode": "manual",
            "pricing_mode": "single",
            "sections": [STALLS],
        }
        self.plan_id = done(owner, "POST", "/v1/seating-plans", plan)["plan_id"]
        seen = owner.read(f"/v1/seating-plans/{self.plan_id}")
        self.seat_id = seen["sections"][0]["rows"][0]["seats"][0]["id"]
        self.order_id = owner.buy(owner.offer())["order_id"]
        self.operation_id = owner.write("POST", f"/v1/orders/{self.order_id}/cancellation")["id"]
        self.order_id = owner.buy(owner.offer())["order_id"]

    def on_sale(self, house: House) -> "Owned":
        """Return the same, but for a ticket and a plan that everybody sees."""
        other = copy(self)
        other.ticket_id, other.plan_id = house.ticket_id, house.plan_id
        other.seat_id = house.seats[0]
        return other

    def path(self, call: Call) -> str:
        """Fill in the ids."""
        return call.path.format(**vars(self))

    def body(self, call: Call) -> Json | None:
        """Return a body that the owner could send, ids included."""
        bodies: dict[str, Json] = {
            "/v1/tickets/{ticket_id}": {"version": 1, "title": "Mine now"},
            "/v1/orders": {"ticket_id": self.ticket_id, "quantity": 1},
            "/v1/venues/{venue_id}": {"name": "Mine now"},
            "/v1/venues/{venue_id}/sections": {"name": "Mine", "type": "ga"},
            "/v1/venues/{venue_id}/sections/{section_id}": {"name": "Mine now"},
            "/v1/seating-plans": {
                "venue_id": self.venue_id,
                "ticket_id": self.ticket_id,
                "name": "Mine now",
                "assignment_mode": "manual",
                "pricing_mode": "single",
                "sections": [STALLS],
            },
            "/v1/seating-plans/{plan_id}": {"version": 1, "name": "Mine now"},
            "/v1/seating-plans/{plan_id}/blocks": {"seat_ids": [self.seat_id]},
            "/v1/seating-plans/{plan_id}/holds": {"seat_ids": [self.seat_id]},
        }
        if call.method == "DELETE" and call.path.endswith("{section_id}"):
            return None
        return bodies.get(call.path)


def name_of(call: Call) -> str:
    return f"{call.method} {call.path}"


def _about_others(call: Call) -> bool:
    """Whether a call can name what is somebody else's."""
    return "{" in call.path or call.path in {"/v1/orders", "/v1/seating-plans"}


FOR_EVERYBODY = {
    "POST /v1/orders",
    *(f"{each} /v1/seating-plans/{{plan_id}}/holds" for each in ("POST", "DELETE")),
}
"""What is offered may be asked for by anybody: these have tests of their own below."""
READS = [each for each in CALLS if each.command is None and "{" in each.path]
WRITES = [
    each
    for each in CALLS
    if each.command is not None and _about_others(each) and name_of(each) not in FOR_EVERYBODY
]
LISTS = [each for each in CALLS if each.query is not None and "{" not in each.path]


@pytest.fixture(scope="module")
def owner(arrive: Callable[[], Person]) -> Person:
    return arrive()


@pytest.fixture(scope="module")
def stranger(arrive: Callable[[], Person]) -> Person:
    return arrive()


@pytest.fixture(scope="module")
def owned(owner: Person) -> Owned:
    return Owned(owner)


@pytest.fixture(scope="module")
def house(owner: Person) -> House:
    return House(owner)


@pytest.fixture(scope="module")
def overheard(stranger: Person) -> Iterator[list[Event]]:
    """All that the stranger hears while this module runs."""
    with listening(stranger.http, "/v1/notifications") as stream:
        assert stream.greeted.wait(10)
        yield stream.heard


@pytest.mark.parametrize("call", READS, ids=name_of)
def test_a_strangers_read_finds_nothing(call: Call, stranger: Person, owned: Owned) -> None:
    for accept in ("application/json", "text/event-stream"):
        answer = stranger.http.get(owned.path(call), headers={"Accept": accept})
        assert answer.status_code == httpx.codes.NOT_FOUND, answer.text
        assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("call", WRITES, ids=name_of)
def test_a_strangers_write_ends_as_failed(
    call: Call, stranger: Person, owned: Owned, overheard: list[Event]
) -> None:
    ended = stranger.write(call.method, owned.path(call), owned.body(call))
    assert ended["status"] == "failed", ended
    assert ended["error"]["status"] in {403, 404}, ended
    assert overheard is not None


@pytest.mark.parametrize("call", WRITES, ids=name_of)
def test_nor_does_one_on_what_is_on_sale_succeed(
    call: Call, stranger: Person, owned: Owned, house: House
) -> None:
    seen = owned.on_sale(house)
    ended = stranger.write(call.method, seen.path(call), seen.body(call))
    assert ended["status"] == "failed", ended
    assert ended["error"]["status"] in {403, 404}, ended


def test_the_orders_of_what_is_on_sale_are_its_organizers(
    owner: Person, stranger: Person, house: House
) -> None:
    """Everybody sees the ticket, so that they are refused and not denied."""
    path = f"/v1/tickets/{house.ticket_id}/orders"
    order_id = house.buy(owner, seat_ids=house.seats[1:2])["order_id"]
    until(lambda: owner.http.get(path).text, lambda told: order_id in told, 10)
    answer = stranger.http.get(path)
    assert answer.status_code == httpx.codes.FORBIDDEN
    assert order_id not in answer.text


def test_a_draft_is_not_sold_to_a_stranger(
    arrive: Callable[[], Person], owner: Person, owned: Owned
) -> None:
    passer_by = arrive()  # Whose list of orders names the drafts that were asked for.
    seats = {"seat_ids": [owned.seat_id]}
    for body in (
        {"ticket_id": owned.ticket_id, **seats},
        {"ticket_id": owner.offer(status="draft"), "quantity": 1},
    ):
        ended = passer_by.write("POST", "/v1/orders", body)
        assert code_of(ended) in {"not_found", "not_on_sale"}
    ended = passer_by.write("POST", f"/v1/seating-plans/{owned.plan_id}/holds", seats)
    assert code_of(ended) in {"not_found", "not_on_sale"}


def test_a_strangers_hand_frees_and_takes_nothing_that_is_held(
    owner: Person, stranger: Person, house: House
) -> None:
    seat = house.seats[-1]
    assert house.hold(owner, seat)["status"] == "succeeded"
    house.show(seat, "H")
    for body in ({"seat_ids": [seat]}, None):
        stranger.write("DELETE", f"{house.path}/holds", body)
        assert code_of(house.hold(stranger, seat)) == "seats_unavailable"
        ordered = house.order(stranger, seat_ids=[seat])
        assert code_of(ordered) == "seats_unavailable"
    house.show(seat, "H")
    assert house.buy(owner, seat_ids=[seat])["status"] == "AWAITING_PAYMENT"


@pytest.mark.parametrize("call", [e for e in CALLS if e.access is Access.USER], ids=name_of)
def test_nobody_gets_in_without_a_token(call: Call, system: Stack, owned: Owned) -> None:
    address = f"http://127.0.0.1:{system.layout.port('edge')}{owned.path(call)}"
    answer = httpx.request(call.method, address, json=owned.body(call), timeout=15)
    assert answer.status_code == httpx.codes.UNAUTHORIZED
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("call", LISTS, ids=name_of)
def test_a_strangers_lists_are_their_own(call: Call, stranger: Person, owned: Owned) -> None:
    told = stranger.http.get(call.path, params={"limit": 100}).text
    assert not [each for each in vars(owned).values() if each in told]


def test_the_owner_still_has_it_all_as_it_was(owner: Person, owned: Owned, house: House) -> None:
    assert owner.read(f"/v1/tickets/{owned.ticket_id}")["title"] == "A concert"
    venue = owner.read(f"/v1/venues/{owned.venue_id}")
    assert (venue["name"], [each["name"] for each in venue["sections"]]) == ("House", ["Stalls"])
    assert owner.read(f"/v1/seating-plans/{owned.plan_id}")["name"] == "Plan"
    for path, name in ((house.path, "Evening"), (f"/v1/tickets/{house.ticket_id}", "A concert")):
        shown = owner.read(path)
        assert shown.get("name", shown.get("title")) == name
        assert shown["status"] in {"active", "on_sale"}
    assert owner.read(f"/v1/orders/{owned.order_id}")["status"] in {"AWAITING_PAYMENT", "EXPIRED"}


def test_a_stranger_hears_of_their_own_alone(
    owner: Person, stranger: Person, owned: Owned, overheard: list[Event]
) -> None:
    """Both act at the same time; each stream tells of its own user's."""
    with listening(owner.http, "/v1/notifications") as stream:
        assert stream.greeted.wait(10)
        cancelled = owner.cancel(owned.order_id)
        mine = stranger.cancel(str(uuid4()))
        until_end(stream.next, cancelled["id"])
    until(lambda: {each.data["id"] for each in overheard}, lambda ids: mine["id"] in ids, 10)
    told = [each.data for each in overheard]
    for each in told:
        assert owned.order_id != each["id"]
        assert stranger.http.get(path_of(each)).status_code == httpx.codes.OK


def path_of(told: Json) -> str:
    return f"/v1/{'operations' if 'submitted_at' in told else 'orders'}/{told['id']}"


def until_end(following: Callable[[], Event], operation_id: str) -> None:
    while following().data["id"] != operation_id:
        pass


def test_the_walk_goes_everywhere(owned: Owned) -> None:
    """A new write that takes a body must say here what a stranger would send."""
    for call in WRITES:
        needs = call.body is not None and any(each.required for each in call.body.fields.values())
        assert owned.body(call) or not needs, name_of(call)
    walked = {name_of(each) for each in (*READS, *WRITES)} | FOR_EVERYBODY
    assert {name_of(each) for each in CALLS if "{" in each.path} <= walked
