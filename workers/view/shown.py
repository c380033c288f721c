"""What the views show of an order, as far as operations wait for it. Pure."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An order as the views show it."""

    order_id: UUID
    operation_id: UUID
    """The operation that placed it."""
    user_id: UUID
    status: str
    cancel_reason: str | None
    seated: bool | None
    items: list[dict[str, Any]]
    total_amount: Decimal | None
    currency: str | None
    expires_at: datetime | None
    payment_id: UUID | None = None
    payment_status: str | None = None
    authorisation: str | None = None
    has_client_secret: bool = False
    released_by: list[str] = field(default_factory=list)
    """The services that have given its stock back."""
    cancel_detail: str | None = None
    seats_taken: list[UUID] = field(default_factory=list)
    seats_shown: bool = False
    """Whether the maps have had its seats as reserved."""

    captured_amount: Decimal | None = None
    refunded_amount: Decimal | None = None
    refunds: list[dict[str, Any]] = field(default_factory=list)
    """The payment's, as they are on the wire."""
    refund: dict[str, Any] | None = None
    """The one that the operation asked for."""
    released_version: int = 0
    """The version under which it last gave stock back,"""
    releases: dict[str, int] = field(default_factory=dict)
    """and the version up to which each service has let go of it."""

    @property
    def payment_was_requested(self) -> bool:
        """Whether the buyer could pay, or even has: the secret is forgotten after that."""
        return self.has_client_secret or (
            self.authorisation in ("authorized", "capturing", "captured")
        )

    @property
    def is_free(self) -> bool:
        """Whether there is nothing to pay."""
        return self.total_amount == 0

    @property
    def has_its_seats(self) -> bool:
        """Whether the maps show its seats as taken, if it has any."""
        return not self.seated or self.seats_shown

    @property
    def is_released(self) -> bool:
        """Whether everybody who may hold stock for it has let go."""
        owners = {"ticket"} if self.seated is False else {"ticket", "venue"}
        return owners <= set(self.released_by)

    def asked_by(self, operation_id: UUID) -> "Shown":
        """Look at the refund that an operation asked for."""
        mine = (each for each in self.refunds if each["operation_id"] == str(operation_id))
        return replace(self, refund=next(mine, None))

    def has_given_back(self, refund: dict[str, Any]) -> bool:
        """Whether the stock that comes back with a refund, if any does, is free again."""
        owners = {"ticket", "venue"} if self.seated else {"ticket"}
        let_go = all(self.releases.get(each, 0) >= self.released_version for each in owners)
        if (self.refunded_amount or 0) >= (self.captured_amount or 0):
            return self.status == "CANCELLED" and let_go
        if refund["keep_stock"]:
            return True
        back = {item["id"] for item in self.items if item["refunded"]}
        return not refund["item_ids"] or (back >= set(refund["item_ids"]) and let_go)
