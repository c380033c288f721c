"""Rate limits: what is read, what is counted, who is meant."""

from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any, cast

import limits
import pytest
from falcon.asgi import Request

from http_edge import rates
from http_edge.problems import ProblemError
from http_edge.rates import Counters, Rates, read_most, read_networks, read_rules


def request(peer: str, forwarded: str | None = None) -> Request:
    """Make as much of a request as is looked at."""
    return cast("Request", SimpleNamespace(remote_addr=peer, get_header=lambda _: forwarded))


def test_rules_are_read_or_refused_with_a_reason() -> None:
    assert read_rules("off") == {}
    read = read_rules("address=5/second, sign-in=10/minute")
    assert read["address"] == limits.parse("5/second")
    assert read["sign-in"].get_expiry() == 60
    for wrong in ("", "address", "address=5", "everybody=1/second", "address=x/second"):
        with pytest.raises(ValueError, match=r".+"):
            read_rules(wrong)


def test_places_are_read_or_refused_with_a_reason() -> None:
    assert read_most("off") == {}
    assert read_most("address=200, user=20") == {"address": 200, "user": 20}
    for wrong in ("user", "user=x", "user=0", "user=-1"):
        with pytest.raises(ValueError, match="no whole number of at least 1"):
            read_most(wrong)
    for wrong in ("", "sign-in=3"):
        with pytest.raises(ValueError, match="is none of address, user"):
            read_most(wrong)


def test_the_defaults_can_be_read_and_loopback_is_never_below_fifty_a_second() -> None:
    for text in (rates.ON_LOOPBACK, rates.FACING_OTHERS):
        assert set(read_rules(text)) == set(rates.KINDS)
    for text in (rates.STREAMS_ON_LOOPBACK, rates.STREAMS_FACING_OTHERS):
        assert set(read_most(text)) == set(rates.STREAM_KINDS)
    for rule in read_rules(rates.ON_LOOPBACK).values():
        assert rule.amount / rule.get_expiry() >= 50


def test_one_too_many_is_refused_with_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    counted = Rates(read_rules("address=2/minute, user=9/minute"))
    left: list[str] = []
    for _ in range(2):
        counted.spend(left, "address", "1.2.3.4")
    counted.spend(left, "address", "1.2.3.5")
    counted.spend(left, "sign-in", "1.2.3.4")
    with pytest.raises(ProblemError) as refused:
        counted.spend(left, "address", "1.2.3.4")
    assert refused.value.code == "rate_limited"
    assert refused.value.headers["Retry-After"] == "60"
    assert left[0].startswith('"address";r=1;t=')
    assert left[-1].startswith('"address";r=0;t=')
    assert len(left) == 4


def test_a_count_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.time", lambda: now)
    counters = Counters()
    assert [counters.incr("a", 10) for _ in range(3)] == [1, 2, 3]
    assert counters.get_expiry("a") == 1010
    now += 10
    assert counters.get("a") == 0
    assert counters.incr("b", 10) == 1
    assert counters.reset() == 1, "what is over is not kept"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("9.9.9.9", "1.1.1.1", "9.9.9.9"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
        ("2001:db8:1:2:3::4", None, "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("::ffff:a00:1", "::ffff:1.1.1.1, ::ffff:10.0.0.2", "1.1.1.1"),
        ("::ffff:9.9.9.9", "1.1.1.1", "9.9.9.9"),
        ("2001:db8::ffff:1.2.3.4", None, "2001:db8::/64"),
        ("::1.2.3.4", None, "::/64"),
        ("fe80::1%eth0", None, "fe80::/64"),
        ("10.0.0.1", "nonsense", "nonsense"),
        ("10.0.0.1", "no:nsense", "no:nsense"),
    ],
)
def test_only_trusted_proxies_say_for_whom_they_speak(
    peer: str, forwarded: str | None, client: str
) -> None:
    trusting = Rates({}, (ip_network("10.0.0.0/8"),))
    assert trusting.client(request(peer, forwarded)) == client


def test_networks_are_read_or_refused() -> None:
    assert read_networks("10.0.0.0/8, ::1") == (ip_network("10.0.0.0/8"), ip_network("::1"))
    with pytest.raises(ValueError, match="x"):
        read_networks("x")


def test_nothing_is_told_where_nothing_is_limited() -> None:
    told: dict[str, Any] = {}
    answer = cast("Any", SimpleNamespace(set_header=told.__setitem__))
    none = Rates(read_rules("off"))
    left: list[str] = []
    none.spend(left, "address", "1.1.1.1")
    none.tell(answer, left)
    assert told == {}
