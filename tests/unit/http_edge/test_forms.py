"""Shapes: what loads fits a message, and what does not is told where."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, fields

from bus.envelope import decode, encode, envelope_of
from http_edge import examples, forms, pointers
from http_edge.calls import CALLS
from http_edge.fields import Id, parse_id, parse_time, with_exact_price
from schemas.money import MAX_AMOUNT, decimals
from schemas.order import PlaceOrder
from schemas.ticket import CreateTicket, TicketEvent

_EVENT = {
    "title": "Night",
    "starts_at": "2027-01-01T20:00:00+01:00",
    "ends_at": "2027-01-01T23:00:00Z",
}
_AMOUNTS = st.decimals(min_value=0, max_value=MAX_AMOUNT, allow_nan=False, places=4)
_NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1)
"""What the reading of the body lets through."""
_TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=200).filter(
    str.strip
)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2027-01-01T20:00:00Z", datetime(2027, 1, 1, 20, tzinfo=UTC)),
        ("2027-01-01t20:00:00z", datetime(2027, 1, 1, 20, tzinfo=UTC)),
        ("2027-01-01T20:00:00.123456789+02:00", datetime(2027, 1, 1, 18, 0, 0, 123456, UTC)),
        ("2027-01-01T20:00:00-00:00", datetime(2027, 1, 1, 20, tzinfo=UTC)),
        ("2027-01-01 20:00:00Z", None),
        ("2027-01-01T20:00Z", None),
        ("2027-01-01T20:00:00", None),
        ("2027-02-30T20:00:00Z", None),
        ("2027-01-01T20:00:60Z", None),
        ("20270101T200000Z", None),
        ("2027-W01-1T20:00:00Z", None),
        ("٢٠٢٧-01-01T20:00:00Z", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("2027-01-01T20:00:00Z\n", None),
    ],
)
def test_times_are_rfc_3339(text: str, time: datetime | None) -> None:
    assert parse_time(text) == time


def test_ids_are_uuids_in_their_canonical_form() -> None:
    id_ = uuid4()
    assert parse_id(str(id_)) == parse_id(str(id_).upper()) == id_
    for text in (id_.hex, f"{{{id_}}}", id_.urn, f"{id_}\n", "", "0" * 36):
        assert parse_id(text) is None


@given(_AMOUNTS, st.sampled_from(["EUR", "JPY", "KWD"]))
def test_a_price_is_scaled_or_refused_but_never_rounded(amount: Decimal, currency: str) -> None:
    try:
        scaled = with_exact_price({"price": amount, "currency": currency})["price"]
    except ValidationError:
        finest = min(decimals(currency), 2)  # Of three decimals, cards take two.
        assert amount % Decimal(1).scaleb(-finest) or -int(amount.as_tuple().exponent) > finest
    else:
        assert scaled == amount
        assert -scaled.as_tuple().exponent == decimals(currency)


@given(
    title=_TEXTS,
    event=_TEXTS,
    quantity=st.integers(1, 1_000_000),
    venue=st.none() | st.dictionaries(_TEXTS, _NUMBERS | _TEXTS, max_size=5),
)
def test_a_ticket_that_loads_fits_its_message(
    title: str, event: str, quantity: int, venue: dict[str, Any] | None
) -> None:
    body = {
        "title": title,
        "price": "12.5",
        "currency": "EUR",
        "quota": quantity,
        "max_per_user": quantity,
        "ticket_type": "GA",
        "event": _EVENT | {"title": event, "venue": venue},
    }
    try:
        form = forms.NewTicket().load(body)
    except ValidationError as error:
        if set(error.messages_dict) != {"event"}:
            raise
        return
    command = CreateTicket(**{**form, "event": TicketEvent(**form["event"])})
    envelope = envelope_of(command, source="/edge", operation_id=uuid4(), user_id=uuid4())
    assert decode(encode(envelope)).data == command


@pytest.mark.parametrize(
    "choice",
    [
        {"quantity": 1000},
        {"seat_ids": [str(uuid4()) for _ in range(forms.MOST_SEATS)]},
        {"section_id": str(uuid4()), "quantity": 1},
    ],
)
def test_an_order_that_loads_fits_its_message(choice: dict[str, Any]) -> None:
    body = {"ticket_id": str(uuid4()), "method": "APPLE_PAY"} | choice
    command = PlaceOrder(**forms.NewOrder().load(body))
    envelope = envelope_of(command, source="/edge", operation_id=uuid4(), user_id=uuid4())
    assert decode(encode(envelope)).data == command


def test_more_seats_than_an_order_may_have_are_refused() -> None:
    seats = [str(uuid4()) for _ in range(forms.MOST_SEATS + 1)]
    with pytest.raises(ValidationError) as refused:
        forms.NewOrder().load({"ticket_id": str(uuid4()), "seat_ids": seats})
    assert set(refused.value.messages_dict) == {"seat_ids"}


def test_a_seated_ticket_needs_no_quota() -> None:
    body = {
        "title": "Gig",
        "price": "0",
        "currency": "JPY",
        "max_per_user": 4,
        "ticket_type": "SEATED_AUTO",
        "event": _EVENT,
    }
    assert "quota" not in forms.NewTicket().load(body)


def test_an_unescaped_plus_in_a_query_is_understood() -> None:
    told = forms.TicketPage().load({"from": "2027-01-01T20:00:00 02:00"})
    assert told["starts_from"] == datetime(2027, 1, 1, 18, tzinfo=UTC)


Lists = tuple[str, ...]
_MANY = 30_000


def lists_in(form: Schema) -> Iterator[Lists]:
    """Find the lists of a form, and those in their items."""
    for name, field in form.fields.items():
        if isinstance(field, fields.List):
            yield (name,)
            if isinstance(field.inner, fields.Nested):
                yield from ((name, *below) for below in lists_in(field.inner.schema))


WITH_LISTS = [
    pytest.param(call.body, lists, id=f"{call.method} {call.path} {'/'.join(lists)}")
    for call in CALLS
    if call.body is not None
    for lists in lists_in(call.body)
]


@pytest.mark.parametrize(("form", "lists"), WITH_LISTS)
@pytest.mark.parametrize("item", [1, {}], ids=str)
def test_a_long_list_costs_little(
    form: Schema, lists: Lists, item: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many items a body has room for, those that are looked at are few."""
    looked_at = 0
    read_id, read_nested = Id._deserialize, fields.Nested._deserialize

    def counted(read: Callable[..., Any]) -> Callable[..., Any]:
        def deserialize(*value: object, **how: object) -> object:
            nonlocal looked_at
            looked_at += 1
            return read(*value, **how)

        return deserialize

    monkeypatch.setattr(Id, "_deserialize", counted(read_id))
    monkeypatch.setattr(fields.Nested, "_deserialize", counted(read_nested))
    *outer, inmost = lists
    for many, times in ((_MANY, 1), (100, _MANY // 100)):
        body = {inmost: [item] * many}
        for name in reversed(outer):
            body = {name: [body] * times}
        with pytest.raises(ValidationError):
            form.load(body)
    assert looked_at <= 2 * pointers.MOST**2


@pytest.mark.parametrize(("form", "body"), examples.BODIES.items())
def test_an_example_loads(form: type[Schema], body: dict[str, Any]) -> None:
    assert form().load(body)


def test_an_amount_keeps_no_stock_and_so_is_not_asked_to() -> None:
    """Which of the tickets it would keep, nobody could say."""
    form = forms.NewRefund()
    with pytest.raises(ValidationError) as refused:
        form.load({"amount": "5.00", "keep_stock": True})
    assert refused.value.messages == {"keep_stock": ["An amount gives no tickets back to keep."]}
    item = str(uuid4())
    for way in ({"item_ids": [item]}, {}):
        assert form.load({"keep_stock": True, **way})["keep_stock"]
    assert form.load({"amount": "5.00", "keep_stock": False})["amount"] == Decimal("5.00")
