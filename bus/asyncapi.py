"""The messages' document (AsyncAPI 3.0), made from what is declared and what is registered.

Payloads come from the schemas that every consumer checks with; receiving operations from the
services' handlers, with the refusal as a command's reply; sending operations from `says`. There
is no second list that could differ from the running system.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from itertools import pairwise
from typing import Any, Literal, get_args, get_type_hints

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import fields, validate

from bus.envelope import COMMANDS, CONTENT_TYPE, EVENTS
from bus.service import Handler, Queue, Service
from bus.topology import DEAD, VHOST
from schemas.message import Message, Sealed, catalogue, schema_of

_BINDING = "0.3.0"
_SEALED = get_args(Sealed)[1]
Json = dict[str, Any]


def document(services: Iterable[Service[Any]], says: Mapping[str, Collection[str]]) -> Json:
    """Return the document; `says` holds the types that each service or the edge sends."""
    hearing = sorted(services, key=lambda service: service.name)
    declared = dict(sorted(catalogue().items()))
    channels = {name: _exchange(message) for name, message in declared.items()}
    for service in hearing:
        channels |= {f"{service.name}.{kind}": _queue(service, kind) for kind in service.queues}
        channels[f"{service.name}.dead"] = _dead(service)
    told = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Foyer's messages",
            "version": "1",
            "description": "CloudEvents 1.0 in structured JSON over AMQP 0-9-1. Money is a decimal"
            " string, times are RFC 3339 in UTC, ids are UUIDs. A consumer ignores the fields of"
            " `data` that it does not know.",
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "127.0.0.1:18001",
                "pathname": f"/{VHOST}",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "description": "Each service has a user of its own, which reads only its queues.",
                "security": [{"type": "userPassword"}],
            }
        },
        "channels": channels,
        "operations": _sending(says) | _receiving(hearing),
        "components": {
            "messages": {name: _message(message) for name, message in declared.items()},
            "schemas": {"CloudEvent": _ENVELOPE, **_payloads(declared.values())},
        },
    }
    plain: Json = json.loads(json.dumps(told))
    return plain


def _ref(*path: str) -> Json:
    return {"$ref": "/".join(("#", *path))}


def _messages(types: Iterable[str]) -> Json:
    return {name: _ref("components", "messages", name) for name in types}


def _amqp(kind: Literal["routingKey", "queue"], **about: object) -> Json:
    return {"amqp": {"is": kind, **about, "bindingVersion": _BINDING}}


def _exchange(message: type[Message]) -> Json:
    command = message.KIND == "command"
    exchange = {
        "name": COMMANDS if command else EVENTS,
        "type": "direct" if command else "topic",
        "durable": True,
        "autoDelete": False,
        "vhost": VHOST,
    }
    return {
        "address": message.TYPE,
        "messages": _messages([message.TYPE]),
        "bindings": _amqp("routingKey", exchange=exchange),
    }


def _queue(service: Service[Any], kind: Queue) -> Json:
    types = service.bindings(kind)
    what = "What takes long, of all" if kind == "long" else f"The {kind}"
    return _named_queue(f"{service.name}.{kind}", types, f"{what} that {service.name} hears.")


def _dead(service: Service[Any]) -> Json:
    told = (
        f"What {service.name} gave up, whole and without a time limit. Published through"
        f" `{DEAD}`; the headers x-foyer-code, -error, -queue, -tries and others say why."
    )
    return _named_queue(f"{service.name}.dead", sorted(service.handlers), told)


def _named_queue(name: str, types: Iterable[str], description: str) -> Json:
    queue = {"name": name, "durable": True, "exclusive": False, "autoDelete": False, "vhost": VHOST}
    return {
        "address": name,
        "description": description,
        "messages": _messages(types),
        "bindings": _amqp("queue", queue=queue),
    }


def _sending(says: Mapping[str, Collection[str]]) -> Json:
    return {
        f"{speaker}.send.{name}": {
            "action": "send",
            "channel": _ref("channels", name),
            "messages": [_ref("channels", name, "messages", name)],
            "bindings": {
                "amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": _BINDING}
            },
        }
        for speaker, types in sorted(says.items())
        for name in sorted(types)
    }


def _receiving(services: Iterable[Service[Any]]) -> Json:
    return {
        f"{service.name}.receive.{name}": _heard(f"{service.name}.{handler.queue}", handler)
        for service in services
        for name, handler in sorted(service.handlers.items())
    }


def _heard(queue: str, handler: Handler[Any]) -> Json:
    told: Json = {
        "action": "receive",
        "channel": _ref("channels", queue),
        "summary": _summary(handler.function),
        "messages": [_ref("channels", queue, "messages", handler.message.TYPE)],
        "bindings": {"amqp": {"ack": True, "bindingVersion": _BINDING}},
    }
    if refusal := handler.message.REFUSED_BY:
        told["reply"] = {
            "channel": _ref("channels", refusal.TYPE),
            "messages": [_ref("channels", refusal.TYPE, "messages", refusal.TYPE)],
        }
    return told


def _message(message: type[Message]) -> Json:
    refusal = message.REFUSED_BY
    answered = f" A refusal is answered with `{refusal.TYPE}`." if refusal else ""
    return {
        "name": message.TYPE,
        "title": message.__name__,
        "summary": _summary(message),
        "description": f"{inspect.getdoc(message)}{answered} At most {message.MAX_BYTES} bytes.",
        "contentType": CONTENT_TYPE,
        "correlationId": {"location": "$message.payload#/operationid"},
        "tags": [{"name": message.KIND}],
        "payload": {
            "allOf": [
                _ref("components", "schemas", "CloudEvent"),
                {
                    "type": "object",
                    "required": ["sequence", "data"] if message.SEQUENCE else ["data"],
                    "properties": {
                        "type": {"const": message.TYPE},
                        "dataschema": {"const": f"urn:foyer:{message.TYPE}:1"},
                        "data": _ref("components", "schemas", message.__name__),
                    },
                },
            ]
        },
    }


_ID: Json = {"type": "string", "format": "uuid"}
_ENVELOPE: Json = {
    "type": "object",
    "description": "CloudEvents 1.0, structured JSON.",
    "required": ["specversion", "id", "source", "type", "subject", "time", "dataschema", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": _ID | {"description": "UUIDv7; a message sent again keeps it."},
        "source": {"type": "string", "description": "`/<service>`."},
        "type": {"type": "string"},
        "subject": {"type": "string", "description": "The aggregate's id."},
        "time": {"type": "string", "format": "date-time", "pattern": "Z$"},
        "datacontenttype": {"const": "application/json"},
        "dataschema": {"type": "string", "description": "The type and its major version."},
        "sequence": {
            "type": "string",
            "description": "The aggregate's revision.",
            "pattern": "^\\d+$",
        },
        "operationid": _ID | {"description": "The operation that this belongs to."},
        "causationid": _ID | {"description": "The message that caused this one."},
        "userid": _ID | {"description": "Who asked."},
        "traceparent": {"type": "string", "description": "W3C Trace Context."},
        "data": {"type": "object"},
    },
}


def _payloads(messages: Iterable[type[Message]]) -> Json:
    """Return the JSON Schema of each message and part, from the schemas that are checked with."""
    plugin = MarshmallowPlugin(schema_name_resolver=_name_of)
    spec = APISpec(title="", version="", openapi_version="3.1.0", plugins=[plugin])
    converter = plugin.converter
    assert converter is not None  # noqa: S101  # The plugin has been initialised.
    converter.add_attribute_function(_shape)  # type: ignore[no-untyped-call]
    for message in messages:
        if message.__name__ not in spec.components.schemas:
            spec.components.schema(message.__name__, schema=schema_of(message))
    found: Json = spec.to_dict()["components"]["schemas"]
    documented = {each.__name__: each for each in _parts(messages)}
    for name, schema in found.items():
        _describe(schema, documented[name])
    return dict(sorted(found.items()))


def _name_of(schema: object) -> str:
    return (schema if isinstance(schema, type) else type(schema)).__name__


def _parts(messages: Iterable[type[Any]]) -> Iterator[type[Any]]:
    """Go through messages and all that they are made of."""
    for each in messages:
        yield each
        hints = get_type_hints(each).values()
        yield from _parts(inner for hint in hints for inner in _named(hint) if is_dataclass(inner))


def _named(hint: Any) -> Iterator[type[Any]]:  # noqa: ANN401  # Any annotation.
    if isinstance(hint, type):
        yield hint
    for each in get_args(hint):
        yield from _named(each)


def _shape(_: object, field: object, **__: object) -> Json:
    """Describe what marshmallow's kinds do not say: money as text, what is sealed."""
    if isinstance(field, fields.Decimal):
        return {"type": ["string", "null"] if field.allow_none else "string", "format": "decimal"}
    if not isinstance(field, fields.Field):
        return {}
    told: Json = {"x-sealed": True} if _SEALED in field.validators else {}
    for rule in field.validators:
        if isinstance(rule, validate.Regexp):  # JSON Schema's dialect has no \Z.
            told["pattern"] = str(rule.regex.pattern).replace(r"\Z", "$")
    return told


def _describe(schema: Json, declared: type[Any]) -> None:
    """Add the docstrings of a declaration and of its fields."""
    schema["description"] = inspect.getdoc(declared)
    for base in reversed(declared.__mro__):
        for name, text in _field_docs(base).items():
            if (shown := schema["properties"].get(name)) and "$ref" not in shown:
                shown["description"] = text
    for shown in schema["properties"].values():
        if shown.get("x-sealed"):
            shown.setdefault("description", "Sealed (compact JWE).")


def _field_docs(declared: type[Any]) -> dict[str, str]:
    """Return the strings that stand under a class's fields."""
    if not declared.__module__.startswith("schemas.") or declared is Message:
        return {}
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(declared))).body
    body = getattr(found, "body", [])
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def _summary(documented: object) -> str:
    return (inspect.getdoc(documented) or "").split("\n")[0]
