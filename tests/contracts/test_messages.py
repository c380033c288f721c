"""The wire format, held against files: what a consumer of yesterday has stored must still be read.

A golden file is changed on purpose only: a change here is a change of the contract.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import orjson
import pytest

from bus.envelope import Malformed, UnknownType, decode, encode
from schemas.message import catalogue

_GOLDEN = {path.stem: path for path in (Path(__file__).parent / "golden").glob("*.json")}
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_MONEY = re.compile(r"\d+\.\d\d")

every_type = pytest.mark.parametrize("message_type", sorted(_GOLDEN))


def golden(message_type: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_GOLDEN[message_type].read_text(encoding="utf-8"))
    return document


def values(found: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Go through all plain values with the names of their fields."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield from values(value, key)
    elif isinstance(found, list):
        for value in found:
            yield from values(value, name)
    else:
        yield name, found


def test_every_message_has_a_golden_file_and_every_file_a_message() -> None:
    assert _GOLDEN.keys() == catalogue().keys()


@every_type
def test_a_golden_message_is_read_and_written_the_same(message_type: str) -> None:
    document = golden(message_type)
    envelope = decode(orjson.dumps(document))
    assert type(envelope.data) is catalogue()[message_type]
    assert orjson.loads(encode(envelope)) == document
    assert decode(encode(envelope)) == envelope


@every_type
def test_the_attributes_are_those_of_cloudevents(message_type: str) -> None:
    document = golden(message_type)
    declared = catalogue()[message_type]
    assert document["specversion"] == "1.0"
    assert document["type"] == message_type
    assert document["dataschema"] == f"urn:foyer:{message_type}:1"
    assert document["subject"] == str(document["data"][declared.SUBJECT])
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in document)
    if declared.SEQUENCE:
        assert document["sequence"] == str(document["data"][declared.SEQUENCE])


@every_type
def test_ids_money_and_times_are_text(message_type: str) -> None:
    for name, value in values(golden(message_type)):
        assert not isinstance(value, float), f"{name} is a binary fraction"
        if name in {"id", "message_id"} or (name.endswith("_id") and "stripe" not in name):
            assert _ID.fullmatch(str(value)) or str(value).startswith("evt_"), name
        if name in {"time", "at", "deadline"} or name.endswith("_at"):
            assert _TIME.fullmatch(str(value)), name
        if name == "price" or name.endswith(("amount", "_price")):
            assert isinstance(value, str)
            assert _MONEY.fullmatch(value), name


@every_type
def test_fields_that_are_not_known_are_ignored(message_type: str) -> None:
    document = golden(message_type)
    known = decode(orjson.dumps(document))
    document["data"]["added_by_a_newer_version"] = {"a": [1]}
    document["anextension"] = "x"
    assert decode(orjson.dumps(document)) == known


@every_type
def test_a_required_field_that_is_missing_is_malformed(message_type: str) -> None:
    document = golden(message_type)
    declared = catalogue()[message_type]
    required = [name for name in document["data"] if _is_required(declared, name)]
    for name in required:
        damaged = document | {"data": {k: v for k, v in document["data"].items() if k != name}}
        with pytest.raises(Malformed, match=name):
            decode(orjson.dumps(damaged))


@every_type
def test_a_field_of_another_kind_is_malformed(message_type: str) -> None:
    document = golden(message_type)
    for name in document["data"]:
        damaged = document | {"data": document["data"] | {name: [["wrong"]]}}
        with pytest.raises(Malformed, match=name):
            decode(orjson.dumps(damaged))


def _is_required(declared: type[Any], name: str) -> bool:
    field = declared.__dataclass_fields__[name]
    return field.default is MISSING and field.default_factory is MISSING


@pytest.mark.parametrize(
    "damage",
    [
        {"specversion": "0.3"},
        {"id": "not-an-id"},
        {"id": None},
        {"id": 7},
        {"time": "yesterday"},
        {"time": None},
        {"operationid": "x"},
        {"userid": 5},
        {"data": None},
        {"data": []},
        {"data": "text"},
        {"padding": "x" * 65536},
    ],
    ids=str,
)
def test_a_damaged_envelope_is_malformed(damage: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        decode(orjson.dumps(golden("orders.order.place") | damage))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"{}", b"1" * 99])
def test_what_is_no_cloudevent_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode(body)


@pytest.mark.parametrize("message_type", ["orders.order.painted", "", None, 7])
def test_a_type_that_is_not_known_is_told_apart(message_type: object) -> None:
    """It may be of a newer version, so it is not malformed."""
    with pytest.raises(UnknownType):
        decode(orjson.dumps(golden("orders.order.place") | {"type": message_type}))


def test_a_value_that_a_closed_list_lacks_is_told_apart_at_any_depth() -> None:
    """It may be of a newer version's list; what else is wrong beside it is wrong in any version."""
    document = golden("payments.payment.authorized")
    (refund, *_) = document["data"]["refunds"]
    refund["status"] = "ON_HOLD"
    with pytest.raises(UnknownType, match="status"):
        decode(orjson.dumps(document))
    refund["amount"] = 1
    with pytest.raises(Malformed, match="amount"):
        decode(orjson.dumps(document))


def test_times_without_an_offset_are_malformed() -> None:
    document = golden("orders.order.place") | {"time": "2026-11-20T18:30:00"}
    with pytest.raises(Malformed):
        decode(orjson.dumps(document))


@pytest.mark.parametrize("money", [19.99, 20, True, "NaN", "Infinity", "1,50", ""])
def test_money_that_is_not_decimal_text_is_malformed(money: object) -> None:
    document = golden("tickets.ticket.create")
    document["data"]["price"] = money
    with pytest.raises(Malformed, match="price"):
        decode(orjson.dumps(document))


@pytest.mark.parametrize("quota", ["5", 5.0, 5.5, True])
def test_whole_numbers_are_whole_numbers(quota: object) -> None:
    document = golden("tickets.ticket.create")
    document["data"]["quota"] = quota
    with pytest.raises(Malformed, match="quota"):
        decode(orjson.dumps(document))
