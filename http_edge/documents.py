"""The API document, for machines and for people; both are made when the process starts."""

from html import escape
from typing import Any

import orjson
from falcon.asgi import Request, Response

from http_edge import openapi
from schemas.problems import PROBLEMS

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { border-bottom: 1px solid #8886; margin-top: 2.5rem; }
h3 code { font-size: 1rem; } .method { display: inline-block; min-width: 4rem; font-weight: 700; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .2rem .8rem .2rem 0;
  vertical-align: top; border-bottom: 1px solid #8883; }
.index { list-style: none; padding: 0; font-size: .9rem; columns: 2 26rem; }
pre { overflow: auto; padding: .8rem; background: #8882; } .quiet { opacity: .75; }
"""
_START = """
<h1>Foyer</h1>
<p>Ticket sales over HTTP. Every write is answered <code>202</code> with an <em>operation</em>, or,
when you send <code>Prefer: wait=10</code>, with the finished operation as soon as it has ended.
Money is a decimal string, times are RFC 3339 in UTC. The machine-readable form of this page is
<a href="/openapi.json">/openapi.json</a>.</p>
<pre>curl -s localhost:18000/v1/sessions -H 'Prefer: wait=10' -H 'Content-Type: application/json' \\
  -d '{"email": "ann@example.com", "password": "correct horse battery"}'</pre>
"""


class OpenApi:
    """At /openapi.json."""

    def __init__(self) -> None:
        self._document = orjson.dumps(openapi.build())

    async def on_get(self, _: Request, resp: Response) -> None:
        """Give the document."""
        resp.content_type = "application/json"
        resp.data = self._document


class Docs:
    """At /docs."""

    def __init__(self) -> None:
        self._page = page(openapi.build()).encode()

    async def on_get(self, _: Request, resp: Response) -> None:
        """Give the page."""
        resp.content_type = "text/html; charset=utf-8"
        resp.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        resp.data = self._page


def page(document: dict[str, Any]) -> str:
    """Write the document as one HTML page that needs nothing else."""
    calls: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            calls.setdefault(told["tags"][0], []).append(_call(method.upper(), path, told))
    index = "".join(
        f"<li><a href='#{told['operationId']}'><code><span class=method>{method.upper()}</span> "
        f"{escape(path)}</code></a> {escape(told['summary'])}"
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    )
    groups = "".join(f"<h2>{escape(tag)}</h2>{''.join(each)}" for tag, each in calls.items())
    schemas = "".join(
        _schema(name, shape) for name, shape in sorted(document["components"]["schemas"].items())
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'><title>Foyer API</title>"
        f"<style>{_STYLE}</style>{_START}<ul class=index>{index}</ul>{groups}"
        f"<h2>Problems</h2>{_problems()}"
        f"<h2>Shapes</h2>{schemas}</html>"
    )


def _call(method: str, path: str, told: dict[str, Any]) -> str:
    needs = "needs a token" if told.get("security") == [{"token": []}] else ""
    parameters = "".join(
        f"<tr><td><code>{escape(each['name'])}</code><td>{escape(each['in'])}"
        f"<td>{'required' if each.get('required') else ''}<td>{_kind(each.get('schema', {}))}"
        for each in told["parameters"]
    )
    body = told.get("requestBody", {}).get("content", {}).get("application/json")
    takes = f"<p>Body: {_kind(body['schema'])}</p>" if body else ""
    answers = {code: each for code, each in told["responses"].items() if "$ref" not in each}
    told_apart = "".join(
        f"<li><b>{escape(code)}</b> {_answer(each)}" for code, each in answers.items()
    )
    refused = " ".join(code for code in told["responses"] if code not in answers)
    return (
        f"<h3 id='{told['operationId']}'>"
        f"<code><span class=method>{method}</span> {escape(path)}</code></h3>"
        f"<p>{escape(told['summary'])} <span class=quiet>{needs}</span></p>"
        f"<table>{parameters}</table>{takes}<ul>{told_apart}"
        f"<li><b>{refused}</b> <a href='#Problem'>Problem</a></ul>"
    )


def _answer(told: dict[str, Any]) -> str:
    shapes = [_kind(each["schema"]) for each in told.get("content", {}).values()]
    return f"{escape(told.get('description', ''))} {' '.join(shapes)}"


def _schema(name: str, shape: dict[str, Any]) -> str:
    required = set(shape.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code><td>{_kind(told)}"
        f"<td>{'required' if field in required else ''}"
        for field, told in shape.get("properties", {}).items()
    )
    return f"<h3 id='{escape(name)}'><code>{escape(name)}</code></h3><table>{rows}</table>"


def _kind(shape: dict[str, Any]) -> str:
    """Say in a few words what a value is."""
    if "$ref" in shape:
        name = escape(shape["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    for many in ("anyOf", "allOf", "oneOf"):
        if many in shape:
            return " or ".join(_kind(each) for each in shape[many])
    if shape.get("type") == "array":
        return f"list of {_kind(shape.get('items', {}))}"
    kind = shape.get("type", "")
    words = [" or ".join(kind) if isinstance(kind, list) else kind]
    if "enum" in shape:
        words = [" | ".join(str(each) for each in shape["enum"])]
    words += [shape[each] for each in ("format",) if each in shape]
    if "minimum" in shape or "maximum" in shape:
        words.append(f"{shape.get('minimum', '')} to {shape.get('maximum', '')}")
    if "minLength" in shape or "maxLength" in shape:
        words.append(f"{shape.get('minLength', 0)} to {shape.get('maxLength', '')} characters")
    return escape(", ".join(words))


def _problems() -> str:
    rows = "".join(
        f"<tr id='{code}'><td><code>{code}</code><td>{problem.status}<td>{escape(problem.title)}"
        for code, problem in PROBLEMS.items()
    )
    return f"<table>{rows}</table>"
