"""Every way in which Foyer says no: the code, its HTTP status and its title, in one table."""

from typing import NamedTuple


class Problem(NamedTuple):
    """What a code means to a client."""

    status: int
    title: str


PROBLEMS: dict[str, Problem] = {
    "malformed": Problem(400, "The request cannot be read"),
    "key_required": Problem(400, "An Idempotency-Key is required"),
    "unauthenticated": Problem(401, "Sign in first"),
    "bad_credentials": Problem(401, "The credentials are wrong"),
    "forbidden": Problem(403, "Not yours to change"),
    "not_found": Problem(404, "There is no such thing"),
    "method_not_allowed": Problem(405, "This cannot be done here"),
    "too_large": Problem(413, "The body is too large"),
    "unsupported_media_type": Problem(415, "Only JSON is understood"),
    "invalid_request": Problem(422, "Some of what was sent is not right"),
    "idempotency_mismatch": Problem(422, "This key was used for another request"),
    "email_taken": Problem(409, "The e-mail address is already registered"),
    "sold_out": Problem(409, "Not enough tickets are left"),
    "seats_unavailable": Problem(409, "Some of the seats are taken"),
    "orphan_seat": Problem(409, "A single seat would be left over"),
    "limit_exceeded": Problem(409, "More than one buyer may have"),
    "not_on_sale": Problem(409, "The ticket is not on sale"),
    "event_cancelled": Problem(409, "The event was cancelled"),
    "hold_expired": Problem(409, "The hold has ended"),
    "timed_out": Problem(409, "It took too long and was given up"),
    "expired": Problem(409, "The order expired before it was paid"),
    "cancelled": Problem(409, "The order was cancelled"),
    "version_conflict": Problem(409, "It was changed by somebody meanwhile"),
    "quota_below_sold": Problem(409, "More than that are already sold or reserved"),
    "plan_incomplete": Problem(409, "The seating plan is not complete"),
    "order_not_cancellable": Problem(409, "The order can no longer be cancelled"),
    "payment_refused": Problem(409, "The payment was refused"),
    "capture_failed": Problem(409, "The payment could not be captured"),
    "refunded": Problem(409, "The money was given back already"),
    "refund_failed": Problem(409, "The money could not be given back"),
    "refund_exceeds_payment": Problem(409, "More than was paid"),
    "rate_limited": Problem(429, "Too many requests"),
    "internal": Problem(500, "Something went wrong on our side"),
    "unavailable": Problem(503, "Cannot be answered just now: try again"),
    "bus_unavailable": Problem(503, "Not known to be accepted: repeat it with the same key"),
}
