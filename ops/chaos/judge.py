"""What must be true after the kills."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ops.chaos.buyers import Crowd, Purchase
from ops.stores import Stores
from ops.verify import verify

ENDED_WITHIN_SEC = 30.0
_CAPTURED_WITHIN_SEC = 10.0


@dataclass
class Verdict:
    """What was found, and what of it is wrong."""

    operations: int = 0
    ended_after_sec: float | None = None
    """How long after the last kill the last operation ended; None: not in time."""
    authorised: int = 0
    late: int = 0
    """Of those, the orders that had expired when they were paid, and the money was given back."""
    wrong: list[str] = field(default_factory=list)


def judge(
    stores: Stores, crowd: Crowd, last_kill: float, within_sec: float = ENDED_WITHIN_SEC
) -> Verdict:
    """Check it all; `last_kill` is on the monotonic clock."""
    verdict = Verdict(operations=len(crowd.accepted))
    deadline = last_kill + within_sec
    left = _wait(lambda: _pending(stores, crowd), deadline)
    if left:
        verdict.wrong += left
    else:
        verdict.ended_after_sec = round(max(0.0, time.monotonic() - last_kill), 1)
    paid = [each for each in crowd.purchases if each.authorised]
    verdict.authorised = len(paid)
    soon = time.monotonic() + _CAPTURED_WITHIN_SEC  # Somebody may have paid just now.
    verdict.wrong += _wait(lambda: _unpaid(stores, paid), max(deadline, soon))
    verdict.late = len(_given_back(stores, paid))
    verdict.wrong += [
        f"the buyer of operation {each.operation_id} gave up: {each.trouble}"
        for each in crowd.purchases
        if each.trouble
    ]
    for finding in verify(stores, within_sec):
        verdict.wrong += [f"line {each.line}: {each.id} {each.why}" for each in finding.broken]
    return verdict


def _wait(look: Callable[[], list[str]], deadline: float) -> list[str]:
    """Look until nothing is left or the time is over; return what is left."""
    while (left := look()) and time.monotonic() < deadline:
        time.sleep(0.25)
    return left


def _pending(stores: Stores, crowd: Crowd) -> list[str]:
    """Every accepted operation that has not ended, or that nobody knows."""
    found = stores.rows(
        "view",
        "SELECT wanted.id::text AS id, coalesce(o.status, 'lost') AS status"
        " FROM unnest(%(ids)s::uuid[]) AS wanted (id) LEFT JOIN operations o ON o.id = wanted.id"
        " WHERE o.status IS NULL OR o.status = 'pending'",
        {"ids": sorted(crowd.accepted)},
    )
    return [f"operation {each['id']} is {each['status']}" for each in found]


def _given_back(stores: Stores, paid: Sequence[Purchase]) -> set[str]:
    """Return the orders that had expired before the money came, if that was given back."""
    ids = {"ids": [each.order_id for each in paid]}
    expired = stores.rows(
        "order",
        "SELECT id::text AS id FROM orders"
        " WHERE id = ANY(%(ids)s::uuid[]) AND cancel_reason = 'expired'",
        ids,
    )
    given = stores.rows(
        "payment",
        "SELECT order_id::text AS id FROM payments"
        " WHERE order_id = ANY(%(ids)s::uuid[]) AND authorisation = 'voided'",
        ids,
    )
    return {each["id"] for each in expired} & {each["id"] for each in given}


def _unpaid(stores: Stores, paid: Sequence[Purchase]) -> list[str]:
    """Authorised orders that are not CONFIRMED, or not captured exactly once; late ones apart."""
    late = _given_back(stores, paid)
    in_time = [each.order_id for each in paid if each.order_id not in late]
    ids = {"ids": in_time}
    orders = stores.rows(
        "order",
        "SELECT id::text AS id, status FROM orders"
        " WHERE id = ANY(%(ids)s::uuid[]) AND status <> 'CONFIRMED'",
        ids,
    )
    wrong = [f"order {each['id']} was authorised and is {each['status']}" for each in orders]
    captures = stores.rows(
        "payment",
        "SELECT p.order_id, p.authorisation, p.captured_amount, p.amount,"
        " count(r.id) FILTER (WHERE r.event_type = 'captured') AS captures"
        " FROM payments p LEFT JOIN payment_records r ON r.payment_id = p.id"
        " WHERE p.order_id = ANY(%(ids)s::uuid[]) GROUP BY p.id",
        ids,
    )
    wrong += [
        f"the payment of order {each['order_id']} is {each['authorisation']},"
        f" captured {each['captures']} times, {each['captured_amount']} of {each['amount']}"
        for each in captures
        if each["captures"] != 1 or each["captured_amount"] != each["amount"]
    ]
    if len(captures) != len(in_time):
        wrong.append(f"{len(in_time)} orders were authorised, {len(captures)} have a payment")
    return wrong
