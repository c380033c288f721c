"""What happened to the seats of a plan, told again from all that the venue service has said.

Its outbox is the log: messages about a plan are written one transaction after the other, each
seat's changes numbered. Whoever had a seat at any moment follows from it, and so does whether a
refusal was true.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ops.stores import Row, Stores
from workers.venue.seat import GRACE

_LOG = """
    SELECT event_type, payload, created_at FROM outbox
    WHERE event_type LIKE 'venues.seats.%%' AND payload->'data'->>'plan_id' = %(plan_id)s
    ORDER BY created_at, id
"""
_MOVES = {
    "AVAILABLE": {"HELD", "RESERVED", "BLOCKED"},
    "HELD": {"HELD", "RESERVED", "AVAILABLE"},
    "RESERVED": {"SOLD", "AVAILABLE"},
    "SOLD": {"AVAILABLE"},
    "BLOCKED": {"AVAILABLE"},
}
_SKEW = timedelta(seconds=1)
"""Between a decision and the moment at which it was written, at most: who asks for what is taken is
refused without any lock, and the seat may come free before that is written."""


@dataclass
class _Seat:
    status: str = "AVAILABLE"
    revision: int = 0
    user_id: str | None = None
    order_id: str | None = None
    until: datetime | None = None

    def taken_from(self, user_id: str, at: datetime) -> bool:
        """Whether somebody else had it; a hold whose time and grace are over is nobody's."""
        if self.status == "HELD" and self.until and self.until + GRACE <= at:
            return False
        return self.status != "AVAILABLE" and (self.status != "HELD" or self.user_id != user_id)


@dataclass
class SeatLog:
    """The log of one plan, played again."""

    seats: dict[str, _Seat] = field(default_factory=dict)
    changes: int = 0
    refusals: int = 0
    wrong: list[str] = field(default_factory=list)
    _past: dict[str, list[tuple[datetime, _Seat]]] = field(default_factory=dict)
    """What each seat was, and until when."""

    @classmethod
    def of(cls, stores: Stores, plan_id: str) -> "SeatLog":
        """Play a plan's log, from its first hold to now."""
        log = cls()
        log.play(stores.rows("venue", _LOG, {"plan_id": plan_id}))
        return log

    def play(self, said: Iterable[Row]) -> None:
        """Follow every message; what cannot have been is noted in `wrong`."""
        for row in said:
            data = row["payload"]["data"]
            user_id = str(row["payload"].get("userid"))
            if row["event_type"] == "venues.seats.refused":
                self._refusal(data, user_id, row["created_at"])
            else:
                self._change(data, user_id, row["created_at"])

    def _refusal(self, data: dict[str, Any], user_id: str, at: datetime) -> None:
        if data["code"] != "seats_unavailable":
            return
        self.refusals += 1
        if not data["seat_ids"]:
            self.wrong.append(f"a refusal of {at} names no seat")
        for seat_id in data["seat_ids"] or ():
            seat = self.seats.get(seat_id, _Seat())
            before = [was for until, was in self._past.get(seat_id, ()) if until >= at - _SKEW]
            if not any(each.taken_from(user_id, at - _SKEW) for each in (seat, *before)):
                self.wrong.append(f"seat {seat_id} was refused at {at}, and it was {seat}")

    def _change(self, data: dict[str, Any], user_id: str, at: datetime) -> None:
        until = data.get("hold_expires_at")
        for change in data["seats"]:
            seat_id, status = change["seat_id"], change["status"]
            before = self.seats.get(seat_id, _Seat(revision=change["revision"] - 1))
            after = _Seat(
                status,
                change["revision"],
                user_id if status != "AVAILABLE" else None,
                data.get("order_id") if status in {"RESERVED", "SOLD"} else None,
                datetime.fromisoformat(until) if status == "HELD" and until else None,
            )
            if (before.revision, before.status) == (after.revision, after.status):
                continue  # Said again as it is, to an order that asked twice.
            self.changes += 1
            self.wrong += [f"seat {seat_id} at {at}: {why}" for why in _faults(before, after, at)]
            self.seats[seat_id] = after
            self._past.setdefault(seat_id, []).append((at, before))


def _faults(before: _Seat, after: _Seat, at: datetime) -> Iterator[str]:
    """Say why a seat cannot have gone from one state to the other."""
    if after.revision != before.revision + 1 or after.status not in _MOVES[before.status]:
        yield f"{after} came after {before}"
    if after.status in {"HELD", "RESERVED"} and before.taken_from(str(after.user_id), at + _SKEW):
        yield f"it was somebody else's: {after} came after {before}"
    if after.status == "SOLD" and before.order_id != after.order_id:
        yield f"it was sold to another order than had it: {after} came after {before}"
