"""What the venue service says of a ticket's plan."""

from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID, uuid4

from schemas.venue import PlanState, SeatsBlocked, SeatsUnblocked

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
_Plan = TypeVar("_Plan", bound=PlanState)
_Count = TypeVar("_Count", SeatsBlocked, SeatsUnblocked)


class Planning:
    """A plan as its owner tells of it."""

    def __init__(self, ticket_id: UUID) -> None:
        """Make up its id."""
        self.ticket_id, self.plan_id = ticket_id, uuid4()

    def turned(self, said: type[_Plan], revision: int, sellable: int = 20) -> _Plan:
        """Say that it was activated or deactivated."""
        return said(
            plan_id=self.plan_id,
            venue_id=uuid4(),
            ticket_id=self.ticket_id,
            organizer_id=uuid4(),
            name="Stalls",
            status="active",
            assignment_mode="manual",
            pricing_mode="single",
            max_seats_per_order=10,
            currency="EUR",
            price_tiers=[],
            focal_point=None,
            prevent_orphans=False,
            layout_json=None,
            sellable=sellable,
            version=1,
            revision=revision,
            created_at=NOW,
            updated_at=NOW,
        )

    def counted(self, said: type[_Count], revision: int, sellable: int) -> _Count:
        """Say that seats were blocked or unblocked."""
        return said(
            plan_id=self.plan_id,
            seats=[],
            areas=[],
            ticket_id=self.ticket_id,
            sellable=sellable,
            revision=revision,
        )
