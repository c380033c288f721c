"""What is kept and said of a payment: each thing that happens leaves a line in its audit trail."""

from typing import Any
from uuid import UUID

from bus.service import Transaction
from bus.stores.postgres import Connection
from schemas.message import Message
from workers.payment import store
from workers.payment.payment import Payment


def record(tx: Transaction[Connection], found: Payment, event_type: str, **payload: Any) -> None:  # noqa: ANN401  # JSON.
    """Add a line to the payment's audit trail."""
    store.record(tx.db, tx.new_id(), found.payment_id, event_type, tx.now, payload)


def say(
    tx: Transaction[Connection], event: Message, about: Payment, operation_id: UUID | None = None
) -> None:
    """Say what became of a payment, to the operation that placed its order or to another one."""
    tx.emit(event, operation_id=operation_id or about.operation_id, user_id=about.user_id)
