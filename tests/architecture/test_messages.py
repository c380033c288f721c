"""Every message is declared, said and heard, and nothing is said past the bus."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from bus.service import Service
from ops import asyncapi
from ops.local import procfile
from ops.local.layout import ROOT
from ops.local.settings import SERVICES
from schemas.message import catalogue, schema_of
from schemas.order import EndOrders

_HEARING = {service.name: service for service in asyncapi.services()}
_SAID = asyncapi.says(list(_HEARING.values()))
_GOING_ON = {EndOrders.TYPE}
_FOLDERS = ("bus", "schemas", "workers", "http_edge")


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def hearing(message_type: str) -> list[str]:
    return [name for name, service in _HEARING.items() if message_type in service.handlers]


def saying(message_type: str) -> set[str]:
    return {name for name, types in _SAID.items() if message_type in types}


@pytest.mark.parametrize("message_type", sorted(catalogue()))
def test_a_message_is_heard_by_somebody(message_type: str) -> None:
    assert hearing(message_type)


@pytest.mark.parametrize("message_type", sorted(catalogue()))
def test_a_message_is_said_by_somebody(message_type: str) -> None:
    """A command that only its own receiver says would never be said for the first time.

    But for those with which a service goes on, page by page, with what an event began.
    """
    others = saying(message_type)
    if catalogue()[message_type].KIND == "command" and message_type not in _GOING_ON:
        others -= set(hearing(message_type))
    assert others


def test_only_what_is_built_counts_as_said() -> None:
    heard = """
from schemas.order import OrderCreated, PlaceOrder
from schemas import ticket
@order.handles(PlaceOrder)
def place(command: PlaceOrder, tx: Transaction[OrderCreated]) -> ticket.TicketCreated:
    '''OrderCreated.of(order)'''
    # tx.emit(OrderCreated.of(order))
    assert isinstance(command, OrderCreated) and command.TYPE == PlaceOrder.TYPE
"""
    assert not list(asyncapi.said_by(heard))
    said = heard + "    tx.emit(OrderCreated.of(x)); Call(command=ticket.EditTicket)\n"
    types = {each.TYPE for each in asyncapi.said_by(said)}
    assert types == {"orders.order.created", "tickets.ticket.edit"}


@pytest.mark.parametrize("message_type", [t for t, m in catalogue().items() if m.KIND == "command"])
def test_a_command_is_heard_by_exactly_one_service(message_type: str) -> None:
    assert len(hearing(message_type)) == 1


@pytest.mark.parametrize("service", _HEARING.values(), ids=_HEARING)
def test_a_handler_fits_its_message(service: Service[Any]) -> None:
    """It is declared, has a schema, and the function takes it (or all events)."""
    for message_type, handler in service.handlers.items():
        assert catalogue()[message_type] is handler.message
        assert schema_of(handler.message).fields
        message, tx = inspect.signature(handler.function).parameters.values()
        assert issubclass(handler.message, message.annotation)
        assert tx.name == "tx"


@pytest.mark.parametrize("service", _HEARING.values(), ids=_HEARING)
def test_what_a_refusal_is_raised_for_can_be_refused(service: Service[Any]) -> None:
    for handler in service.handlers.values():
        source = inspect.getsource(handler.function)
        if "raise Refusal(" in source or "raise NotYet(" in source:
            assert handler.message.REFUSED_BY, handler.function.__qualname__


def test_a_refusal_says_which_command_and_why() -> None:
    refusals = {each.REFUSED_BY for each in catalogue().values()} - {None}
    for refusal in refusals:
        assert refusal is not None
        assert refusal.KIND == "event"
        assert {"command", "code", "detail"} <= schema_of(refusal).fields.keys()


@pytest.mark.parametrize("path", sources(*_FOLDERS), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_said_past_the_bus(path: Path) -> None:
    """No Dramatiq outside the bus, and nobody enqueues through it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    called = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & {"send", "send_with_options"}
    if path.relative_to(ROOT).parts[0] != "bus":
        assert not names & {"dramatiq", "pika"}


def test_a_service_bears_one_name_everywhere() -> None:
    services = set(SERVICES) - {"edge"}
    assert set(_HEARING) == services
    for name in services:
        assert (
            (ROOT / "migrations" / name).is_dir()
            or (ROOT / "migrations" / f"{name}.py").exists()
            or name == "expiration"
        )
        assert name in procfile.lines()


def test_what_takes_long_has_a_process_that_hears_it() -> None:
    long = {name for name, service in _HEARING.items() if "long" in service.queues}
    lines = procfile.lines()
    assert {f"{name}-long" for name in long} == {each for each in lines if each.endswith("-long")}
    for name in long:
        assert lines[f"{name}-long"][-1] == f"workers.{name}.long_worker"


def test_containers_run_what_the_procfile_runs() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert set(procfile.lines()) <= set(re.findall(r"^  ([a-z-]+):$", text, re.MULTILINE))


def test_the_procfiles_processes_exist() -> None:
    for command in procfile.lines().values():
        words = command[command.index("--") + 1 :]
        module = words[words.index("-m") + 1] if "-m" in words else words[-1].split(":")[0]
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
