"""The two documents in `docs/` say what the code does."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from http_edge import openapi
from ops import asyncapi
from schemas.message import catalogue


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(asyncapi.text())
    return told


def objects(found: object) -> Iterator[dict[str, Any]]:
    if isinstance(found, dict):
        yield found
    for value in found.values() if isinstance(found, dict) else found:  # type: ignore[attr-defined]
        if isinstance(value, dict | list):
            yield from objects(value)


def test_asyncapi_is_not_stale() -> None:
    assert asyncapi.FILE.read_text(encoding="utf-8") == asyncapi.text(), "python -m ops asyncapi"


def test_openapi_is_not_stale() -> None:
    kept = openapi.FILE.read_text(encoding="utf-8")
    assert kept == openapi.text(), "python -m http_edge.openapi"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = [each["$ref"] for each in objects(document) if "$ref" in each]
    assert references
    for reference in references:
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def test_names_are_those_that_asyncapi_allows(document: dict[str, Any]) -> None:
    components = document["components"]
    for name in (*document["operations"], *components["messages"], *components["schemas"]):
        assert re.fullmatch(r"[\w.-]+", name)


def test_an_operation_takes_only_messages_of_its_channel(document: dict[str, Any]) -> None:
    for told in document["operations"].values():
        for part in (told, told.get("reply", told)):
            channel = part["channel"]["$ref"]
            assert all(each["$ref"].startswith(f"{channel}/messages/") for each in part["messages"])


def test_every_message_is_sent_through_its_exchange(document: dict[str, Any]) -> None:
    for name, message in catalogue().items():
        binding = document["channels"][name]["bindings"]["amqp"]
        assert binding["is"] == "routingKey"
        assert binding["exchange"]["name"] == f"foyer.{message.KIND}s"


def test_a_command_is_answered_with_its_refusal(document: dict[str, Any]) -> None:
    told = document["operations"]["order.receive.orders.order.place"]
    assert told["channel"] == {"$ref": "#/channels/order.commands"}
    assert told["reply"]["channel"] == {"$ref": "#/channels/orders.order.refused"}


def test_what_is_sealed_says_so(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    sealed = {
        (name, field)
        for name, schema in schemas.items()
        for field, shown in schema["properties"].items()
        if shown.get("x-sealed")
    }
    assert {("RegisterUser", "password"), ("SessionOpened", "refresh_token")} <= sealed
    assert all(
        "ealed" in schemas[name]["properties"][field]["description"] for name, field in sealed
    )
