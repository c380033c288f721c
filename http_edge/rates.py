"""How often anybody may ask, and how much less often where passwords are tried.

    address     every request, by the client's address (an IPv6 client is its /64)
    user        every request with a token
    sign-in     where a password or a refresh token could be guessed, by the client's address
    account     the same, by the e-mail address that is named, from wherever it comes

Beside them stands how many streams a client may follow at once: a user, or without a token an
address. A limit is counted in the process that answers. Several edge processes count each for
itself, so that a client whose connections reach N of them may ask up to N times as often.

The headers are those of the IETF draft "RateLimit header fields for HTTP", version 10.
"""

import ipaddress
import math
import time
from collections.abc import Iterator, Mapping, Sequence

import limits
from falcon.asgi import Request, Response
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from http_edge.problems import ProblemError, refuse

KINDS = ("address", "user", "sign-in", "account")
ON_LOOPBACK = "address=20000/second, user=5000/second, sign-in=1000/second, account=1000/second"
"""For a machine's own tests and benchmarks: only what is mad is refused."""
FACING_OTHERS = "address=100/second, user=20/second, sign-in=20/minute, account=10/minute"
STREAM_KINDS = ("address", "user")
STREAMS_ON_LOOPBACK = "address=10000, user=10000"
STREAMS_FACING_OTHERS = "address=200, user=20"
"""Behind one address there may be many who watch one map."""
_SWEEP_SEC = 1.0
_IPV6_PREFIX = 64

Rules = Mapping[str, limits.RateLimitItem]
Most = Mapping[str, int]
"""How many streams at once."""
Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


def read_rules(text: str) -> Rules:
    """Read `off` or a list such as `address=100/second, sign-in=10/minute`.

    Raises:
        ValueError: it is neither.
    """
    return {kind: limits.parse(limit) for kind, limit in _read_pairs(text, KINDS)}


def read_most(text: str) -> Most:
    """Read `off` or a list such as `address=200, user=20`.

    Raises:
        ValueError: it is neither.
    """
    return {kind: _read_count(limit) for kind, limit in _read_pairs(text, STREAM_KINDS)}


def _read_count(text: str) -> int:
    if not (text.strip().isascii() and text.strip().isdecimal() and int(text) > 0):
        msg = f"{text.strip()!r} is no whole number of at least 1; `off` sets no limit."
        raise ValueError(msg)
    return int(text)


def _read_pairs(text: str, kinds: Sequence[str]) -> Iterator[tuple[str, str]]:
    if text.strip().lower() == "off":
        return
    for each in text.split(","):
        kind, _, limit = each.partition("=")
        if kind.strip() not in kinds:
            msg = f"{kind.strip()!r} is none of {', '.join(kinds)}."
            raise ValueError(msg)
        yield kind.strip(), limit


def read_networks(text: str) -> Networks:
    """Read a list of addresses or networks.

    Raises:
        ValueError: one is neither.
    """
    return tuple(ipaddress.ip_network(each.strip()) for each in text.split(","))


class Counters(Storage):
    """Counts in memory; the library's own such store walks over all of them every 10 ms."""

    def __init__(self) -> None:
        """Count nothing yet."""
        super().__init__()
        self._counts: dict[str, list[float]] = {}
        self._next_sweep = 0.0

    base_exceptions = ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count `amount` more; the count begins anew `expiry` seconds after its first."""
        now = time.time()
        if now >= self._next_sweep:
            self._next_sweep = now + _SWEEP_SEC
            self._counts = {key: told for key, told in self._counts.items() if told[1] > now}
        told = self._counts.get(key)
        if told is None or told[1] <= now:
            told = self._counts[key] = [0, now + expiry]
        told[0] += amount
        return int(told[0])

    def get(self, key: str) -> int:
        """Return a count."""
        count, until = self._counts.get(key, (0, 0))
        return int(count) if until > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """Return when a count begins anew."""
        return self._counts.get(key, (0, time.time()))[1]

    def check(self) -> bool:
        """Say that memory is there."""
        return True

    def reset(self) -> int:
        """Forget everything."""
        self._counts, forgotten = {}, len(self._counts)
        return forgotten

    def clear(self, key: str) -> None:
        """Forget one count."""
        self._counts.pop(key, None)


class Rates:
    """Counts requests."""

    def __init__(self, rules: Rules, trusted_proxies: Networks = ()) -> None:
        """Believe only `trusted_proxies` about whom they speak for."""
        self._rules = rules
        self._trusted = trusted_proxies
        self._limiter = FixedWindowRateLimiter(Counters())
        self._policy = ", ".join(
            f'"{kind}";q={rule.amount};w={rule.get_expiry()}' for kind, rule in rules.items()
        )

    def spend(self, left: list[str], kind: str, who: str) -> None:
        """Count one request; add what is left to `left`.

        Raises:
            ProblemError: it is one too many.
        """
        rule = self._rules.get(kind)
        if rule is None:
            return
        within = self._limiter.hit(rule, kind, who)
        begins_anew, remaining = self._limiter.get_window_stats(rule, kind, who)
        wait_sec = max(1, math.ceil(begins_anew - time.time()))
        left.append(f'"{kind}";r={remaining};t={wait_sec}')
        if not within:
            raise _too_many(kind, wait_sec)

    def tell(self, resp: Response, left: list[str]) -> None:
        """Say in the answer's headers what is left."""
        if left:
            resp.set_header("RateLimit-Policy", self._policy)
            resp.set_header("RateLimit", ", ".join(left))

    def client(self, req: Request) -> str:
        """Return whose request it is: the peer, or whom trusted proxies in between speak for."""
        told = [each.strip() for each in (req.get_header("X-Forwarded-For") or "").split(",")]
        peer = _plain(req.remote_addr)
        while self._trusted and told and _is_in(peer, self._trusted):
            nearer = told.pop()
            if not nearer:
                break
            peer = _plain(nearer)
        return _group(peer)


def _too_many(kind: str, wait_sec: int) -> ProblemError:
    error = refuse("rate_limited", f"Too many requests ({kind}); wait {wait_sec} s.")
    error.headers["Retry-After"] = str(wait_sec)
    return error


def _plain(address: str) -> str:
    """Write an IPv4 address as one, where a socket for both has it as `::ffff:1.2.3.4`."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    mapped = known.ipv4_mapped if isinstance(known, ipaddress.IPv6Address) else None
    return address if mapped is None else str(mapped)


def _is_in(address: str, networks: Networks) -> bool:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(known in network for network in networks)


def _group(address: str) -> str:
    """Name whoever holds an address: one IPv6 customer has a whole /64."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    except ValueError:
        return address
