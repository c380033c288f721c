"""One JSON line per request, written a few at a time: a system call each would cost too much."""

import asyncio
import sys
from datetime import UTC, datetime
from uuid import UUID

import orjson

from bus.envelope import trace_id
from http_edge.headers import Trace

_FLUSH_SEC = 0.05


class AccessLog:
    """Lines for standard output."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._lines: list[bytes] = []

    def tell(  # noqa: PLR0913, PLR0917  # The fields of a line.
        self,
        method: str,
        path: str,
        status: int,
        lasted_sec: float,
        trace: Trace,
        operation_id: UUID | None,
    ) -> None:
        """Write a line shortly."""
        if not self._lines:
            asyncio.get_running_loop().call_later(_FLUSH_SEC, self.flush)
        line = {
            "event": "request",
            "level": "info",
            "process": "edge",
            "timestamp": datetime.now(UTC),
            "method": method,
            "path": path,
            "status": status,
            "ms": round(lasted_sec * 1000, 2),
            "request_id": trace.request_id,
            "trace_id": trace_id(trace.traceparent),
        }
        if operation_id is not None:
            line["operation_id"] = operation_id
        self._lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))

    def flush(self) -> None:
        """Write what is held."""
        lines, self._lines = self._lines, []
        sys.stdout.buffer.write(b"".join(lines))
        sys.stdout.buffer.flush()
