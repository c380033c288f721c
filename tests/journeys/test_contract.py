"""The API document and the live system, compared by thousands of made-up requests."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from http_edge.calls import CALLS
from ops.local.stack import Stack
from tests.journeys.shop import Person

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(300)]
_CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
_FEWEST = 2_000
_SELDOM_RIGHT = {
    "GET /v1/notifications",
    "GET /openapi.json",
    "POST /webhooks/stripe",
    *(f"GET /v1/orders/{{order_id}}{below}" for below in ("", "/payment")),
    *(f"GET /v1/seating-plans/{{plan_id}}{below}" for below in ("", "/availability")),
    "GET /v1/tickets/{ticket_id}/orders",
}
"""What is not asked here, and reads of what made-up requests hardly ever make."""


def test_the_system_does_what_the_document_says(
    system: Stack, arrive: Callable[[], Person], tmp_path: Path
) -> None:
    """No 500, no undocumented answer, no other shape; `FOYER_SEED` tries other requests.

    Nearly every call is answered well, too: what is always refused shows little.
    """
    somebody = arrive()  # Whose settings nobody else depends on.
    somebody.offer()
    token = somebody.http.headers["Authorization"]
    told = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("schemathesis")), "--no-color"),
            *("--config-file", str(_CONFIGURATION), "run"),
            f"http://127.0.0.1:{system.layout.port('edge')}/openapi.json",
            *("--header", f"Authorization: {token}"),
            *("--max-examples", "6", "--seed", os.environ.get("FOYER_SEED", "1")),
            *("--continue-on-failure", "--request-timeout", "15"),
            *("--report", "ndjson", "--report-ndjson-path", str(tmp_path / "report.ndjson")),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout[-20_000:] + told.stderr[-2_000:]
    requests = re.search(r"(\d+) generated", told.stdout)
    assert requests, told.stdout[-2_000:]
    assert int(requests[1]) >= _FEWEST
    never = {f"{call.method} {call.path}" for call in CALLS} - answered_well(
        tmp_path / "report.ndjson"
    )
    assert never <= _SELDOM_RIGHT


def answered_well(report: Path) -> set[str]:
    """Return the calls that were answered 2xx at least once."""
    found = set()
    for line in report.read_text().splitlines():
        told = orjson.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for name, case in told.get("cases", {}).items():
            response = (told["interactions"].get(name) or {}).get("response") or {}
            if response.get("status_code") in {200, 202}:
                found.add(f"{case['value']['method']} {case['value']['path']}")
    return found
