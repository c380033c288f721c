"""A process that is told something wrong says so in one sentence, and ends before it begins."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey

from ops.local import procfile

ROOT = Path(__file__).parents[2]
_KEY = OKPKey.generate_key("X25519")
PRIVATE, PUBLIC = (json.dumps(_KEY.as_dict(private=each)) for each in (True, False))
AMQP = {"FOYER_AMQP_URL": "amqp://nobody:x@127.0.0.1:1/foyer"}
DATABASE = {"FOYER_DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/nothing"}
REDIS = {"FOYER_REDIS_URL": "redis://127.0.0.1:1/0"}
SEALED = {"FOYER_EDGE_SEAL_PUBLIC_KEY": PUBLIC}
STRIPE = {"STRIPE_API_KEY": "sk_test_x", "STRIPE_API_BASE": "http://127.0.0.1:1"}
NEEDED: dict[str, dict[str, str]] = {
    "edge": AMQP
    | DATABASE
    | {
        "FOYER_SEAL_KEY": PRIVATE,
        "FOYER_AUTH_SEAL_PUBLIC_KEY": PUBLIC,
        "STRIPE_WEBHOOK_SECRET": "whsec_x",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_x",
    },
    "auth": AMQP | DATABASE | SEALED | {"FOYER_SEAL_KEY": PRIVATE},
    "auth-long": AMQP | DATABASE | SEALED | {"FOYER_SEAL_KEY": PRIVATE},
    "user": AMQP | DATABASE,
    "ticket": AMQP | {"FOYER_MONGO_URL": "mongodb://127.0.0.1:1/ticket_db"},
    "venue": AMQP | DATABASE | REDIS,
    "venue-long": AMQP | DATABASE | REDIS,
    "order": AMQP | DATABASE,
    "payment": AMQP | DATABASE,
    "gateway": AMQP | DATABASE | SEALED | STRIPE,
    "expiration": AMQP | REDIS,
    "clock": AMQP | REDIS,
    "view": AMQP | DATABASE,
    "view-long": AMQP | DATABASE,
    "stripe": {
        "STRIPE_API_KEY": "sk_test_x",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_x",
        "STRIPE_WEBHOOK_SECRET": "whsec_x",
    },
}
OPTIONAL = {"STRIPE_API_BASE"}
WRONG: dict[str, dict[str, str]] = {
    "edge": {"FOYER_SEAL_KEY": "{}", "FOYER_AMQP_URL": "http://x"},
    "auth": {
        "FOYER_SEAL_KEY": "no key",
        "FOYER_BATCH": "many",
        "FOYER_KEY_AHEAD_SEC": "60",
        "FOYER_KEY_LIFE_SEC": "3599",
    },
    "ticket": {"FOYER_MONGO_URL": "postgresql://x", "FOYER_BATCH": "0"},
    "venue": {"FOYER_DATABASE_URL": "mysql://x", "FOYER_REDIS_URL": "http://x"},
    "order": {
        "FOYER_DATABASE_URL": "mysql://x",
        "FOYER_ORDER_TTL_SEC": "soon",
        "FOYER_PENDING_TTL_SEC": "-1",
        "FOYER_RETRY_DELAYS_SEC": "5,1",
        "FOYER_LOG_LEVEL": "loud",
    },
    "payment": {"FOYER_AMQP_URL": "127.0.0.1"},
    "gateway": {"FOYER_EDGE_SEAL_PUBLIC_KEY": "{}", "STRIPE_API_BASE": "stripe.com"},
    "expiration": {"FOYER_REDIS_URL": "127.0.0.1:6379"},
    "clock": {"FOYER_REDIS_URL": "http://x"},
    "view": {"FOYER_DATABASE_URL": "view_db"},
    "auth-long": {"FOYER_EDGE_SEAL_PUBLIC_KEY": "{}", "FOYER_KEY_LIFE_SEC": "3599"},
    "venue-long": {"FOYER_DATABASE_URL": "mysql://x"},
    "view-long": {"FOYER_AMQP_URL": "http://x"},
}


def _start(process: str, environment: dict[str, str]) -> tuple[int, str]:
    command = procfile.lines()[process]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    program, *arguments = command[command.index("--") + 1 :]
    done = subprocess.run(
        [shutil.which(program, path=path) or program, *arguments],
        cwd=ROOT,
        env={"PATH": path, "FOYER_PORT_BASE": "18990"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("process", procfile.lines())
def test_one_sentence_names_the_variable(process: str) -> None:
    needed = NEEDED[process]
    cases = [
        (name, {k: v for k, v in needed.items() if k != name}) for name in needed.keys() - OPTIONAL
    ]
    cases += [(name, needed | {name: value}) for name, value in WRONG.get(process, {}).items()]
    with ThreadPoolExecutor(2) as pool:
        ends = pool.map(lambda case: _start(process, case[1]), cases)
    for (name, _), (code, said) in zip(cases, ends, strict=True):
        assert (code, said.count("\n")) == (2, 1), (name, code, said)
        assert name in said, said
