"""The calls to Stripe that are to be made: rows that say what, for whom, and under which key.

A call is `due` until a process claims it, `running` while one makes it, and ends as `done` or
`refused`. Calls for one payment are made one after the other, in the order of their numbers. Only
who holds a running call can end it or put it off: a call that has ended is never made again.

A call is urgent when somebody waits for it: who wants to pay, who has paid, and whatever is to be
done for the same payment before that. Looks, voids and refunds come in crowds (when an on-sale's
first orders expire, when an event is called off) and have time.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from bus.stores.postgres import Connection, jsonb

CallKind = Literal["create", "capture", "close", "cancel", "refund", "retrieve"]
_LOOKS = {"close", "retrieve"}
"""Kinds that only look: one that is under way may have looked too early."""
_URGENT = {"create", "capture"}


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call to Stripe that is to be made, once."""

    id: UUID
    payment_id: UUID
    kind: CallKind
    refund_id: UUID | None
    idempotency_key: str
    attempts: int
    urgent: bool

    @property
    def again(self) -> bool:
        """Whether an earlier attempt, under another key, may have left something at Stripe."""
        return attempt_of(self.idempotency_key) > 1


def attempt_of(key: str) -> int:
    """Read which attempt a key is for."""
    return int(key.rpartition(":")[2])


def next_key(key: str) -> str:
    """Name the attempt after this one."""
    return f"{key.rpartition(':')[0]}:{attempt_of(key) + 1}"


def ask(
    db: Connection,
    call_id: UUID,
    payment_id: UUID,
    kind: CallKind,
    refund_id: UUID | None = None,
) -> None:
    """Have Stripe called after the commit; what is asked for already is not asked for twice.

    The key says what is done to what, and which attempt at it this is: a repeat of the attempt
    has the same one. The caller has the payment locked.
    """
    stem = f"{refund_id or payment_id}:{kind}"
    db.execute(
        """
        WITH hurried AS (
            UPDATE gateway_calls SET urgent = true
            WHERE %(urgent)s AND payment_id = %(payment)s AND state IN ('due', 'running')
            AND NOT urgent
        )
        INSERT INTO gateway_calls (id, payment_id, kind, refund_id, idempotency_key, urgent)
        SELECT %(id)s, %(payment)s, %(kind)s, %(refund)s, %(stem)s || ':' ||
            1 + coalesce(max(split_part(idempotency_key, ':', 3)::integer), 0), %(urgent)s
        FROM gateway_calls
        WHERE payment_id = %(payment)s AND starts_with(idempotency_key, %(stem)s || ':')
        HAVING NOT coalesce(bool_or(state = 'due' OR (state = 'running' AND %(works)s)), false)
        ON CONFLICT (idempotency_key) DO NOTHING
        """,
        {
            "id": call_id,
            "payment": payment_id,
            "kind": kind,
            "refund": refund_id,
            "stem": stem,
            "works": kind not in _LOOKS,
            "urgent": kind in _URGENT,
        },
    )
    wake(db)


def ask_about(db: Connection, call_ids: Sequence[UUID], payment_ids: Sequence[UUID]) -> None:
    """Have Stripe asked how payments stand that wait for no call; the caller has them locked."""
    db.execute(
        """
        INSERT INTO gateway_calls (id, payment_id, kind, idempotency_key, urgent)
        SELECT id, payment_id, 'retrieve', payment_id || ':retrieve:' ||
            1 + coalesce((SELECT max(split_part(idempotency_key, ':', 3)::integer)
                FROM gateway_calls c WHERE c.payment_id = asked.payment_id AND kind = 'retrieve'),
            0), false
        FROM unnest(%s::uuid[], %s::uuid[]) AS asked (id, payment_id)
        ON CONFLICT (idempotency_key) DO NOTHING
        """,
        [list(call_ids), list(payment_ids)],
    )


def wake(db: Connection) -> None:
    """Have the gateway look for calls that are due."""
    db.execute("NOTIFY gateway")


_CLAIM = """
    UPDATE gateway_calls SET state = 'running', claim = %(claim)s, attempts = attempts + 1
    WHERE id IN (
        SELECT c.id FROM gateway_calls c
        WHERE c.state IN ('due', 'running') AND c.urgent = %(urgent)s
        AND c.next_at <= now() AND c.id <> ALL(%(busy)s)
        AND (c.state = 'due' OR c.claim = %(claim)s)
        AND NOT EXISTS (
            SELECT 1 FROM gateway_calls e
            WHERE e.payment_id = c.payment_id AND e.state IN ('due', 'running')
            AND e.number < c.number
        )
        ORDER BY c.next_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )
    RETURNING id, payment_id, kind, refund_id, idempotency_key, attempts, urgent
"""
_GIVE_UP = """
    UPDATE gateway_calls SET state = 'due' WHERE state = 'running' AND claim <> ALL(%s)
"""


def claim_calls(  # noqa: PLR0913  # What there is room for.
    db: Connection,
    claim: int,
    busy: Collection[UUID],
    limit: int,
    *,
    patient: int | None = None,
    alive: Collection[int] | None = None,
) -> list[Call]:
    """Take over calls that are due and, given the claims that are alive, those of dead processes.

    Of the `limit` at most `patient` are such that nobody waits for, if that is given. Calls for one
    payment are made one after the other, in the order in which they were asked for.
    """
    if alive is not None:
        db.execute(_GIVE_UP, [list(alive)])
    claimed: list[Call] = []
    for urgent, most in ((True, limit), (False, limit if patient is None else patient)):
        if (room := min(most, limit - len(claimed))) > 0:
            wanted = {"claim": claim, "busy": list(busy), "urgent": urgent, "limit": room}
            claimed += [Call(**row) for row in db.execute(_CLAIM, wanted)]
    return claimed


def end(
    db: Connection,
    call_id: UUID,
    claim: int,
    state: Literal["done", "refused"],
    outcome: dict[str, Any],
) -> bool:
    """Note how a call ended; False when it is not ours to end: another process has made it."""
    ended = db.execute(
        "UPDATE gateway_calls SET state = %s, outcome = %s, ended_at = now()"
        " WHERE id = %s AND state = 'running' AND claim = %s",
        [state, jsonb(outcome), call_id, claim],
    )
    return ended.rowcount == 1


def put_off(  # noqa: PLR0913, PLR0917  # One row.
    db: Connection, call_id: UUID, claim: int, delay_sec: float, why: str, new_key: str | None
) -> None:
    """Have a call of ours made again later: the same attempt, or a new one under a new key."""
    db.execute(
        "UPDATE gateway_calls SET state = 'due', next_at = now() + make_interval(secs => %s),"
        " outcome = %s, idempotency_key = coalesce(%s, idempotency_key)"
        " WHERE id = %s AND state = 'running' AND claim = %s",
        [delay_sec, jsonb({"error": why}), new_key, call_id, claim],
    )


def hurry(db: Connection, payment_id: UUID) -> None:
    """Have the calls of a payment that wait or were put off made now: somebody waits for them."""
    db.execute(
        "UPDATE gateway_calls SET next_at = least(next_at, now()), urgent = true"
        " WHERE payment_id = %s AND state = 'due'",
        [payment_id],
    )
    wake(db)


def purge(db: Connection, limit: int) -> None:
    """Forget looks that ended a while ago, at most `limit` of them; what moved money stays."""
    db.execute(
        "DELETE FROM gateway_calls WHERE id = ANY(ARRAY(SELECT id FROM gateway_calls"
        " WHERE kind = 'retrieve' AND state IN ('done', 'refused')"
        " AND ended_at < now() - interval '1 hour' LIMIT %s))",
        [limit],
    )
