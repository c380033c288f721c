"""The other three servers, and the list of all: how each is started and asked whether it serves."""

from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pymongo
import pymongo.errors
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ops.local.layout import ROOT, Layout
from ops.local.postgresql import postgresql
from ops.local.server import Server, Settings, password_of, private_file, tied

MONGOD = ROOT / ".venv" / "mongodb" / "fiftyone" / "db" / "bin" / "mongod"
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

# Redis

_RIGHTS = {
    "expiration": "~EXPIRATION_* ~inbox:* ~lock:* ~outbox ~outbox:* ~relay:*"
    " +@all -@admin -@dangerous +info",
    "venue": "~venue:* +@all -@admin -@dangerous",
}
"""Each service's own keys, and none of what changes the server or another's keys."""


def redis_users(settings: Settings) -> dict[str, list[str]]:
    """Return the rules of each service's user, as `ACL SETUSER` and an ACL file know them."""
    return {
        name: ["on", f">{password_of(settings, f'FOYER_{name.upper()}_REDIS_URL')}", *keys.split()]
        for name, keys in _RIGHTS.items()
    }


def _redis_ready(settings: Settings) -> bool:
    try:
        client = redis.Redis.from_url(
            settings["FOYER_ADMIN_REDIS_URL"], socket_timeout=2, retry=Retry(NoBackoff(), 0)
        )
        with client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def redis_server(layout: Layout, settings: Settings) -> Server:
    """Redis with an append-only file and one user per service; nobody by default."""
    data = layout.data("redis")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    admin = password_of(settings, "FOYER_ADMIN_REDIS_URL")
    services = redis_users(settings)
    users = private_file(
        layout.directory / "redis.acl",
        # Nobody can sign in as this one, but Redis loads its own log as it: without rights it
        # would drop every transaction at each start.
        "user default off ~* &* +@all\n"
        + "".join(f"user {name} {' '.join(rules)}\n" for name, rules in services.items())
        + f"user admin on >{admin} ~* &* +@all\n",
    )
    config = private_file(
        layout.directory / "redis.conf",
        f"port {layout.port('redis')}\n"
        "bind 127.0.0.1\n"
        "daemonize no\n"
        # Otherwise Redis overwrites its environment, by which leftovers are found.
        "set-proc-title no\n"
        f'dir "{data}"\n'
        f'aclfile "{users}"\n'
        "appendonly yes\n"
        "appendfsync everysec\n"
        'save ""\n',
    )
    command = tied("TERM", ["/usr/bin/redis-server", str(config)])
    return Server("redis", command, _redis_ready)


# RabbitMQ


def _rabbitmq_ready(settings: Settings) -> bool:
    url = f"{settings['FOYER_RABBITMQ_API_URL']}/api/health/checks/port-listener/"
    port = urlsplit(settings["FOYER_ADMIN_AMQP_URL"]).port
    try:
        return httpx.get(f"{url}{port}", timeout=5).is_success
    except httpx.HTTPError:
        return False


def epmd(layout: Layout) -> Server:
    """Erlang's name server: in the foreground, instead of one that outlives RabbitMQ."""
    port = str(layout.port("epmd"))
    command = ["/usr/bin/epmd", "-port", port, "-address", "127.0.0.1"]
    return Server("epmd", tied("TERM", command), lambda _: True)


def _rabbitmq_config(layout: Layout, settings: Settings) -> Path:
    return private_file(
        layout.directory / "rabbitmq.conf",
        f"listeners.tcp.local = 127.0.0.1:{layout.port('amqp')}\n"
        "management.tcp.ip = 127.0.0.1\n"
        f"management.tcp.port = {layout.port('console')}\n"
        "default_vhost = foyer\n"
        "default_user = admin\n"
        f"default_pass = {password_of(settings, 'FOYER_ADMIN_AMQP_URL')}\n"
        "raft.wal_max_size_bytes = 64000000\n"
        "collect_statistics_interval = 5000\n"
        "vm_memory_high_watermark.absolute = 1GB\n"
        "disk_free_limit.absolute = 200MB\n"
        "log.console = true\n"
        "log.console.level = info\n"
        "log.file = false\n",
    )


def rabbitmq(layout: Layout, settings: Settings) -> Server:
    """RabbitMQ with its console; the first user it makes is ours, so guest never exists.

    The package's script in /usr/sbin insists on its own user and folder; the one
    in its library folder does not. ``RABBITMQ_ALLOW_INPUT`` makes that one
    ``exec`` Erlang instead of keeping a shell between it and supervisord.
    """
    data = layout.data("rabbitmq")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    plugins = private_file(layout.directory / "rabbitmq.plugins", "[rabbitmq_management].\n")
    environment = {
        "HOME": str(data),  # The cookie lives here.
        "ERL_EPMD_PORT": str(layout.port("epmd")),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_FLAGS": "-start_epmd false",  # A broker that stops would start one for good.
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_NODENAME": f"foyer{layout.base}@localhost",
        "RABBITMQ_DIST_PORT": str(layout.port("erlang")),
        "RABBITMQ_MNESIA_BASE": str(data),
        "RABBITMQ_LOG_BASE": str(layout.log),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONFIG_FILE": str(_rabbitmq_config(layout, settings)),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_SERVER_START_ARGS": "-noinput +B i",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none "
        "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    command = tied("TERM", [str(RABBITMQ)])
    return Server("rabbitmq", command, _rabbitmq_ready, environment=environment, slow=True)


# MongoDB


def _mongo_client(url: str) -> "pymongo.MongoClient[dict[str, object]]":
    return pymongo.MongoClient(url, directConnection=True, serverSelectionTimeoutMS=1000)


def _mongo_first_start(settings: Settings) -> None:
    """Through the exception for localhost that lasts until the first user exists."""
    url = urlsplit(settings["FOYER_ADMIN_MONGO_URL"])
    host = f"{url.hostname}:{url.port}"
    with _mongo_client(f"mongodb://{host}") as client:
        hello = client.admin.command("hello")
        if not hello.get("setName"):
            members = [{"_id": 0, "host": host}]
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        if client.admin.command("hello").get("isWritablePrimary"):
            password = password_of(settings, "FOYER_ADMIN_MONGO_URL")
            client.admin.command("createUser", "admin", pwd=password, roles=["root"])


def _mongo_ready(settings: Settings) -> bool:
    try:
        with _mongo_client(settings["FOYER_ADMIN_MONGO_URL"]) as client:
            client.admin.command("ping")
            return bool(client.admin.command("hello").get("isWritablePrimary"))
    except pymongo.errors.OperationFailure:  # No such user yet: the very first start.
        with suppress(pymongo.errors.PyMongoError):
            _mongo_first_start(settings)
    except pymongo.errors.PyMongoError:
        pass
    return False


def mongodb(layout: Layout, settings: Settings) -> Server:
    """One mongod as a replica set of itself, since transactions need one."""
    data = layout.data("mongodb")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = private_file(
        layout.directory / "mongodb.key",
        password_of(settings, "FOYER_ADMIN_MONGO_URL"),
        0o400,
    )
    command = [
        str(MONGOD),
        f"--dbpath={data}",
        f"--port={layout.port('mongodb')}",
        "--bind_ip=127.0.0.1",
        "--nounixsocket",
        "--replSet=rs0",
        "--auth",
        f"--keyFile={key}",
        "--wiredTigerCacheSizeGB=0.5",
        "--setParameter=transactionLifetimeLimitSeconds=5",
        "--setParameter=diagnosticDataCollectionEnabled=false",
    ]
    return Server("mongodb", tied("TERM", command), _mongo_ready)


def all_servers(layout: Layout, settings: Settings) -> list[Server]:
    """Every server of a local system."""
    return [
        epmd(layout),
        rabbitmq(layout, settings),
        mongodb(layout, settings),
        redis_server(layout, settings),
        postgresql(layout, settings),
    ]
