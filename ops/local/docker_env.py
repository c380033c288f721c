"""``python -m ops docker-env``: a new .env for docker compose, with random secrets."""

import argparse
import shlex
import sys

from ops.local.server import password_of
from ops.local.settings import generate

# The containers' names and the ports that their images listen on.
HOSTS = {
    "amqp": "rabbitmq:5672",
    "console": "rabbitmq:15672",
    "postgresql": "postgresql:5432",
    "redis": "redis:6379",
    "mongodb": "mongodb:27017",
    "stripe": "stripe:18006",
}

# What the images of the servers want to know by itself.
_PASSWORDS = {
    "POSTGRESQL_ADMIN_PASSWORD": "FOYER_ADMIN_DATABASE_URL",
    "RABBITMQ_ADMIN_PASSWORD": "FOYER_ADMIN_AMQP_URL",
    "MONGODB_ADMIN_PASSWORD": "FOYER_ADMIN_MONGO_URL",
    "REDIS_ADMIN_PASSWORD": "FOYER_ADMIN_REDIS_URL",
    "REDIS_EXPIRATION_PASSWORD": "FOYER_EXPIRATION_REDIS_URL",
    "REDIS_VENUE_PASSWORD": "FOYER_VENUE_REDIS_URL",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Nothing to choose."""
    parser.description = __doc__


def run(_args: argparse.Namespace) -> int:
    """Print it; where to keep it is the caller's choice."""
    made = generate(HOSTS)
    made |= {name: password_of(made, url) for name, url in _PASSWORDS.items()}
    for name, value in made.items():
        sys.stdout.write(f"{name}={shlex.quote(value)}\n")
    return 0
