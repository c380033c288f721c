"""Logging: one JSON line per event, with the operation that it belongs to."""

import logging
import sys

import orjson
import structlog
from structlog.contextvars import merge_contextvars
from structlog.typing import EventDict, Processor

from bus import settings

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


_name = ["foyer"]


def process() -> str:
    """Return what this process is called in its lines."""
    return _name[0]


def configure(process: str) -> None:
    """Send this process's log lines, its libraries' included, to standard output as JSON."""
    _name[0] = process
    level = read_level()

    def name(_: object, __: str, line: EventDict) -> EventDict:
        line["process"] = process
        return line

    shared: list[Processor] = [
        merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        name,
    ]
    render = structlog.processors.JSONRenderer(_written)
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # pika tells every failed attempt in several lines and with tracebacks; we tell it in one.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    logging.getLogger("dramatiq").setLevel(logging.WARNING)
    logging.getLogger("stripe").setLevel(logging.WARNING)


def _written(line: EventDict, **_: object) -> str:
    """Write a line; one that JSON has no words for is written all the same, and stops nobody."""
    try:
        return orjson.dumps(line, default=str).decode()
    except TypeError:
        return orjson.dumps({name: repr(value) for name, value in line.items()}).decode()


def get(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger for a part of the program."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(part=name)
    return logger


def read_level() -> int:
    """Return how loud a line must be to be written.

    Raises:
        SettingError: it is no level.
    """
    level: int = settings.read("FOYER_LOG_LEVEL", 20, _level)
    return level


def _level(text: str) -> int:
    if text.lower() not in _LEVELS:
        msg = f"{text!r} is none of {', '.join(_LEVELS)}."
        raise ValueError(msg)
    return _LEVELS[text.lower()]
