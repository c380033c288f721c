"""A plan's prices and moves."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest

from bus.service import Refusal
from schemas.ticket import TierSpec
from schemas.venue import CreatePlan
from workers.venue.layout import PlanSection
from workers.venue.plan import MOVES, Plan
from workers.venue.tiers import TicketFacts

NOW = datetime(2030, 1, 1, tzinfo=UTC)
FACTS = TicketFacts(
    ticket_type="SEATED_MANUAL", price=Decimal("20.00"), currency="EUR", status="draft"
)
AREA = PlanSection(section_id=uuid4(), name="Floor", type="ga", capacity=5)


def plan(**other: Any) -> Plan:  # noqa: ANN401  # The command's fields.
    told: dict[str, Any] = {
        "venue_id": uuid4(),
        "ticket_id": uuid4(),
        "organizer_id": uuid4(),
        "ticket_type": "SEATED_MANUAL",
        "price": Decimal("20.00"),
        "currency": "EUR",
        "name": "Evening",
        "assignment_mode": "manual",
        "pricing_mode": "single",
        "price_tiers": [
            TierSpec(name="A", price=Decimal(30)),
            TierSpec(name="B", price=Decimal("12.5")),
        ],
    }
    numbers = count(1)
    command = CreatePlan(**told | other)
    made = Plan.create(command, FACTS, new_id=lambda: UUID(int=next(numbers)), now=NOW)
    return replace(made, sellable=5)


@pytest.mark.parametrize(
    ("mode", "section", "seat", "price"),
    [
        ("single", "A", "B", "20.00"),
        ("section", "A", "B", "30.00"),
        ("section", None, "B", None),
        ("seat", "A", "B", "12.50"),
        ("seat", "A", None, "30.00"),
        ("seat", None, None, "20.00"),
    ],
)
def test_a_price_is_the_one_of_its_mode(
    mode: str, section: str | None, seat: str | None, price: str | None
) -> None:
    found = plan(pricing_mode=mode).price(section, seat)
    assert (found and str(found)) == price


def test_a_plan_moves_as_the_table_says() -> None:
    draft = plan()
    active = draft.activate([AREA.offer], NOW)
    inactive = active.deactivate(NOW)
    assert [each.status for each in (draft, active, inactive)] == ["draft", "active", "inactive"]
    assert inactive.activate([AREA.offer], NOW).status == "active"
    assert (active.version, active.revision, inactive.revision) == (1, 2, 3)
    assert set(MOVES) == {"draft", "active", "inactive"}
    for idle in (draft, inactive):
        with pytest.raises(Refusal, match="not active"):
            idle.deactivate(NOW)
    with pytest.raises(Refusal, match="active already"):
        active.activate([AREA.offer], NOW)


def test_what_nobody_could_buy_is_not_activated() -> None:
    for wrong in (replace(plan(), sellable=0), plan(pricing_mode="section")):
        with pytest.raises(Refusal) as refused:
            wrong.activate([AREA.offer], NOW)
        assert refused.value.code == "plan_incomplete"


def test_an_edit_raises_the_version_and_keeps_tiers_by_their_names() -> None:
    before = plan()
    tiers = [{"name": "B", "price": "13.00"}, {"name": "C", "price": "1.00"}]
    after, _ = before.edit({"price_tiers": tiers}, 1, new_id=uuid4, now=NOW)
    assert (after.version, after.revision, after.name) == (2, 2, "Evening")
    assert after.tiers[0].tier_id == before.tiers[1].tier_id
    assert after.tier_names == {"B", "C"}
    for version, shape, code in (
        (2, {}, "version_conflict"),
        (1, {"price_tiers": [{"name": "A", "price": 3}]}, "invalid_request"),
        (1, {"max_seats_per_order": None}, "invalid_request"),
    ):
        with pytest.raises(Refusal) as refused:
            before.edit(shape, version, new_id=uuid4, now=NOW)
        assert refused.value.code == code
