"""A process holds its own service's secrets, and nobody around it holds more than they need."""

import stat
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ops.local import procfile
from ops.local.stack import Stack
from ops.local.supervision import ProcessInfo, children
from ops.run import TYPES

pytestmark = pytest.mark.stack

# What a process of each type is given, by the name in the whole system's environment.
HOLDS: dict[str, dict[str, str]] = {
    "edge": {
        "FOYER_AMQP_URL": "FOYER_EDGE_AMQP_URL",
        "FOYER_DATABASE_URL": "FOYER_EDGE_DATABASE_URL",
        "FOYER_SEAL_KEY": "FOYER_EDGE_SEAL_KEY",
        "FOYER_AUTH_SEAL_PUBLIC_KEY": "FOYER_AUTH_SEAL_PUBLIC_KEY",
        "STRIPE_API_BASE": "STRIPE_API_BASE",
        "STRIPE_PUBLISHABLE_KEY": "STRIPE_PUBLISHABLE_KEY",
        "STRIPE_WEBHOOK_SECRET": "STRIPE_WEBHOOK_SECRET",
    },
    "auth": {
        "FOYER_AMQP_URL": "FOYER_AUTH_AMQP_URL",
        "FOYER_DATABASE_URL": "FOYER_AUTH_DATABASE_URL",
        "FOYER_SEAL_KEY": "FOYER_AUTH_SEAL_KEY",
        "FOYER_EDGE_SEAL_PUBLIC_KEY": "FOYER_EDGE_SEAL_PUBLIC_KEY",
    },
    "user": {
        "FOYER_AMQP_URL": "FOYER_USER_AMQP_URL",
        "FOYER_DATABASE_URL": "FOYER_USER_DATABASE_URL",
    },
    "ticket": {
        "FOYER_AMQP_URL": "FOYER_TICKET_AMQP_URL",
        "FOYER_MONGO_URL": "FOYER_TICKET_MONGO_URL",
    },
    "venue": {
        "FOYER_AMQP_URL": "FOYER_VENUE_AMQP_URL",
        "FOYER_DATABASE_URL": "FOYER_VENUE_DATABASE_URL",
        "FOYER_REDIS_URL": "FOYER_VENUE_REDIS_URL",
    },
    "order": {
        "FOYER_AMQP_URL": "FOYER_ORDER_AMQP_URL",
        "FOYER_DATABASE_URL": "FOYER_ORDER_DATABASE_URL",
    },
    "payment": {
        "FOYER_AMQP_URL": "FOYER_PAYMENT_AMQP_URL",
        "FOYER_DATABASE_URL": "FOYER_PAYMENT_DATABASE_URL",
    },
    "expiration": {
        "FOYER_AMQP_URL": "FOYER_EXPIRATION_AMQP_URL",
        "FOYER_REDIS_URL": "FOYER_EXPIRATION_REDIS_URL",
    },
    "view": {
        "FOYER_AMQP_URL": "FOYER_VIEW_AMQP_URL",
        "FOYER_DATABASE_URL": "FOYER_VIEW_DATABASE_URL",
    },
    "stripe": {
        "STRIPE_API_KEY": "STRIPE_API_KEY",
        "STRIPE_API_BASE": "STRIPE_API_BASE",
        "STRIPE_PUBLISHABLE_KEY": "STRIPE_PUBLISHABLE_KEY",
        "STRIPE_WEBHOOK_SECRET": "STRIPE_WEBHOOK_SECRET",
    },
}
CALLS_STRIPE = {
    "FOYER_EDGE_SEAL_PUBLIC_KEY": "FOYER_EDGE_SEAL_PUBLIC_KEY",
    "STRIPE_API_KEY": "STRIPE_API_KEY",
    "STRIPE_API_BASE": "STRIPE_API_BASE",
}
HOLDS |= {"gateway": HOLDS["payment"] | CALLS_STRIPE, "clock": HOLDS["expiration"]}
HOLDS |= {f"{each}-long": HOLDS[each] for each in ("auth", "venue", "view")}
PLAIN = {
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ"),
    *("FOYER_PORT_BASE", "FOYER_RUN_DIRECTORY", "FOYER_METRICS_DIR"),
}


def environment_of(pid: int) -> dict[str, str]:
    """Return what a process was started with."""
    text = Path(f"/proc/{pid}/environ").read_bytes().decode()
    return dict(each.split("=", 1) for each in text.split("\0") if "=" in each)


def ours(whole: Stack) -> dict[str, ProcessInfo]:
    found = {each.name: each for each in whole.status()}
    return {n: each for n, each in found.items() if procfile.type_of(n) in procfile.lines()}


def secrets_of(whole: Stack) -> dict[str, str]:
    """Return every secret of the system by its setting: of an address, the password."""
    known = whole.environment()
    found = {}
    for name, value in known.items():
        if name.endswith("_URL"):
            found[name] = urlsplit(value).password or ""
        elif name.endswith(("_SEAL_KEY", "_PASSWORD", "_API_KEY", "_SECRET")):
            found[name] = value
    assert len(set(found.values()) - {""}) > 15
    return found


def test_the_list_knows_every_type_of_process() -> None:
    assert set(HOLDS) == set(TYPES) == set(procfile.lines())


@pytest.mark.parametrize("kind", TYPES)
def test_a_process_holds_its_own_settings_and_no_others(whole: Stack, kind: str) -> None:
    known = whole.environment()
    running = ours(whole)[f"{kind}-1"]
    for pid in (running.pid, *children(running.pid)):
        held = environment_of(pid)
        assert {n: v for n, v in held.items() if n not in PLAIN and n in HOLDS[kind]} == {
            name: known[full] for name, full in HOLDS[kind].items()
        }
        assert held.keys() - PLAIN - HOLDS[kind].keys() == set()
        text = "\0".join(held.values())
        own = set(HOLDS[kind].values())
        foreign = {n for n, secret in secrets_of(whole).items() if secret and secret in text}
        assert {n for n in foreign - own if n not in same_secret(whole, own)} == set()


def same_secret(whole: Stack, settings: set[str]) -> set[str]:
    """Return the settings that hold a secret which these settings hold, too."""
    known = secrets_of(whole)
    values = {known[name] for name in settings if name in known}
    return {name for name, secret in known.items() if secret in values}


def test_nobody_shares_a_password(whole: Stack) -> None:
    """The broker's administrator has two addresses; everybody else has one password for one."""
    holders: dict[str, list[str]] = {}
    for name, secret in secrets_of(whole).items():
        if secret:
            holders.setdefault(secret, []).append(name)
    shared = sorted(names for names in holders.values() if len(names) > 1)
    assert shared == [["FOYER_ADMIN_AMQP_URL", "FOYER_RABBITMQ_API_URL"]]


def test_the_supervisor_holds_no_secret_and_passes_none(whole: Stack) -> None:
    secrets = {secret for secret in secrets_of(whole).values() if secret}
    supervisor = int(whole.layout.pidfile.read_text())
    text = "\0".join(environment_of(supervisor).values())
    assert not [secret for secret in secrets if secret in text]
    config = whole.layout.config.read_text()
    assert not [secret for secret in secrets if secret in config]


def test_no_command_line_shows_a_secret(whole: Stack) -> None:
    """Anybody on the machine may read those."""
    secrets = {secret for secret in secrets_of(whole).values() if secret}
    running = [each for each in whole.status() if each.pid]
    assert len(running) >= len(TYPES) + 4
    for each in running:
        for pid in (each.pid, *children(each.pid)):
            line = ""
            with suppress(FileNotFoundError, ProcessLookupError):  # A server's child may end.
                line = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            assert not [secret for secret in secrets if secret in line], each.name


def test_files_with_secrets_are_their_owners_only(whole: Stack) -> None:
    layout = whole.layout
    secrets = {secret.encode() for secret in secrets_of(whole).values() if secret}
    holding = [
        path
        for path in layout.directory.iterdir()
        if path.is_file() and any(secret in path.read_bytes() for secret in secrets)
    ]
    assert layout.secrets in holding
    for path in (*holding, layout.config):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE(layout.log.stat().st_mode) == 0o700


def test_no_log_shows_a_secret(whole: Stack) -> None:
    secrets = {secret.encode() for secret in secrets_of(whole).values() if secret}
    for path in whole.layout.log.iterdir():
        text = path.read_bytes() if path.is_file() else b""
        assert not [secret for secret in secrets if secret in text], path.name
