"""One edge process on the real servers, without workers: the tests play auth and the views."""

import uuid
from collections.abc import Iterator, Mapping

import httpx
import orjson
import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from ops.local.stack import Stack
from tests.journeys.edge.parts import Bus, EdgeProcess, Signer, wait_for


@pytest.fixture(scope="session")
def known(stack: Stack) -> Mapping[str, str]:
    return stack.environment()


@pytest.fixture(scope="session")
def views(known: Mapping[str, str]) -> Iterator[psycopg.Connection[DictRow]]:
    """The view service's own connection."""
    address = known["FOYER_VIEW_DATABASE_URL"]
    with psycopg.connect(address, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture(scope="session")
def signer(views: psycopg.Connection[DictRow]) -> Iterator[Signer]:
    """Publish a key beside those that are there, and take it away again."""
    signer = Signer()
    views.execute(
        """
        INSERT INTO signing_keys (issuer, revision, keys) VALUES ('foyer', 0, %s::jsonb)
        ON CONFLICT (issuer) DO UPDATE SET keys = signing_keys.keys || excluded.keys
        """,
        (orjson.dumps([signer.public]).decode(),),
    )
    yield signer
    views.execute(
        """
        UPDATE signing_keys SET keys = (SELECT coalesce(jsonb_agg(k), '[]')
            FROM jsonb_array_elements(keys) k WHERE k ->> 'kid' <> %s)
        """,
        (signer.kid,),
    )


@pytest.fixture(scope="session")
def bus(known: Mapping[str, str]) -> Iterator[Bus]:
    bus = Bus(known)
    bus.purge()
    yield bus
    bus.purge()


@pytest.fixture(scope="session")
def edge(
    known: Mapping[str, str],
    signer: Signer,  # noqa: ARG001  # It is ready only with keys.
    bus: Bus,  # noqa: ARG001  # Nobody else takes what it publishes.
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[EdgeProcess]:
    edge = EdgeProcess(known, tmp_path_factory.mktemp("edge") / "edge.log")
    wait_for(lambda: edge.status("/readyz") == httpx.codes.OK)
    yield edge
    edge.stop()
    assert '"level":"error"' not in edge.log.read_text(), "the edge logged a fault"


@pytest.fixture
def user() -> uuid.UUID:
    return uuid.uuid4()


@pytest.fixture
def client(edge: EdgeProcess) -> Iterator[httpx.Client]:
    """Nobody in particular."""
    with httpx.Client(base_url=edge.url, timeout=15) as client:
        yield client


@pytest.fixture
def buyer(edge: EdgeProcess, signer: Signer, user: uuid.UUID) -> Iterator[httpx.Client]:
    """A signed-in user."""
    token = {"Authorization": f"Bearer {signer.token(user)}"}
    with httpx.Client(base_url=edge.url, timeout=15, headers=token) as client:
        yield client
