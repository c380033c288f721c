"""How far the orders of a cancelled event have ended, and when that is worth telling."""

from dataclasses import dataclass
from uuid import UUID

from schemas.order import TicketEnded, TicketFailed, TicketProgress
from schemas.ticket import CancelTicket

_TOLD_TIMES = 20


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The orders of one cancelled event, counted."""

    ticket_id: UUID
    total: int
    ended: int
    failed: int
    told: int
    """How many were done when it was last told; -1 before the first time."""
    told_failed: int
    """How many of them had failed, and may be made good since."""
    revision: int
    operation_ids: list[UUID]

    @property
    def done(self) -> int:
        """How many nobody waits for any more."""
        return self.ended + self.failed

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.done >= self.total

    @property
    def worth_telling(self) -> bool:
        """Whether enough has happened since it was last told."""
        if self.told < 0 or self.complete:
            return (self.told, self.told_failed) != (self.done, self.failed)
        return self.done - self.told >= max(1, self.total // _TOLD_TIMES)

    def said(self) -> TicketProgress | TicketEnded | TicketFailed:
        """Say it, under the next revision."""
        revision = self.revision + 1
        if not self.complete:
            return TicketProgress.of(self, revision=revision)
        if not self.failed:
            return TicketEnded.of(self, revision=revision)
        told = f"{self.failed} of {self.total} orders could not be refunded."
        return TicketFailed.of(
            self, revision=revision, command=CancelTicket.TYPE, code="refund_failed", detail=told
        )
