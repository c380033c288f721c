"""The API document says what the edge does."""

import json
from typing import Any

from http_edge import forms, openapi
from http_edge.app import Edge
from http_edge.call import Access
from http_edge.calls import CALLS
from http_edge.documents import page
from schemas.problems import PROBLEMS


def walk(value: object) -> list[dict[str, Any]]:
    """Return every object in a JSON document."""
    if isinstance(value, dict):
        return [value, *(found for each in value.values() for found in walk(each))]
    if isinstance(value, list):
        return [found for each in value for found in walk(each)]
    return []


def test_every_reference_leads_somewhere() -> None:
    document = openapi.build()
    for each in walk(document):
        if isinstance(reference := each.get("$ref"), str):
            found: Any = document
            for part in reference.removeprefix("#/").split("/"):
                found = found[part]


def test_the_table_of_calls_is_what_the_routes_serve() -> None:
    served = {
        (path, name.removeprefix("on_").upper())
        for path, resource in Edge.routes(_Nothing()).items()  # type: ignore[arg-type]
        for name in dir(resource)
        if name.startswith("on_")
    }
    assert served == {(call.template, call.method) for call in CALLS}


class _Nothing:
    """An edge of which only the routes are asked."""

    def __getattr__(self, _: str) -> "_Nothing":
        return self


def test_what_the_document_says_of_buying() -> None:
    buy = openapi.build()["paths"]["/v1/orders"]["post"]
    assert buy["security"] == [{"token": []}]
    (key,) = [each for each in buy["parameters"] if each["name"] == "Idempotency-Key"]
    assert key["required"] is True
    statuses = "200 202 400 401 413 415 422 429 503"
    assert sorted(buy["responses"]) == statuses.split()
    shape = openapi.build()["components"]["schemas"]["NewOrder"]
    assert shape["properties"]["quantity"] == {"type": "integer", "minimum": 1, "maximum": 1000}
    assert shape["required"] == ["ticket_id"]
    assert shape["additionalProperties"] is False


def test_only_writes_of_users_take_a_key() -> None:
    for call in CALLS:
        told = openapi.build()["paths"][call.path][call.method.lower()]
        takes = any(each["name"] == "Idempotency-Key" for each in told["parameters"])
        assert takes == (call.command is not None and call.access is Access.USER)


def test_the_page_names_every_call_field_and_problem() -> None:
    html = page(openapi.build())
    for call in CALLS:
        assert call.path in html
        assert call.summary in html.replace("&#x27;", "'")
    for name in forms.NewTicket().fields:
        assert f"<code>{name}</code>" in html
    for code in PROBLEMS:
        assert f"<tr id='{code}'>" in html


def test_the_document_is_json() -> None:
    assert json.loads(openapi.text())["openapi"] == "3.1.0"
