"""Long work in parts."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus import pace
from bus.pace import in_parts


@given(whole=st.lists(st.integers(), max_size=6), size=st.integers(1, 7))
@settings(max_examples=30)
def test_parts_are_the_whole_in_its_order(whole: list[int], size: int) -> None:
    parts = list(in_parts(iter(whole), size))
    assert [each for part in parts for each in part] == whole
    assert all(len(part) == size for part in parts[:-1])
    assert all(parts)


def test_what_is_short_does_not_rest_and_what_is_long_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rests: list[float] = []
    monkeypatch.setattr(pace, "time", SimpleNamespace(sleep=rests.append))
    assert len(list(in_parts(range(100), 100))) == 1
    assert rests == []
    assert len(list(in_parts(range(100), 10))) == 10
    assert rests == [pace._REST_SEC] * 9
