"""Accepting: an operation's row, its command on the bus, and what a repeated key means.

A row is written before its command is published, so that an accepted command is never forgotten:
the row holds the whole CloudEvent, and the view service publishes one that had no first step
again. The rows of concurrent requests are one INSERT, their commands one call to the publisher;
the next rows are written while the last confirms are awaited. Nothing is answered 202 before the
broker has confirmed.
"""

import asyncio
import hashlib
import hmac
from concurrent.futures import Future  # noqa: TC003  # Local annotations; one style for all.
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

import orjson
import psycopg

from bus import faults
from bus.envelope import Outgoing, decode, outgoing
from bus.publisher import NotConfirmed, Publisher
from http_edge.database import Database
from http_edge.gather import Gatherer, Group, fail
from http_edge.problems import ProblemError, refuse

_Answer = TypeVar("_Answer")
_GROUP_MOST = 200
_DEADLINE_SEC = 1.9
"""From a request's arrival to its answer, when the bus or the views do not answer."""

# One JSON parameter: the commands are JSON already, and an array's elements would each have to be
# escaped. DO NOTHING covers both a key that was used before and one used twice in this statement.
_INSERT = """
    INSERT INTO operations (id, user_id, type, route, idempotency_key, request_hash, command)
    SELECT id, user_id, type, route, idempotency_key, decode(request_hash, 'hex'), command
    FROM jsonb_to_recordset(%s::jsonb) AS t (id uuid, user_id uuid, type text, route text,
        idempotency_key text, request_hash text, command jsonb)
    ON CONFLICT DO NOTHING
    RETURNING id, submitted_at
"""
_BY_KEY = """
    SELECT o.id, o.user_id, o.route, o.idempotency_key, o.request_hash, o.submitted_at, o.type,
        CASE WHEN o.status = 'pending'
             AND NOT EXISTS (SELECT FROM operation_steps s WHERE s.operation_id = o.id)
             THEN o.command END AS again
    FROM operations o
    JOIN unnest(%s::uuid[], %s::text[], %s::text[]) AS k (user_id, route, idempotency_key)
      USING (user_id, route, idempotency_key)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """What a request asks for: the row to be, and its encoded command."""

    operation_id: UUID
    user_id: UUID | None
    route: str
    """Method and path: the scope of a key."""
    key: str | None
    request_hash: bytes | None
    command: Outgoing

    @property
    def scope(self) -> tuple[str, str, str]:
        """What the row's key must be unique in; also the order in which rows are written."""
        return (str(self.user_id), self.route, self.key or "")


@dataclass(frozen=True, slots=True)
class Accepted:
    """An operation that the bus has confirmed."""

    id: UUID
    type: str
    submitted_at: datetime
    is_new: bool
    """False: the key stood for this operation before."""


def request_hash(secret: bytes, body: dict[str, Any]) -> bytes:
    """Return what tells one request from another under the same key.

    Keyed, because the row outlives the request: without the key a body that holds a password, or
    anything else that is guessable, could be found from its hash. The same JSON in other order or
    spacing is the same request.
    """
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return hmac.digest(secret, text, hashlib.sha256)


class Operations:
    """Accepts submissions."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        """Write with `database`, publish with `publisher`."""
        self._database = database
        self._publisher = publisher
        self._gatherer: Gatherer[Submission, Accepted] = Gatherer(self._write, _GROUP_MOST)
        self._confirming: set[asyncio.Task[None]] = set()

    async def submit(self, submission: Submission) -> Accepted:
        """Return the operation once it is written and its command confirmed.

        Raises:
            ProblemError: the key stands for another request, or it is not known to be accepted.
        """
        self._check_bus()
        return await self._in_time(self._gatherer.ask(submission))

    async def publish(self, message: Outgoing) -> None:
        """Publish a message that needs no operation.

        Raises:
            ProblemError: the broker did not confirm.
        """
        self._check_bus()
        confirmed = _all_done(self._publisher.publish([message]))
        (why,) = await self._in_time(confirmed)
        if why is not None:
            raise _not_accepted()

    def _check_bus(self) -> None:
        # Better now than after writing a row whose command would run without the client knowing.
        if not self._publisher.connected:
            raise _not_accepted()

    async def _in_time(self, answer: "asyncio.Future[_Answer]") -> _Answer:
        try:
            async with asyncio.timeout(_DEADLINE_SEC):
                return await answer
        except TimeoutError:
            raise _not_accepted() from None

    async def _write(self, group: Group[Submission, Accepted]) -> None:
        # One order for everybody, so that two processes never wait for each other's rows.
        group.sort(key=lambda each: each[0].scope)
        try:
            rows = await self._database.run(_INSERT, (_rows([each for each, _ in group]),))
        except (psycopg.OperationalError, ProblemError):
            raise _not_accepted() from None
        written = {row["id"]: row["submitted_at"] for row in rows}
        fresh = [each for each in group if each[0].operation_id in written]
        faults.reach("before_publish")
        self._confirm(
            [
                (each.command, answer, _accepted(each, written[each.operation_id]))
                for each, answer in fresh
            ]
        )
        if repeated := [each for each in group if each[0].operation_id not in written]:
            await self._answer_repeated(repeated)

    async def _answer_repeated(self, group: Group[Submission, Accepted]) -> None:
        """Answer requests whose key was used before with what it stands for."""
        scopes = [(each.user_id, each.route, each.key) for each, _ in group]
        try:
            rows = await self._database.fetch(
                _BY_KEY, [list(part) for part in zip(*scopes, strict=True)]
            )
        except ProblemError:
            fail(group, _not_accepted())
            return
        found = {(str(row["user_id"]), row["route"], row["idempotency_key"]): row for row in rows}
        again = []
        for submission, answer in group:
            row = found.get(submission.scope)
            if answer.done():
                continue
            if row is None:  # Its writer was undone meanwhile.
                answer.set_exception(_not_accepted())
            elif row["request_hash"] != submission.request_hash:
                answer.set_exception(
                    refuse("idempotency_mismatch", "Use a new key for a new request.")
                )
            else:
                known = Accepted(row["id"], row["type"], row["submitted_at"], is_new=False)
                if row["again"] is None:
                    answer.set_result(known)
                else:
                    again.append((outgoing(decode(orjson.dumps(row["again"]))), answer, known))
        self._confirm(again)

    def _confirm(
        self, published: list[tuple[Outgoing, "asyncio.Future[Accepted]", Accepted]]
    ) -> None:
        """Publish, and answer when the broker has confirmed; the next group need not wait."""
        if published:
            confirmed = _all_done(self._publisher.publish([message for message, _, _ in published]))
            task = asyncio.create_task(_answer_confirmed(confirmed, published))
            self._confirming.add(task)
            task.add_done_callback(self._confirming.discard)


async def _answer_confirmed(
    confirmed: "asyncio.Future[list[BaseException | None]]",
    published: list[tuple[Outgoing, "asyncio.Future[Accepted]", Accepted]],
) -> None:
    for why, (_, answer, accepted) in zip(await confirmed, published, strict=True):
        if answer.done():
            continue
        if why is None:
            answer.set_result(accepted)
        else:
            answer.set_exception(_not_accepted() if isinstance(why, NotConfirmed) else why)


def _all_done(futures: "list[Future[None]]") -> "asyncio.Future[list[BaseException | None]]":
    """Await another thread's futures with one wake-up of this one; give what each failed with."""
    loop = asyncio.get_running_loop()
    together: asyncio.Future[list[BaseException | None]] = loop.create_future()
    done = count(1)  # Counting must be atomic: callbacks run on the publisher's thread and on this.

    def finish() -> None:
        if not together.done():
            together.set_result([future.exception() for future in futures])

    def on_done(_: "Future[None]") -> None:
        if next(done) == len(futures):
            loop.call_soon_threadsafe(finish)

    for future in futures:
        future.add_done_callback(on_done)
    return together


def _rows(submissions: list[Submission]) -> str:
    return orjson.dumps(
        [
            {
                "id": each.operation_id,
                "user_id": each.user_id,
                "type": each.command.type,
                "route": each.route,
                "idempotency_key": each.key,
                "request_hash": each.request_hash and each.request_hash.hex(),
                "command": orjson.Fragment(each.command.body),
            }
            for each in submissions
        ]
    ).decode()


def _accepted(submission: Submission, submitted_at: datetime) -> Accepted:
    return Accepted(submission.operation_id, submission.command.type, submitted_at, is_new=True)


def _not_accepted() -> ProblemError:
    return refuse("bus_unavailable", "It may or may not have been accepted.")
