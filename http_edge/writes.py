"""Answering a write: 202 with the operation, or 200 with how it ended."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import orjson
from falcon.asgi import Request, Response

from bus.envelope import Malformed, envelope_of, outgoing
from http_edge.admission import Admission
from http_edge.bell import Bell
from http_edge.gate import Asked, asked
from http_edge.operations import Accepted, Operations, Submission, request_hash
from http_edge.problems import RETRY_AFTER_SEC, ProblemError, refuse
from http_edge.reading import Reader, Row
from schemas.message import Message

SOURCE = "/edge"
_ACCEPTED, _OK = 202, 200
_RETRY_AFTER = str(RETRY_AFTER_SEC)


def answer(resp: Response, body: object, status: int = _OK) -> None:
    """Answer with JSON that nobody in between may keep."""
    resp.status = status
    resp.content_type = "application/json"
    resp.data = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    resp.set_header("Cache-Control", "no-store")


class Writes:
    """Turns commands into operations and operations into answers."""

    def __init__(
        self,
        operations: Operations,
        reader: Reader,
        bell: Bell,
        admission: Admission,
        secret: bytes,
    ) -> None:
        """Hash requests with `secret`."""
        self._admission = admission
        self._operations = operations
        self._reader = reader
        self._bell = bell
        self._secret = secret

    async def accept(self, req: Request, resp: Response, command: Message) -> None:
        """Accept a command and answer, when the client waits with how it ended."""
        this = asked(req)
        self._admission.enter()
        submission = self._submission(req, this, command)
        this.operation_id = submission.operation_id
        # Listening begins before the command is out, or its end could be missed.
        with self._bell.waiting_for(submission.operation_id) as event:
            accepted = await self._operations.submit(submission)
            this.operation_id = accepted.id
            if accepted.is_new:
                await self._answer_new(resp, this, accepted, event)
                return
        row = await self.wait_for(accepted.id, this.wait_sec)
        await self._answer(resp, this, row)

    async def wait_for(self, operation_id: UUID, wait_sec: int | None) -> Row | None:
        """Return an operation's row, finished if it finishes in time."""
        if not wait_sec:
            return await self._reader.read(operation_id)
        with self._bell.waiting_for(operation_id) as event:
            return await self._reader.read_finished(operation_id, wait_sec, event)

    async def _answer_new(
        self, resp: Response, this: Asked, accepted: Accepted, event: asyncio.Event
    ) -> None:
        if this.wait_sec:
            try:
                row = await self._reader.read_finished(accepted.id, this.wait_sec, event)
                await self._answer(resp, this, row)
            except ProblemError:  # The views are away; it is accepted all the same.
                pass
            else:
                return
        answer(resp, _pending(accepted), _ACCEPTED)
        _point_to(resp, accepted.id)

    async def _answer(self, resp: Response, this: Asked, row: Row | None) -> None:
        if row is None:
            # Its row was written and is gone: nothing removes operations.
            raise refuse("unavailable", "The operation cannot be read.")
        finished = row["status"] != "pending"
        answer(resp, await self._reader.document(row), _OK if finished else _ACCEPTED)
        if finished:
            applied(resp, this.wait_sec)
        _point_to(resp, row["id"], retry=not finished)

    def _submission(self, req: Request, this: Asked, command: Message) -> Submission:
        operation_id = uuid4()  # Random: one without a user is readable by whoever knows it.
        envelope = envelope_of(
            command,
            source=SOURCE,
            operation_id=operation_id,
            user_id=this.user_id,
            traceparent=this.trace.traceparent,
        )
        try:
            encoded = outgoing(envelope)
        except Malformed:
            raise refuse("too_large", "It does not fit in one message.") from None
        return Submission(
            operation_id=operation_id,
            user_id=this.user_id,
            route=f"{req.method} {req.path}",
            key=this.key,
            request_hash=None if this.key is None else request_hash(self._secret, this.body),
            command=encoded,
        )


def applied(resp: Response, wait_sec: int | None) -> None:
    """Say that the client's wish to wait was granted (RFC 7240)."""
    if wait_sec:
        resp.set_header("Preference-Applied", f"wait={wait_sec}")


def _point_to(resp: Response, operation_id: UUID, *, retry: bool = True) -> None:
    resp.set_header("Location", f"/v1/operations/{operation_id}")
    if retry:
        resp.set_header("Retry-After", _RETRY_AFTER)


def _pending(accepted: Accepted) -> dict[str, Any]:
    return {
        "id": accepted.id,
        "type": accepted.type,
        "status": "pending",
        "submitted_at": accepted.submitted_at,
        "finished_at": None,
        "steps": [],
        "result": None,
        "error": None,
    }
