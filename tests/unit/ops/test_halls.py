"""The houses of the demo are as large as they say, and laid out as a house is."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from http_edge.seating_forms import NewPlan
from ops.halls import arena, theatre
from workers.venue.position import point, position, squared_distances

Plan = dict[str, Any]
HOUSES: list[Callable[[str, str], Plan]] = [theatre, arena]


def places(section: Plan) -> Iterator[tuple[int, int]]:
    """Go through a section's places that are not missing, as the API is told of them."""
    missing = {(each["row"], each["column"]) for each in section["seats"] if each.get("missing")}
    for row in range(1, section["row_count"] + 1):
        for column in range(1, section["column_count"] + 1):
            if (row, column) not in missing:
                yield row, column


def seats(plan: Plan) -> int:
    return sum(len(list(places(section))) for section in plan["sections"])


def marked(plan: Plan) -> Counter[str]:
    """Count the seats of each kind."""
    return Counter(
        kind
        for section in plan["sections"]
        for seat in section["seats"]
        for kind in seat.get("attributes", {})
    )


def test_the_theatre_has_two_thousand_seats() -> None:
    plan = theatre("venue", "ticket")
    assert seats(plan) == 2_000
    assert len({section["price_tier"] for section in plan["sections"]}) == 4
    stalls = plan["sections"][0]
    lengths = Counter(row for row, _ in places(stalls))
    assert list(lengths.values()) == list(range(24, 48, 2))
    assert sum(section["name"].startswith("Box") for section in plan["sections"]) == 10
    assert marked(plan) == {"accessible": 12, "companion": 12, "restricted_view": 8}


def test_the_arena_has_twenty_thousand_seats_in_sixty_blocks() -> None:
    plan = arena("venue", "ticket")
    assert seats(plan) == 20_000
    assert len(plan["sections"]) == 60


def test_rows_are_lettered_and_no_label_is_given_twice_in_a_section() -> None:
    plan = theatre("venue", "ticket")
    for section in plan["sections"]:
        labels = [seat["label"] for seat in section["seats"] if "label" in seat]
        assert len(labels) == len(set(labels))
    assert plan["sections"][0]["seats"][11] == {"row": 1, "column": 12, "label": "A 1"}
    assert plan["sections"][1]["seats"][-1]["label"] == "DD 50"


@pytest.mark.parametrize("house", HOUSES)
def test_sections_do_not_overlap_and_the_first_row_is_nearest(
    house: Callable[[str, str], Plan],
) -> None:
    plan = house("venue", "ticket")
    taken: dict[tuple[int, int], str] = {}
    for section in plan["sections"]:
        where = position(section["position_json"])
        assert where
        for place in where.places(list(places(section))):
            cell = round(place.x / 700), round(place.y / 700)  # Closer than two seats can be.
            assert taken.setdefault(cell, section["name"]) == section["name"]
        middle = section["column_count"] // 2
        ends = [(1, middle), (section["row_count"], middle)]
        first, last = squared_distances([(where, ends)], point(plan["focal_point"]))
        assert first < last


@pytest.mark.parametrize("house", HOUSES)
def test_the_request_is_short_enough(house: Callable[[str, str], Plan]) -> None:
    assert len(orjson.dumps(house("venue", "ticket"))) < 512 * 1024


@pytest.mark.parametrize("house", HOUSES)
def test_the_edge_takes_the_request(house: Callable[[str, str], Plan]) -> None:
    told = house("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
    assert NewPlan().validate(told) == {}
