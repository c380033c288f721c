"""Rotation, played through with any ticks: no token is ever refused because of it."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from workers.auth.rotation import Lifetimes, current, kept
from workers.auth.session import ACCESS_TTL_SEC

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OURS = Lifetimes(life=24 * HOUR, ahead=HOUR)
TOKEN = timedelta(seconds=ACCESS_TTL_SEC)


def test_the_first_key_signs_at_once() -> None:
    (key,) = kept([], NOW, OURS)
    assert current([key], NOW) == key
    assert kept([key], NOW + 22 * HOUR, OURS) == [key]


def test_the_next_key_is_published_ahead_and_the_last_stays() -> None:
    (first,) = kept([], NOW, OURS)
    due = first.not_before + 23 * HOUR
    second, retired = kept([first], due, OURS)
    assert second.not_before == due + HOUR == retired.retires_at
    assert second.revision > first.revision == retired.revision
    both = [second, retired]
    assert kept(both, due, OURS) == both
    assert current(both, due) == retired
    assert current(both, second.not_before) == second
    assert kept(both, second.not_before + TOKEN, OURS) == both
    (left,) = kept(both, second.not_before + TOKEN + timedelta(minutes=1), OURS)
    assert left.kid == second.kid
    assert left.revision > second.revision


def test_at_once_means_now_and_only_once() -> None:
    keys = kept([], NOW, OURS)
    rotated = kept(keys, NOW, OURS, at_once=True)
    assert [key.not_before > NOW for key in rotated] == [True, False]
    assert kept(rotated, NOW, OURS, at_once=True) == rotated


@settings(max_examples=60)
@given(
    steps=st.lists(
        st.tuples(st.integers(1, 20_000), st.integers(0, 9).map(lambda each: each == 0)),
        min_size=1,
        max_size=40,
    )
)
def test_whatever_the_ticks_tokens_are_good_for_their_time(
    steps: list[tuple[int, bool]],
) -> None:
    keys = kept([], NOW, OURS)
    seen = {keys[0].kid: NOW - OURS.ahead}  # Nobody could have the first one any sooner.
    signed: list[tuple[str, datetime]] = []
    now = NOW
    for seconds, at_once in steps:
        before, keys = keys, kept(keys, now, OURS, at_once=at_once)
        told = (keys[0].revision, [key.kid for key in keys])
        was = (before[0].revision, [key.kid for key in before])
        assert (told == was) or told[0] > was[0]
        for key in keys:
            seen.setdefault(key.kid, now)
        signing = current(keys, now)
        assert signing is not None
        assert len([key for key in keys if key.is_current(now)]) == 1
        assert now - seen[signing.kid] >= OURS.ahead
        signed.append((signing.kid, now))
        shown = {key.kid for key in keys}
        assert all(kid in shown for kid, at in signed if now < at + TOKEN)
        assert len(keys) <= 3
        now += timedelta(seconds=seconds)
