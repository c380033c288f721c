"""The halls that a process keeps: as many as there is room for, and those in use before others."""

import threading
from collections.abc import Callable
from uuid import UUID

from workers.venue.hall import Hall


class Halls:
    """Halls by their plans, each of the version that was asked for last."""

    def __init__(self, most_seats: int) -> None:
        """Keep no more seats than these, but for a single hall that has more."""
        self._most_seats = most_seats
        self._kept: dict[UUID, tuple[int, Hall]] = {}
        """In the order in which they were asked for."""
        self._lock = threading.Lock()

    def of(self, plan_id: UUID, version: int, read: Callable[[], Hall]) -> Hall:
        """Return a plan's hall, read only if it is not kept; nobody else waits for the reading."""
        with self._lock:
            kept = self._kept.pop(plan_id, None)
            if kept and kept[0] == version:
                self._kept[plan_id] = kept
                return kept[1]
        hall = read()
        with self._lock:
            self._kept.pop(plan_id, None)  # Somebody else may have read it meanwhile.
            self._kept[plan_id] = version, hall
            self._make_room()
        return hall

    def _make_room(self) -> None:
        seats = sum(len(hall.seat_ids) for _, hall in self._kept.values())
        while seats > self._most_seats and len(self._kept) > 1:
            _, gone = self._kept.pop(next(iter(self._kept)))
            seats -= len(gone.seat_ids)
