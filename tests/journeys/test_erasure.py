"""After an account was deleted no store knows the person: every text in every one is searched."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from psycopg import sql

from ops.local.stack import Stack
from ops.stores import POSTGRES, Stores, settings
from tests.journeys.shop import DEADLINE_SEC, PASSWORD, Person, Stripe, paid, until

pytestmark = pytest.mark.journey


@pytest.fixture
def stores(system: Stack) -> Iterator[Stores]:
    """Every store, as an operator reads them."""
    with Stores(settings(system.layout)) as opened:
        yield opened


def tables(stores: Stores, service: str) -> list[str]:
    rows = stores.rows(
        service,
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    return [row["name"] for row in rows]


def in_postgres(stores: Stores, word: str) -> Iterator[str]:
    """Go through the tables that have a row with this word in any column."""
    for service in POSTGRES:
        for table in tables(stores, service):
            statement = sql.SQL("SELECT 1 AS found FROM {} AS t WHERE t::text ILIKE {} LIMIT 1")
            text = statement.format(sql.SQL(table), sql.Literal(f"%{word}%")).as_string(None)
            if stores.rows(service, text):
                yield f"{service} {table}"


def in_mongo(stores: Stores, word: str) -> Iterator[str]:
    for name in stores.mongo.list_collection_names():
        if any(word in str(each) for each in stores.mongo[name].find({})):
            yield f"ticket {name}"


def in_redis(stores: Stores, word: str) -> Iterator[str]:
    wanted = word.encode()
    for key in stores.redis.scan_iter():
        if wanted in key or wanted in (stores.redis.dump(key) or b""):
            yield f"redis {key!r}"


def found(stores: Stores, word: str) -> set[str]:
    searched = (in_postgres, in_mongo, in_redis)
    return {place for search in searched for place in search(stores, word)}


def test_nothing_of_a_deleted_user_is_left_anywhere(
    organizer: Person, arrive: Callable[[], Person], stripe: Stripe, stores: Stores
) -> None:
    person = arrive()
    name, street = f"Name{uuid4().hex}", f"Street{uuid4().hex}"
    profile = person.write("PATCH", "/v1/users/me/profile", {"display_name": name})
    assert profile["status"] == "succeeded", profile
    address = {"line1": street, "city": "Wien", "postal_code": "1010", "country": "AT"}
    home = person.write("PUT", "/v1/users/me/billing-address", address)
    assert home["status"] == "succeeded", home
    other_spelling = person.login | {"email": person.email.upper()}
    for login in (person.login, other_spelling):
        assert person.write("POST", "/v1/users", login)["status"] == "failed"
        wrong = login | {"password": "a wrong password"}
        assert person.write("POST", "/v1/sessions", wrong)["status"] == "failed"
    order = person.buy(organizer.offer())
    stripe.confirm(order["payment"])
    person.sees(order["order_id"], paid)
    words = (person.email, name, street)
    before = {word: {place.split()[0] for place in found(stores, word)} for word in words}
    assert {"auth", "view"} <= before[person.email]
    assert {"user", "view"} <= before[name] & before[street]
    done = person.write("DELETE", "/v1/users/me", {"password": PASSWORD})
    assert done["status"] == "succeeded", done
    for word in words:
        until(lambda word=word: found(stores, word), lambda places: not places, DEADLINE_SEC)  # type: ignore[misc]
    assert person.read(f"/v1/orders/{order['order_id']}")["payment"]["status"] == "SUCCEEDED"
