"""What the edge must be told, read once and checked before it binds its port."""

import hashlib
import hmac
import socket
from dataclasses import dataclass, field

from bus import settings
from bus.sealing import Opener, Sealer
from http_edge import manners, rates


@dataclass(frozen=True, kw_only=True)
class Tunables:
    """What has a default, and anybody may choose."""

    rate_limits: rates.Rules
    stream_limits: rates.Most
    trusted_proxies: rates.Networks
    """Who may say, in X-Forwarded-For, whose request they pass on."""
    cors_origins: tuple[str, ...]
    admission_backlog: int
    """With so many operations under way, further ones are refused."""


@dataclass(frozen=True, kw_only=True)
class Settings(Tunables):
    """The edge's own settings."""

    amqp_url: str = field(repr=False)
    database_url: str = field(repr=False)
    opener: Opener = field(repr=False)
    """Opens what was sealed to the edge."""
    auth_sealer: Sealer = field(repr=False)
    """Seals to the auth service."""
    request_key: bytes = field(repr=False)
    """Keys the hashes of requests, so that a stored hash does not let a body be guessed."""
    webhook_secret: str = field(repr=False)
    publishable_key: str
    stripe_api_base: str


def read() -> Settings:
    """Read and check them all.

    Raises:
        SettingError: one is missing or wrong.
    """
    seal_key: str = settings.read("FOYER_SEAL_KEY")
    return Settings(
        amqp_url=settings.read("FOYER_AMQP_URL", convert=settings.url("amqp", "amqps")),
        database_url=settings.read(
            "FOYER_DATABASE_URL", convert=settings.url("postgresql", "postgres")
        ),
        opener=settings.read("FOYER_SEAL_KEY", convert=Opener),
        auth_sealer=settings.read("FOYER_AUTH_SEAL_PUBLIC_KEY", convert=Sealer),
        request_key=hmac.digest(seal_key.encode(), b"foyer request hash", hashlib.sha256),
        webhook_secret=settings.read("STRIPE_WEBHOOK_SECRET"),
        publishable_key=settings.read("STRIPE_PUBLISHABLE_KEY"),
        stripe_api_base=settings.read(
            "STRIPE_API_BASE", "https://api.stripe.com", settings.url("http", "https")
        ).rstrip("/"),
        **vars(tunables()),
    )


def tunables() -> Tunables:
    """Read and check what anybody may choose.

    Raises:
        SettingError: one is wrong.
    """
    alone = _host() in ("127.0.0.1", "::1", "[::1]", "localhost")
    return Tunables(
        rate_limits=settings.read(
            "FOYER_RATE_LIMITS",
            rates.read_rules(rates.ON_LOOPBACK if alone else rates.FACING_OTHERS),
            rates.read_rules,
        ),
        stream_limits=settings.read(
            "FOYER_STREAM_LIMITS",
            rates.read_most(rates.STREAMS_ON_LOOPBACK if alone else rates.STREAMS_FACING_OTHERS),
            rates.read_most,
        ),
        trusted_proxies=settings.read("FOYER_TRUSTED_PROXIES", (), rates.read_networks),
        cors_origins=settings.read("FOYER_CORS_ORIGINS", (), manners.read_origins),
        admission_backlog=settings.read(
            "FOYER_ADMISSION_BACKLOG", 20_000, settings.whole(1, 10_000_000)
        ),
    )


def bind() -> str:
    """Return the address to listen on.

    Raises:
        SettingError: the host or the port is not one.
    """
    return f"{_host()}:{settings.read('FOYER_PORT_BASE', 18000, settings.whole(1, 65535))}"


def _host() -> str:
    host: str = settings.read("FOYER_BIND", "127.0.0.1", _known_host)
    return host


def _known_host(text: str) -> str:
    try:
        socket.getaddrinfo(text.strip("[]"), None)
    except OSError as error:
        msg = f"{text!r} is no address and no host that is known here."
        raise ValueError(msg) from error
    return text
