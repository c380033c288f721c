"""The view service.

Owns   operations and every table that the edge reads (PostgreSQL view_db).
Hears  every event that there is.
Says   views.user.erased; it also sends the commands of unanswered operations again.

The events of a batch are gathered and written together, just before their transaction commits:
see `workers.view.heard`. A client that sees an operation ended finds in the views what ended it,
because both are written in one transaction.

Which events wait for each other: those of one order and of its payment, so that the operation
that placed it is found by whichever of them comes second. Events of other aggregates meet only in
an operation, whose row is locked before it is looked at. A ticket's row needs neither: the newer
copy wins, and in a sale everybody would wait for one ticket. Nor do the seats of a plan: a seat's
newer copy wins, and the map's row is locked at the end, for as long as the commit takes.
"""

import orjson

from bus.envelope import decode
from bus.service import Service, Transaction
from bus.stores.postgres import Connection, Postgres
from schemas.auth import UserDeleted
from schemas.expiration import ClockTicked
from schemas.message import Message, catalogue
from schemas.ticket import TicketState
from schemas.venue import PlanLaid, SeatsRestated, SeatsState
from schemas.view import ViewedDataErased
from workers.view import map_store, people_store, store
from workers.view.end import UNANSWERED
from workers.view.heard import heard_by

view = Service[Connection]("view", Postgres())


def aggregate_of(event: Message) -> str:
    """Name what an event must not be handled beside: see the module's docstring."""
    if isinstance(event, TicketState):
        return f"{event.subject} {event.sequence}"
    if isinstance(event, SeatsState) and not hasattr(event, "order_id"):
        return f"{event.subject} {[(each.seat_id, each.revision) for each in event.seats[:1]]}"
    return str(getattr(event, "order_id", None) or event.subject)


def project(event: Message, tx: Transaction[Connection]) -> None:
    """Remember an event for the end of the transaction."""
    heard_by(tx).hear(event, tx.cause)


@view.handles(UserDeleted, key=aggregate_of)
def forget(event: UserDeleted, tx: Transaction[Connection]) -> None:
    """Keep nothing of somebody, before this transaction commits."""
    project(event, tx)
    tx.emit(ViewedDataErased(user_id=event.user_id))


@view.handles(ClockTicked)
def republish(_: ClockTicked, tx: Transaction[Connection]) -> None:
    """Send again what had no first step in time: the broker may never have had it.

    What is silent for an hour after that has ended, too: nobody should wait for ever.
    """
    for command in store.take_unanswered(tx.db, tx.now):
        tx.forward(decode(orjson.dumps(command)))
    store.prune_notifications(tx.db, tx.now)
    people_store.forget_secrets(tx.db, tx.now)
    map_store.prune(tx.db)
    if silent := store.silent(tx.db, tx.now):
        heard_by(tx).ends.update(dict.fromkeys(silent, UNANSWERED))


_WHOLE_PLANS = PlanLaid, SeatsRestated

for each in catalogue().values():
    if each.KIND == "event" and each.TYPE not in view.handlers:
        view.handles(each, key=aggregate_of, long=issubclass(each, _WHOLE_PLANS))(project)
