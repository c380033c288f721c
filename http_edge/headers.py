"""What clients say in headers: keys, waiting, tracing."""

import os
import re
from typing import NamedTuple

from http_edge.problems import refuse

LONGEST_KEY = 255
LONGEST_WAIT_SEC = 10

_WAIT = re.compile(r'^wait\s*=\s*"?([0-9]{1,6})"?$', re.IGNORECASE)
_TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$")
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")
_ESCAPED = re.compile(r'\\(["\\])')


class Trace(NamedTuple):
    """How a request is followed through the system."""

    request_id: str
    traceparent: str


def idempotency_key(text: str | None) -> str | None:
    """Return the key, quotes removed: a bare and a quoted key of the same text are the same.

    Raises:
        ProblemError: it is too long or not printable ASCII.
    """
    key = (text or "").strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = _ESCAPED.sub(r"\1", key[1:-1])
    if not key:
        return None
    if len(key) > LONGEST_KEY or not (key.isascii() and key.isprintable()):
        detail = f"An Idempotency-Key is 1 to {LONGEST_KEY} printable ASCII characters."
        raise refuse("malformed", detail)
    return key


def wait_sec(prefer: str | None) -> int | None:
    """Return how long the client would wait (RFC 7240), capped; None when it would not.

    A preference that is not understood is ignored, as the RFC asks; the first `wait` counts.
    """
    for preference in (prefer or "").split(","):
        if found := _WAIT.match(preference.split(";")[0].strip()):
            return min(int(found[1]), LONGEST_WAIT_SEC)
    return None


def trace(request_id: str | None, traceparent: str | None) -> Trace:
    """Follow the caller's trace (W3C Trace Context) or begin one."""
    found = _TRACEPARENT.match(traceparent or "")
    if found is None or set(found[1]) == {"0"} or set(found[2]) == {"0"}:
        fresh = os.urandom(24).hex()
        trace_id, traceparent = fresh[:32], f"00-{fresh[:32]}-{fresh[32:]}-01"
    else:
        trace_id = found[1]
    named = request_id is not None and _REQUEST_ID.match(request_id)
    return Trace(request_id if named and request_id else trace_id, traceparent or "")
