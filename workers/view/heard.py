"""What one transaction's events come to, gathered, and written in a handful of statements.

The views hear every event of the system, many to a transaction. Each costs a few dictionary
entries; the statements are as many for sixty-four events as for one.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from bus.envelope import Envelope
from bus.service import Transaction
from bus.stores.postgres import Connection
from schemas.auth import UserDeleted
from schemas.message import Message
from schemas.order import CancelOrder, OrderState, PlaceOrder, RequestRefund
from schemas.ticket import ReservationReleased
from schemas.venue import SeatsReleased
from workers.view import map_store, people_store, store
from workers.view.end import End
from workers.view.maps import Maps
from workers.view.operations import SEVERAL, end_of, may_end
from workers.view.projections import (
    ACCOUNTS,
    PEOPLE,
    TABLES,
    Table,
    Values,
    in_timeline,
    projected,
)
from workers.view.shown import Shown
from workers.view.store import Happened, Notification, Pending

_ABOUT_ORDERS = {CancelOrder.TYPE, RequestRefund.TYPE}


@dataclass
class Heard:
    """The events of one transaction, as rows to write and operations to look at."""

    rows: dict[Table, dict[tuple[str, ...], Values]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    maps: Maps = field(default_factory=Maps)
    happened: list[Happened] = field(default_factory=list)
    said: dict[UUID, list[Message]] = field(default_factory=lambda: defaultdict(list))
    """By operation: what may end it."""
    orders: set[UUID] = field(default_factory=set)
    """Whose operations may have ended."""
    given_back: set[UUID] = field(default_factory=set)
    """The orders that were cancelled, refunded or released."""
    deleted: set[UUID] = field(default_factory=set)
    """The users whose accounts are no more."""
    told: set[Notification] = field(default_factory=set)
    ends: dict[Pending, End] = field(default_factory=dict)

    def hear(self, event: Message, cause: Envelope) -> None:
        """Add an event."""
        if row := projected(event):
            self._keep_newest(*row)
        self.maps.hear(event)
        if isinstance(event, UserDeleted):
            self.deleted.add(event.user_id)
        order_id: UUID | None = getattr(event, "order_id", None)
        timeline_of = order_id if in_timeline(event) else None
        if timeline_of:
            self.told.add(Notification(vars(event)["user_id"], "order", timeline_of))
        if cause.operation_id or timeline_of:
            self.happened.append(
                Happened(cause.id, event.TYPE, cause.time, cause.operation_id, timeline_of)
            )
        if may_end(event):
            self._look_for_ends(event, order_id, cause.operation_id)

    def _look_for_ends(
        self, event: Message, order_id: UUID | None, operation_id: UUID | None
    ) -> None:
        if operation_id:
            self.said[operation_id].append(event)
        if order_id:
            self.orders.add(order_id)
            if isinstance(event, ReservationReleased | SeatsReleased) or (
                isinstance(event, OrderState)
                and (event.status == "CANCELLED" or event.refunded_amount)
            ):
                self.given_back.add(order_id)

    def _keep_newest(self, table: Table, values: Values) -> None:
        rows, key = self.rows[table], table.key_of(values)
        known = rows.get(key)
        if known is None or known[table.revision] < values[table.revision]:
            rows[key] = values

    def _people(self) -> set[UUID]:
        """Return whose own data this transaction touches."""
        kept = (row for table in (ACCOUNTS, PEOPLE) for row in self.rows.get(table, {}).values())
        return self.deleted | {row["user_id"] for row in kept}

    def write(self, tx: Transaction[Connection]) -> None:
        """Write the rows, then end the operations that they complete, then tell their users."""
        looked = bool(self.said or self.orders)
        relaid = map_store.lay(tx.db, self.maps.laid()) if self.maps.layouts else []
        with tx.db.pipeline():
            for table in TABLES:
                if rows := self.rows.get(table):
                    store.replace(tx.db, table, rows.values())
            if touched := self._people():
                people_store.forget(tx.db, self.deleted, touched)
            if self.happened:
                store.record(tx.db, self.happened)
            if self.maps.seats or self.maps.areas or relaid:
                map_store.change(tx.db, self.maps.changed(), relaid)
            if looked:
                locked = store.lock_pending(tx.db, self.said.keys(), self.orders, self.given_back)
        if looked and (pending := locked.fetchall()):
            self._complete(tx, pending)
        self._finish(tx)

    def _complete(self, tx: Transaction[Connection], pending: Sequence[Pending]) -> None:
        orders = _shown(tx, pending)
        steps = _steps(tx, pending)
        for each in pending:
            said, order = self.said[each.id], orders.get(each.id)
            if end := end_of(each.type, said, order, steps.get(each.id, ())):
                self.ends[each] = end

    def _finish(self, tx: Transaction[Connection]) -> None:
        ended = {operation.id: end for operation, end in self.ends.items()}
        told = self.told | {
            Notification(each.user_id, "operation", each.id) for each in self.ends if each.user_id
        }
        stepped = {each.operation_id for each in self.happened if each.operation_id}
        news = stepped | ended.keys() | {each.user_id for each in told}
        with tx.db.pipeline():
            if ended:
                store.finish(tx.db, ended, tx.now)
            if told:
                store.notify(tx.db, sorted(told))
            if news:
                store.ring(tx.db, news)


def heard_by(tx: Transaction[Connection]) -> Heard:
    """Return what this transaction has heard; it is written before the commit."""
    heard: Heard | None = tx.memory.get(Heard)
    if heard is None:
        heard = tx.memory[Heard] = Heard()
        tx.before_commit(partial(heard.write, tx))
    return heard


def _steps(tx: Transaction[Connection], pending: Sequence[Pending]) -> dict[UUID, list[str]]:
    """Return the steps of those that several events end, this transaction's included."""
    waiting = [each.id for each in pending if each.type in SEVERAL]
    return store.steps(tx.db, waiting) if waiting else {}


def _shown(tx: Transaction[Connection], pending: Sequence[Pending]) -> dict[UUID, Shown]:
    """Return, by operation, the order that it placed or is about.

    A cancellation is about an order only if it is the asker's own; a refund, if the payment says
    that this operation asked for it.
    """
    placing = {each.id for each in pending if each.type == PlaceOrder.TYPE}
    others = [each for each in pending if each.type in _ABOUT_ORDERS]
    if not placing and not others:
        return {}
    orders = store.shown(tx.db, placing, {each.subject for each in others})
    by_id = {str(order.order_id): order for order in orders}
    found = {order.operation_id: order for order in orders}
    for each in others:
        order = by_id.get(each.subject)
        if order and each.type == RequestRefund.TYPE:
            found[each.id] = order.asked_by(each.id)
        elif order and order.user_id == each.user_id:
            found[each.id] = order
    return found
