"""The environment of a local system: addresses and random secrets, made once.

The file is the same list that ``.env.example`` documents. A process never sees
all of it: `ops.run` picks what its type may have.
"""

import json
import secrets
import shlex
from collections.abc import Mapping

from joserfc.jwk import OKPKey

from ops.local.layout import PORTS, Layout
from ops.local.settings_file import read

POSTGRES_SERVICES = ("auth", "user", "venue", "order", "payment", "view")
REDIS_SERVICES = ("expiration", "venue")
SERVICES = (*POSTGRES_SERVICES, "ticket", "expiration", "edge")
SEALED = ("auth", "edge")


def _password() -> str:
    return secrets.token_hex(20)


def local_hosts(layout: Layout) -> dict[str, str]:
    """Where each server listens, as ``host:port``, on this machine."""
    return {name: f"127.0.0.1:{layout.port(name)}" for name in PORTS}


def _addresses(at: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for service in SERVICES:
        prefix = f"FOYER_{service.upper()}"
        found[f"{prefix}_AMQP_URL"] = f"amqp://{service}:{_password()}@{at['amqp']}/foyer"
        database = {"edge": "view"}.get(service, service)
        if database in POSTGRES_SERVICES:
            found[f"{prefix}_DATABASE_URL"] = (
                f"postgresql://{service}:{_password()}@{at['postgresql']}/{database}_db"
            )
    mongo, redis, admin = at["mongodb"], at["redis"], _password()
    for service in REDIS_SERVICES:
        address = f"redis://{service}:{_password()}@{redis}/0"
        found[f"FOYER_{service.upper()}_REDIS_URL"] = address
    return found | {
        "FOYER_TICKET_MONGO_URL": f"mongodb://ticket:{_password()}@{mongo}/ticket_db"
        "?replicaSet=rs0&authSource=ticket_db",
        "FOYER_ADMIN_AMQP_URL": f"amqp://admin:{admin}@{at['amqp']}/foyer",
        "FOYER_RABBITMQ_API_URL": f"http://admin:{admin}@{at['console']}",
        "FOYER_ADMIN_DATABASE_URL": f"postgresql://admin:{_password()}@{at['postgresql']}/postgres",
        "FOYER_ADMIN_MONGO_URL": f"mongodb://admin:{_password()}@{mongo}/admin"
        "?directConnection=true&authSource=admin",
        "FOYER_ADMIN_REDIS_URL": f"redis://admin:{_password()}@{redis}/0",
    }


def _keys() -> dict[str, str]:
    found = {}
    for service in SEALED:
        key = OKPKey.generate_key("X25519")
        prefix = f"FOYER_{service.upper()}_SEAL"
        found[f"{prefix}_KEY"] = json.dumps(key.as_dict(private=True))
        found[f"{prefix}_PUBLIC_KEY"] = json.dumps(key.as_dict(private=False))
    return found


def generate(at: Mapping[str, str]) -> dict[str, str]:
    """A whole new environment for a system whose servers listen there (``host:port``)."""
    return {
        **_addresses(at),
        **_keys(),
        "FOYER_OPERATOR_PASSWORD": _password(),
        "STRIPE_API_KEY": f"sk_test_{secrets.token_hex(16)}",
        "STRIPE_PUBLISHABLE_KEY": f"pk_test_{secrets.token_hex(16)}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
        "STRIPE_API_BASE": f"http://{at['stripe']}",
    }


def ensure(layout: Layout, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The system's environment: generated the first time, then kept and only added to.

    What is `given` by a person takes the place of what was kept.
    """
    known = read(layout.secrets) if layout.secrets.exists() else {}
    wanted = generate(local_hosts(layout)) | known | dict(given or {})
    if wanted != known:
        layout.directory.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={shlex.quote(value)}" for name, value in wanted.items()]
        fresh = layout.secrets.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
        fresh.rename(layout.secrets)
    return wanted
