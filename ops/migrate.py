"""The migrate step: roles and databases, each store's migrations, the broker's topology.

The only step that holds administrators' rights. It can be run again at any
time, beside a running system: what is there already is left as it is.
"""

import argparse
import importlib
import importlib.util
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import pymongo
import redis
import structlog
import yoyo
from psycopg import sql

from bus import topology
from bus.service import Service
from bus.settings import checked, retry_delays, seconds
from bus.stores import mongo
from bus.stores.postgres import tables
from ops.local.layout import ROOT, Layout
from ops.local.servers import redis_users
from ops.local.settings import POSTGRES_SERVICES, SERVICES
from ops.local.settings_file import read as read_settings

_log = structlog.get_logger("migrate")
_MONGO_ROLE = "readWrite"


def _credentials(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return unquote(parts.username or ""), unquote(parts.password or "")


def _role(admin: psycopg.Connection, name: str, password: str) -> None:
    found = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    verb = sql.SQL("ALTER ROLE" if found else "CREATE ROLE")
    admin.execute(
        sql.SQL("{} {} LOGIN PASSWORD {}").format(verb, sql.Identifier(name), sql.Literal(password))
    )


def _database(admin: psycopg.Connection, name: str, owner: str) -> None:
    found = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
    database, role = sql.Identifier(name), sql.Identifier(owner)
    if not found:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))


def _postgresql(settings: Mapping[str, str]) -> None:
    """Roles and databases; each role may connect to its own database only."""
    with psycopg.connect(settings["FOYER_ADMIN_DATABASE_URL"], autocommit=True) as admin:
        for service in (*POSTGRES_SERVICES, "edge"):
            _role(admin, *_credentials(settings[f"FOYER_{service.upper()}_DATABASE_URL"]))
        for service in POSTGRES_SERVICES:
            _database(admin, f"{service}_db", service)
        admin.execute("GRANT CONNECT ON DATABASE view_db TO edge")
        admin.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
    for service in POSTGRES_SERVICES:
        _schema(service, settings[f"FOYER_{service.upper()}_DATABASE_URL"])


def _schema(service: str, url: str) -> None:
    """Apply what is new of ``migrations/<service>/*.sql`` as the service's own role."""
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(sql.SQL(tables(service)))
    folder = ROOT / "migrations" / service
    if not folder.is_dir():
        return
    backend = yoyo.get_backend(url.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        with backend.lock():
            pending = backend.to_apply(yoyo.read_migrations(str(folder)))
            backend.apply_migrations(pending)
            for migration in pending:
                _log.info("migrated", service=service, migration=migration.id)
    finally:
        backend.connection.close()


def _mongodb(settings: Mapping[str, str]) -> None:
    name, password = _credentials(settings["FOYER_TICKET_MONGO_URL"])
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(
        settings["FOYER_ADMIN_MONGO_URL"]
    )
    with client:
        database = client["ticket_db"]
        known = database.command("usersInfo", name)["users"]
        verb = "updateUser" if known else "createUser"
        roles = [{"role": _MONGO_ROLE, "db": database.name}]
        database.command(verb, name, pwd=password, roles=roles)
        mongo.migrate(database)
        if importlib.util.find_spec("migrations.ticket") is None:
            _log.warning("skipped", step="migrations.ticket", why="the module is missing")
            return
        importlib.import_module("migrations.ticket").migrate(database)


def _redis(settings: Mapping[str, str]) -> None:
    """Users as the server was started with; one that runs since before them learns them here."""
    with redis.Redis.from_url(settings["FOYER_ADMIN_REDIS_URL"]) as admin:
        for name, rules in redis_users(settings).items():
            admin.execute_command("ACL", "SETUSER", name, "reset", *rules)


def broker(settings: Mapping[str, str]) -> None:
    """Exchanges, queues, users, and the bindings that the handlers ask for."""
    hearing = {
        name: service
        for name, service in ((name, _service(name)) for name in SERVICES if name != "edge")
        if service is not None
    }
    heard = {
        name: (service.bindings("commands"), service.bindings("events"))
        for name, service in hearing.items()
    }
    passwords = {
        user: _credentials(settings[f"FOYER_{user.upper()}_AMQP_URL"])[1] for user in SERVICES
    }
    topology.migrate(
        settings["FOYER_RABBITMQ_API_URL"],
        heard,
        passwords,
        _retry_delays(settings),
        settings["FOYER_OPERATOR_PASSWORD"],
        {name: _long(service) for name, service in hearing.items() if "long" in service.queues},
    )


def _retry_delays(settings: Mapping[str, str]) -> tuple[float, ...]:
    name = "FOYER_RETRY_DELAYS_SEC"
    return checked(name, text, seconds) if (text := settings.get(name)) else retry_delays()


def _long(service: Service[Any]) -> tuple[list[str], list[str]]:
    """Return the commands and the events of a service's queue for what takes long."""
    types = [service.handlers[each].message for each in service.bindings("long")]
    commands = [each.TYPE for each in types if each.KIND == "command"]
    return commands, [each.TYPE for each in types if each.KIND == "event"]


def _service(name: str) -> Service[Any] | None:
    """Return a service with its handlers registered; the variable bears the service's name."""
    if not (ROOT / "workers" / name / "handlers.py").exists():
        _log.warning("skipped", step=f"workers.{name}", why="the module is missing")
        return None
    found: Service[Any] = getattr(importlib.import_module(f"workers.{name}.handlers"), name)
    return found


def stores(settings: Mapping[str, str]) -> None:
    """Roles, databases and what is new of each store's migrations."""
    _postgresql(settings)
    _mongodb(settings)
    _redis(settings)


def migrate(settings: Mapping[str, str]) -> None:
    """Bring every store and the broker to what this code expects."""
    stores(settings)
    broker(settings)


def configure(parser: argparse.ArgumentParser) -> None:
    """Nothing to choose."""
    parser.description = __doc__


def run(_args: argparse.Namespace) -> int:
    """Migrate the system that the environment or ``.run/`` names."""
    secrets = Layout.from_environment().secrets
    migrate((read_settings(secrets) if secrets.exists() else {}) | dict(os.environ))
    return 0
