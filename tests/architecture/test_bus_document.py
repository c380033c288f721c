"""The bus's document names tests that exist."""

import re

from ops.local.layout import ROOT


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "bus.md").read_text()))
    files = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    written = {name for text in files.values() for name in re.findall(r"def (test_\w+)\(", text)}
    assert len(named) > 50
    assert named - written == set()
