"""Each service's store knows nobody else; the edge reads the views and writes operations."""

from collections.abc import Iterator
from itertools import product
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import psycopg.errors
import pymongo
import pymongo.errors
import pytest
import redis
import redis.exceptions
from psycopg import sql
from redis.backoff import NoBackoff
from redis.retry import Retry

from ops.local.stack import Stack
from ops.stores import POSTGRES

pytestmark = pytest.mark.stack
ROLES = (*POSTGRES, "edge")
DATABASES = (*(f"{service}_db" for service in POSTGRES), "postgres", "template1")
HOME = {service: f"{service}_db" for service in POSTGRES} | {"edge": "view_db"}


def address(whole: Stack, role: str, database: str | None = None) -> str:
    """Return a role's login, to another database if one is named."""
    url = urlsplit(whole.environment()[f"FOYER_{role.upper()}_DATABASE_URL"])
    return urlunsplit(url._replace(path=f"/{database}")) if database else urlunsplit(url)


# PostgreSQL


@pytest.mark.parametrize(("role", "database"), list(product(ROLES, DATABASES)))
def test_a_role_connects_to_its_own_database_only(whole: Stack, role: str, database: str) -> None:
    if HOME[role] == database:
        psycopg.connect(address(whole, role, database)).close()
        return
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(address(whole, role, database))


def test_a_roles_password_is_asked_for(whole: Stack) -> None:
    known = urlsplit(address(whole, "order"))
    for password in ("", "order", urlsplit(address(whole, "view")).password):
        at = f"order:{password}@{known.hostname}:{known.port}"
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(urlunsplit(known._replace(netloc=at)))


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_nothing_but_itself(whole: Stack, role: str) -> None:
    with psycopg.connect(address(whole, role), autocommit=True) as own:
        rights = own.execute(
            "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert rights == (False,)
        for other in {*ROLES, "admin", "pg_read_all_data", "pg_signal_backend"} - {role}:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                own.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(other)))
        for attempt in (
            "SELECT pg_read_file('PG_VERSION')",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "CREATE DATABASE more",
            "CREATE EXTENSION dblink",
            "ALTER SYSTEM SET fsync = off",
        ):
            with pytest.raises(
                (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFile)
            ):
                own.execute(attempt.encode())


@pytest.mark.parametrize("role", ROLES)
def test_a_role_neither_sees_nor_ends_what_others_do(whole: Stack, role: str) -> None:
    with psycopg.connect(address(whole, role), autocommit=True) as own:
        others = own.execute(
            "SELECT pid, query FROM pg_stat_activity"
            " WHERE usename IS NOT NULL AND usename <> current_user"
        ).fetchall()
        assert others, "the other services are connected"
        assert {query for _, query in others} == {"<insufficient privilege>"}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            own.execute("SELECT pg_terminate_backend(%s)", [others[0][0]])


@pytest.fixture
def edge(whole: Stack) -> Iterator[psycopg.Connection]:
    """The edge's own connection."""
    with psycopg.connect(address(whole, "edge"), autocommit=True) as connection:
        yield connection


SHOWN = {
    *("operation_steps", "tickets", "ticket_endings", "orders", "order_timeline", "payments"),
    *("accounts", "people", "signing_keys", "notified", "notifications"),
    *("venues", "organizer_settings", "plans", "plan_layouts", "seats", "areas"),
    *("seat_maps", "seat_map_changes"),
}


def test_the_edge_changes_nothing_that_is_shown(edge: psycopg.Connection) -> None:
    found = edge.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    tables = {name for (name,) in found}
    assert tables >= SHOWN | {"operations", "inbox", "outbox"}
    rights = edge.execute(
        "SELECT t, p FROM unnest(%s::text[]) AS t,"
        " unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS p"
        " WHERE has_table_privilege(t, p)",
        [sorted(tables)],
    ).fetchall()
    assert set(rights) == {(name, "SELECT") for name in SHOWN} | {("operations", "INSERT")}
    assert edge.execute(
        "SELECT count(*) FROM unnest(%s::text[]) AS t WHERE has_any_column_privilege(t, 'UPDATE')",
        [sorted(tables)],
    ).fetchone() == (0,)


@pytest.mark.parametrize(
    "attempt",
    [
        "UPDATE operations SET status = 'succeeded', finished_at = now()",
        "UPDATE operations SET result = '{}'",
        "DELETE FROM operations",
        "TRUNCATE operations",
        "SELECT secret FROM operations",
        "SELECT * FROM operations",
        "INSERT INTO operations (type, route, command) VALUES ('', '', '{}') RETURNING secret",
        "COPY operations TO STDOUT",
        "UPDATE orders SET status = 'CONFIRMED'",
        "DELETE FROM tickets",
        "INSERT INTO signing_keys VALUES ('x', 1, '{}')",
        "SELECT * FROM inbox",
        "SELECT * FROM outbox",
        "INSERT INTO outbox (event_type, payload, claim) VALUES ('a', '{}', 1)",
        "CREATE TABLE mine (id int)",
        "CREATE TEMP TABLE mine (id int)",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE operations OWNER TO edge",
        "GRANT SELECT ON inbox TO edge",
    ],
)
def test_the_edge_may_not(edge: psycopg.Connection, attempt: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        edge.execute(attempt.encode())


def test_the_edge_takes_a_secret_by_its_operation_and_once(
    whole: Stack, edge: psycopg.Connection
) -> None:
    operation = uuid4()
    with psycopg.connect(address(whole, "view"), autocommit=True) as view:
        view.execute(
            "INSERT INTO operations (id, type, route, command, status, finished_at, secret)"
            " VALUES (%s, 'auth.session.open', 'POST /test', '{}', 'succeeded', now(), %s)",
            [operation, '{"sealed": "x"}'],
        )
        take = "SELECT take_secret(%s)"
        assert edge.execute(take, [uuid4()]).fetchone() == (None,)
        assert edge.execute(take, [operation]).fetchone() == ({"sealed": "x"},)
        assert edge.execute(take, [operation]).fetchone() == (None,)
        view.execute("DELETE FROM operations WHERE id = %s", [operation])


# MongoDB


def test_mongodb_knows_the_ticket_service_only(whole: Stack) -> None:
    known = whole.environment()
    with pymongo.MongoClient[dict[str, object]](known["FOYER_ADMIN_MONGO_URL"]) as admin:
        users = {
            (each["db"], each["user"]): each["roles"]
            for each in admin.admin.command("usersInfo", {"forAllDBs": True})["users"]
        }
    assert users.keys() == {("admin", "admin"), ("ticket_db", "ticket")}
    assert users["ticket_db", "ticket"] == [{"role": "readWrite", "db": "ticket_db"}]


def test_the_ticket_service_stays_in_its_database(whole: Stack) -> None:
    with pymongo.MongoClient[dict[str, object]](
        whole.environment()["FOYER_TICKET_MONGO_URL"]
    ) as own:
        assert own.ticket_db.tickets.estimated_document_count() >= 0
        for attempt in (
            own.order_db.orders.find_one,
            lambda: own.order_db.orders.insert_one({}),
            own.admin.system.users.find_one,
            own.local["oplog.rs"].find_one,
            own.config.transactions.find_one,
            lambda: own.ticket_db.command("createUser", "more", pwd="x", roles=["root"]),
            lambda: own.ticket_db.command("grantRolesToUser", "ticket", roles=["dbOwner"]),
            lambda: own.drop_database("ticket_db"),
            lambda: own.admin.command("shutdown"),
            lambda: own.admin.command("setParameter", 1, logLevel=5),
        ):
            with pytest.raises(pymongo.errors.OperationFailure) as refused:
                attempt()
            assert refused.value.code == 13, refused.value  # Unauthorized.


def test_mongodb_answers_nobody_without_a_login(whole: Stack) -> None:
    known = whole.environment()
    ticket = urlsplit(known["FOYER_TICKET_MONGO_URL"])
    anonymous = f"mongodb://{ticket.hostname}:{ticket.port}/?directConnection=true"
    with pymongo.MongoClient[dict[str, object]](anonymous) as nobody:
        with pytest.raises(pymongo.errors.OperationFailure):
            nobody.ticket_db.tickets.find_one()
        with pytest.raises(pymongo.errors.OperationFailure):
            nobody.admin.command("createUser", "more", pwd="x", roles=["root"])
    other = urlsplit(known["FOYER_ORDER_DATABASE_URL"])
    at = (
        f"mongodb://order:{other.password}@{ticket.hostname}:{ticket.port}/ticket_db?{ticket.query}"
    )
    with (
        pymongo.MongoClient[dict[str, object]](at) as order,
        pytest.raises(pymongo.errors.OperationFailure),
    ):
        order.ticket_db.tickets.find_one()


# Redis


def test_redis_answers_nobody_without_a_login(whole: Stack) -> None:
    port = whole.layout.port("redis")
    once = Retry(NoBackoff(), 0)  # As shipped, the client tries a wrong login for seconds.
    with redis.Redis(port=port, retry=once) as nobody, pytest.raises(redis.AuthenticationError):
        nobody.get("EXPIRATION_TIMERS")
    known = whole.environment()
    for service in POSTGRES:
        password = urlsplit(known[f"FOYER_{service.upper()}_DATABASE_URL"]).password
        with (
            redis.Redis(port=port, username=service, password=password, retry=once) as other,
            pytest.raises(redis.AuthenticationError),
        ):
            other.ping()


@pytest.mark.parametrize(
    "attempt",
    [
        "CONFIG GET *",
        "CONFIG SET appendonly no",
        "ACL LIST",
        "ACL SETUSER more on nopass",
        "FLUSHALL",
        "FLUSHDB",
        "KEYS *",
        "CLIENT KILL TYPE normal",
        "SHUTDOWN NOSAVE",
        "REPLICAOF 127.0.0.1 1",
        "MODULE LIST",
        "CLIENT LIST",
        "MONITOR",
        "SAVE",
        "BGREWRITEAOF",
    ],
)
@pytest.mark.parametrize("service", ["EXPIRATION", "VENUE"])
def test_a_service_does_not_administrate_redis(whole: Stack, service: str, attempt: str) -> None:
    url = whole.environment()[f"FOYER_{service}_REDIS_URL"]
    with redis.Redis.from_url(url) as own, pytest.raises(redis.exceptions.NoPermissionError):
        own.execute_command(*attempt.split())


@pytest.mark.parametrize("service", ["expiration", "venue"])
@pytest.mark.parametrize("attempt", ["GET {}", "SET {} 1", "DEL {}", "ZCARD {}"])
def test_a_service_stays_with_its_own_keys_in_redis(
    whole: Stack, service: str, attempt: str
) -> None:
    foreign = {"expiration": "venue:x", "venue": "EXPIRATION_TIMERS"}[service]
    url = whole.environment()[f"FOYER_{service.upper()}_REDIS_URL"]
    with redis.Redis.from_url(url) as own, pytest.raises(redis.exceptions.NoPermissionError):
        own.execute_command(*attempt.format(foreign).split())
