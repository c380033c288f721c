"""A ticket's rules: what may be offered, changed, held, sold and given back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.service import Refusal
from schemas.ticket import CreateTicket, EditTicket, TicketEvent
from workers.ticket.plan import Plan
from workers.ticket.ticket import Ticket

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
EVENT = TicketEvent(title="A", starts_at=NOW, ends_at=NOW + timedelta(hours=2))
OWNER = uuid4()


def _create(**other: Any) -> Ticket:  # noqa: ANN401  # The command's fields.
    told: dict[str, Any] = {
        "title": "A concert",
        "price": Decimal("12.5"),
        "currency": "EUR",
        "quota": 10,
        "max_per_user": 4,
        "ticket_type": "GA",
        "event": EVENT,
    }
    command = CreateTicket(**told | other)
    return Ticket.create(command, ticket_id=uuid4(), organizer_id=OWNER, now=NOW)


def _edit(ticket: Ticket, version: int = 1, **changes: Any) -> Ticket:  # noqa: ANN401  # Fields.
    command = EditTicket(ticket_id=ticket.ticket_id, version=version, **changes)
    return ticket.edit(command, by=OWNER, now=NOW)


def test_a_price_gets_its_currencys_decimals() -> None:
    assert str(_create().price) == "12.50"
    assert str(_create(price=Decimal(1500), currency="JPY").price) == "1500"
    assert str(_create(price=Decimal("1.5"), currency="KWD").price) == "1.500"
    assert str(_create(price=Decimal(700), currency="ISK").price) == "700"


@pytest.mark.parametrize(
    "told",
    [
        {"price": Decimal("1.234")},
        {"price": Decimal("0.5"), "currency": "JPY"},
        {"price": Decimal("14.255"), "currency": "KWD"},
        {"price": Decimal("1.2"), "currency": "MGA"},
        {"price": Decimal("-0.01")},
        {"price": Decimal(100_000_000)},
        {"price": Decimal("1E+30")},
        {"currency": "XXX"},
        {"quota": 0},
        {"quota": 1_000_001},
        {"quota": None},
        {"max_per_user": 0},
        {"event": replace(EVENT, ends_at=NOW)},
    ],
)
def test_what_does_not_fit_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="invalid_request"):
        _create(**told)


def test_a_seated_ticket_waits_for_its_plan() -> None:
    seated = _create(ticket_type="SEATED_MANUAL", quota=None)
    assert (seated.status, seated.quota) == ("draft", 0)
    with pytest.raises(Refusal, match="plan_incomplete"):
        _edit(seated, status="on_sale")


def test_an_edit_changes_what_is_given_and_counts() -> None:
    ticket = _create()
    edited = _edit(ticket, title="Changed", quota=20)
    assert (edited.title, edited.quota, edited.price) == ("Changed", 20, ticket.price)
    assert (edited.version, edited.revision) == (2, 2)


def test_an_edited_event_keeps_the_venue_that_it_does_not_name() -> None:
    placed = _create(event=replace(EVENT, venue={"name": "Hall"}))
    assert _edit(placed, event=replace(EVENT, title="Again")).event.venue == {"name": "Hall"}
    moved = _edit(placed, event=replace(EVENT, venue={"name": "Yard"}))
    assert moved.event.venue == {"name": "Yard"}


def test_an_edit_is_the_organizers() -> None:
    command = EditTicket(ticket_id=uuid4(), version=1, title="Mine now")
    for stranger in (uuid4(), None):
        with pytest.raises(Refusal, match="forbidden"):
            _create().edit(command, by=stranger, now=NOW)


def test_a_stale_edit_is_refused_but_a_sale_makes_none_stale() -> None:
    sold = _create().hold(2, held_by_user=0, now=NOW).sell(2, NOW)
    assert (sold.version, sold.revision) == (1, 3)
    edited = _edit(sold, version=1, title="Changed")
    with pytest.raises(Refusal, match="version_conflict"):
        _edit(edited, version=1, title="Too late")


@pytest.mark.parametrize(("quota", "refused"), [(2, True), (3, False)])
def test_a_quota_covers_what_is_promised(quota: int, *, refused: bool) -> None:
    ticket = _create().hold(3, held_by_user=0, now=NOW).sell(1, NOW)
    if refused:
        with pytest.raises(Refusal, match="quota_below_sold"):
            _edit(ticket, quota=quota)
    else:
        assert _edit(ticket, quota=quota).quota == quota


def test_the_currency_is_kept_once_something_is_sold() -> None:
    assert _edit(_create(price=Decimal(3)), currency="JPY").currency == "JPY"
    with pytest.raises(Refusal, match="invalid_request"):
        _edit(_create(price=Decimal(3)).hold(1, held_by_user=0, now=NOW), currency="JPY")


def test_a_ticket_without_seats_needs_a_quota() -> None:
    with pytest.raises(Refusal, match=r"invalid_request.*needs a quota"):
        _create(quota=None)


def test_what_is_over_stays_over() -> None:
    with pytest.raises(Refusal, match="not_on_sale"):
        _edit(replace(_create(), status="closed"), status="on_sale")
    with pytest.raises(Refusal, match="event_cancelled"):
        _edit(replace(_create(), status="cancelled"), status="on_sale")


@pytest.mark.parametrize("status", ["draft", "closed"])
def test_only_what_is_on_sale_is_held(status: Any) -> None:  # noqa: ANN401  # A status.
    with pytest.raises(Refusal, match="not_on_sale"):
        replace(_create(), status=status).hold(1, held_by_user=0, now=NOW)


def test_nothing_is_sold_of_an_event_that_is_over() -> None:
    ticket = _create().hold(1, held_by_user=0, now=EVENT.ends_at - timedelta(microseconds=1))
    with pytest.raises(Refusal, match=r"not_on_sale.*over"):
        ticket.hold(1, held_by_user=1, now=EVENT.ends_at)
    later = _edit(ticket, event=replace(EVENT, ends_at=EVENT.ends_at + timedelta(days=7)))
    assert later.hold(1, held_by_user=1, now=EVENT.ends_at).reserved == 2


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5)), max_size=20))
def test_no_order_of_holds_breaks_quota_or_limit(asked: list[tuple[str, int]]) -> None:
    ticket, held = _create(quota=10, max_per_user=4), dict.fromkeys("abc", 0)
    for user, quantity in asked:
        over_limit = held[user] + quantity > ticket.max_per_user
        if over_limit or quantity > ticket.quota - ticket.reserved:
            code = "limit_exceeded" if over_limit else "sold_out"
            with pytest.raises(Refusal, match=code):
                ticket.hold(quantity, held_by_user=held[user], now=NOW)
        else:
            ticket = ticket.hold(quantity, held_by_user=held[user], now=NOW)
            held[user] += quantity
    assert ticket.reserved == sum(held.values()) <= ticket.quota
    assert max(held.values()) <= ticket.max_per_user


def _of_a_plan(sellable: int, ticket_type: Any) -> Ticket:  # noqa: ANN401  # A type.
    plan = Plan(plan_id=uuid4(), sellable=sellable)
    seated = replace(_create(quota=sellable, max_per_user=99), ticket_type=ticket_type)
    return replace(seated, seating_plan_id=plan.plan_id, plans=(plan,))


def test_where_seats_are_picked_by_hand_only_what_is_sold_is_gone() -> None:
    full = _of_a_plan(2, "SEATED_MANUAL").hold(2, held_by_user=0, now=NOW)
    beyond = full.hold(1, held_by_user=0, now=NOW)
    assert (beyond.quota, beyond.reserved) == (3, 3)
    back = beyond.give_back(reserved=1, now=NOW)
    assert (back.quota, back.reserved) == (2, 2)
    with pytest.raises(Refusal, match="sold_out"):
        beyond.hold(3, held_by_user=0, now=NOW)
    with pytest.raises(Refusal, match="sold_out"):
        back.sell(2, NOW).hold(1, held_by_user=0, now=NOW)


def test_where_seats_are_given_out_what_is_reserved_is_gone() -> None:
    full = _of_a_plan(2, "SEATED_AUTO").hold(2, held_by_user=0, now=NOW)
    with pytest.raises(Refusal, match="sold_out"):
        full.hold(1, held_by_user=0, now=NOW)


@given(st.integers(1, 10), st.data())
def test_what_is_given_back_can_be_had_again(quantity: int, data: st.DataObject) -> None:
    ticket = _create(max_per_user=10).hold(quantity, held_by_user=0, now=NOW)
    sold = data.draw(st.integers(0, quantity))
    after = ticket.sell(sold, NOW).give_back(reserved=quantity - sold, sold=sold, now=NOW)
    assert (after.reserved, after.sold) == (0, 0)
    assert after.revision == ticket.revision + 2
