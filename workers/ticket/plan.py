"""What a ticket's owner knows of the ticket's seating plans, in whatever order it was told.

A plan says two things of its ticket: whether it is for sale, when it is activated or deactivated,
and how many it can sell, then and whenever seats are blocked or unblocked. Each counts when the
plan's revision is newer than that of the last one heard.
"""

from dataclasses import dataclass, replace
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One seating plan of a ticket."""

    plan_id: UUID
    turned: int = 0
    """The revision at which it was last activated or deactivated."""
    counted: int = 0
    """The revision of `sellable`."""
    sellable: int = 0

    def turn(self, revision: int) -> "Plan":
        """Note that it was activated or deactivated."""
        return replace(self, turned=revision)

    def count(self, sellable: int, revision: int) -> "Plan":
        """Note how many it can sell, unless something newer is known."""
        if revision <= self.counted:
            return self
        return replace(self, sellable=sellable, counted=revision)
