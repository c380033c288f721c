"""The demo of the first start."""

import httpx
import orjson
import pytest

from ops import seed
from ops.local.stack import Stack

TITLES = [
    "Harbour concert",
    "Kyoto night",
    "Night of the Drums",
    "Open rehearsal",
    "The Magic Flute",
]


_OTHERS = {"Kill test", "Seats under load"}
"""What other tests offer on the same system."""


def titles(whole: Stack) -> list[str]:
    """What is on sale."""
    edge = f"http://127.0.0.1:{whole.layout.port('edge')}"
    listed = httpx.get(f"{edge}/v1/tickets", params={"limit": 100}).raise_for_status().json()
    return sorted(each["title"] for each in listed["items"] if each["title"] not in _OTHERS)


def test_the_demo_is_made_once_and_finished_when_it_was_interrupted(
    whole: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    seed.run(whole)
    kept = whole.layout.directory / "data" / "demo.json"
    demo = orjson.loads(kept.read_bytes())
    assert titles(whole) == TITLES
    assert kept.stat().st_mode & 0o077 == 0
    told = capsys.readouterr().out
    if told:  # A system that was left running has made it before.
        assert demo["login"]["password"] in told
    seed.run(whole)
    assert capsys.readouterr().out == ""
    kept.write_bytes(orjson.dumps(demo | {"made": False}))
    seed.run(whole)
    assert titles(whole) == TITLES
    assert orjson.loads(kept.read_bytes())["made"]
