"""The API document (OpenAPI 3.1), made from the table of calls and the schemas that validate.

`python -m http_edge.openapi` writes `docs/openapi.json`; a test fails when that file is stale.
"""

import json
from pathlib import Path
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow.fields import Field, String
from marshmallow.validate import Email, OneOf, Regexp

from http_edge import answers, examples, fields, openapi_answers
from http_edge.call import Access, Call
from http_edge.calls import CALLS
from http_edge.forms import Form
from schemas.money import CURRENCIES

FILE = Path(__file__).parent.parent / "docs" / "openapi.json"
_WAIT = {
    "name": "Prefer",
    "in": "header",
    "schema": {"type": "string", "examples": ["wait=5"]},
    "description": "`wait=N` holds the answer for at most N (up to 10) seconds, until it finished.",
}
_LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
    "description": "The id that was heard last: what came after it is told first. `missed` comes "
    "before it when that is more than is kept.",
}
_CLEAN = r"[^\u0000-\u001f\u007f-\u009f]"
_SAYS_SOMETHING = rf"^{_CLEAN}*[^\s\u0000-\u001f\u007f-\u009f]{_CLEAN}*$"
_KEY = {
    "type": "string",
    "pattern": '^(?!""$)[!-~]([ -~]{0,253}[!-~])?$',
    "minLength": 1,
    "maxLength": 255,
}
_PATTERNS: dict[type, dict[str, Any]] = {
    fields.Id: {"type": "string", "format": "uuid"},
    fields.Time: {"type": "string", "format": "date-time"},
    fields.Amount: {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?$"},
    fields.Currency: {"type": "string", "enum": sorted(CURRENCIES)},
    fields.Whole: {"type": "integer"},
    fields.Flag: {"type": "boolean"},
    fields.FreeForm: {"type": "object", "additionalProperties": True},
    fields.Flag: {"type": "boolean"},
    fields.Number: {"type": "number"},
}


def build() -> dict[str, Any]:
    """Return the document."""
    plugin = MarshmallowPlugin(schema_name_resolver=_name)
    spec = APISpec(
        title="Foyer",
        version="1",
        openapi_version="3.1.0",
        plugins=[plugin],
        info={
            "description": "Ticket sales. Every write answers 202 with an operation to follow; "
            "money is a decimal string, times are RFC 3339 in UTC."
        },
    )
    assert plugin.converter is not None  # noqa: S101  # The plugin has been initialised.
    plugin.converter.add_attribute_function(_shape)  # type: ignore[no-untyped-call]
    spec.components.security_scheme(
        "token", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    )
    openapi_answers.declare(spec)
    for call in CALLS:
        spec.path(path=call.path, operations={call.method.lower(): _operation(call)})
    document: dict[str, Any] = json.loads(json.dumps(spec.to_dict()))
    return document


def text() -> str:
    """Return the document as it is kept in `docs/`."""
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


def _operation(call: Call) -> dict[str, Any]:
    told: dict[str, Any] = {
        "summary": call.summary,
        "tags": [call.tag],
        "operationId": f"{call.method.lower()}_{call.path.strip('/').translate(_PLAIN)}",
        "parameters": _parameters(call),
        "responses": openapi_answers.responses(call),
    }
    if call.body is not None:
        content: dict[str, Any] = {"schema": type(call.body)}
        if example := examples.BODIES.get(type(call.body)):
            content["example"] = example
        told["requestBody"] = {
            "required": any(each.required for each in call.body.fields.values()),
            "content": {"application/json": content},
        }
    if call.access is not Access.ANYONE:
        told["security"] = [{"token": []}]
        if call.access is not Access.USER:
            told["security"].append({})
    return told


_PLAIN = str.maketrans({"/": "_", "{": None, "}": None, ".": "_", "-": "_"})


def _parameters(call: Call) -> list[Any]:
    found: list[Any] = [
        {
            "name": part.strip("{}"),
            "in": "path",
            "required": True,
            "schema": {"type": "string", "format": "uuid"},
        }
        for part in call.path.split("/")
        if part.startswith("{")
    ]
    if call.query is not None:
        found.append({"in": "query", "schema": type(call.query)})
    if call.command is not None and call.access is Access.USER:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": call.key_required,
                "schema": _KEY,
            }
        )
    if call.command is not None or call.answer is answers.Operation:
        found.append(_WAIT)
    if call.path == "/v1/notifications":
        found.append(_LAST_EVENT_ID)
    return found


def _shape(_: object, field: Field[Any], **__: object) -> dict[str, Any]:
    """Describe the fields that are our own."""
    if isinstance(field, String) and isinstance(field.parent, Form):
        return _pattern(field)
    shape = next((each for kind, each in _PATTERNS.items() if isinstance(field, kind)), None)
    if shape is None:
        return {}
    if isinstance(field, fields.Whole):
        shape = shape | {"minimum": field.least, "maximum": field.most}
    if field.allow_none:
        shape = shape | {"type": [shape["type"], "null"]}
        if "enum" in shape:
            shape = shape | {"enum": [*shape["enum"], None]}
    return shape


def _pattern(field: String) -> dict[str, Any]:
    """Say that a client's text holds no control characters, and a `Text` not only spaces."""
    if any(isinstance(each, OneOf | Regexp | Email) for each in field.validators):
        return {}
    return {"pattern": _SAYS_SOMETHING if isinstance(field, fields.Text) else f"^{_CLEAN}*$"}


def _name(schema: object) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Shape").removesuffix("Document")


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
