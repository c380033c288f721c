"""Write `docs/asyncapi.json`: every message, who sends it and who receives it.

Who sends what is read from the code: a message that is built, or named as a call's command, is
sent, and so is one in a list that is to be built; one that is only handled, annotated or compared
is not.
"""

import argparse
import ast
import importlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bus.asyncapi import document
from bus.service import Service
from ops.local.layout import ROOT
from ops.local.settings import SERVICES
from schemas.message import Message, catalogue

FILE = ROOT / "docs" / "asyncapi.json"
_FOLDERS = {"edge": "http_edge", "operator": "ops", "bus": "bus"}
_LOAD = {"bench", "load.py", "chaos"}
"""What says messages only to measure."""


def services() -> list[Service[Any]]:
    """Return every service, its handlers registered."""
    return [
        getattr(importlib.import_module(f"workers.{name}.handlers"), name)
        for name in SERVICES
        if name != "edge"
    ]


def says(hearing: Sequence[Service[Any]]) -> dict[str, set[str]]:
    """Return the types that each service, the edge, the operator and the bus itself send."""
    folders = {service.name: f"workers/{service.name}" for service in hearing} | _FOLDERS
    found = {name: said_in(ROOT / folder) for name, folder in folders.items()}
    for service in hearing:
        found[service.name] |= refusals(service)
    return {name: types for name, types in found.items() if types}


def refusals(service: Service[Any]) -> set[str]:
    """Return the answers to the commands that a service may refuse."""
    answers = (handler.message.REFUSED_BY for handler in service.handlers.values())
    return {answer.TYPE for answer in answers if answer}


def said_in(folder: Path) -> set[str]:
    """Return the types of the messages that the code of a folder builds."""
    return {
        message.TYPE
        for path in sorted(folder.rglob("*.py"))
        if not _LOAD & set(path.relative_to(ROOT).parts)
        for message in said_by(path.read_text(encoding="utf-8"))
    }


def said_by(source: str) -> Iterator[type[Message]]:
    """Go through the messages that a file builds, loads, lists, or names as a `command`."""
    tree = ast.parse(source)
    named = dict(_imported(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            loaded = (ast.unparse(each) for each in node.args if called == "schema_of")
            commands = (ast.unparse(k.value) for k in node.keywords if k.arg == "command")
            names = [called.removesuffix(".of"), *loaded, *commands]
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            names = [ast.unparse(each) for each in node.value.elts]
        else:
            continue
        yield from (named[name] for name in names if name in named)


def _imported(tree: ast.AST) -> Iterable[tuple[str, type[Message]]]:
    """Go through the names by which a file may call messages."""
    declared = {(each.__module__, each.__name__): each for each in catalogue().values()}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("schemas"):
            for alias in node.names:
                name = alias.asname or alias.name
                if message := declared.get((str(node.module), alias.name)):
                    yield name, message
                for (module, inner), each in declared.items():
                    if module == f"{node.module}.{alias.name}":
                        yield f"{name}.{inner}", each


def text() -> str:
    """Return the document as it is kept in `docs/`."""
    hearing = services()
    told = document(hearing, says(hearing))
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def configure(parser: argparse.ArgumentParser) -> None:
    """Nothing to choose."""
    parser.description = __doc__


def run(_args: argparse.Namespace) -> int:
    """Write the document."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
    print(FILE.relative_to(ROOT))
    return 0
