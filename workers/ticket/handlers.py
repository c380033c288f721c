"""The ticket service.

Owns   tickets, their quotas and counters, and reservations (MongoDB ticket_db).
Hears  tickets.ticket.create, .edit, .cancel; tickets.plan.request; venues.plan.activated,
       .deactivated; venues.seats.blocked, .unblocked; tickets.reservation.hold, .release;
       orders.order.completed, .cancelled; tickets.state.republish.
Says   tickets.ticket.created, .edited, .on_sale, .closed, .cancelled, .changed, .restated,
       .refused; tickets.plan.refused; venues.plan.create; tickets.reservation.held, .refused,
       .released; venues.seats.reserve.

Quota, per-user count and reservation move together in one transaction, and only when the
reservation was in the expected state. Every message about one ticket has the ticket as its key.
"""

from uuid import UUID

from bus.service import Refusal, Service, Transaction
from bus.stores.mongo import Documents, Mongo
from schemas.order import OrderCancelled, OrderCompleted
from schemas.ticket import (
    CancelTicket,
    CreateTicket,
    EditTicket,
    HoldReservation,
    PlanRequestRefused,
    ReleaseReservation,
    RepublishTickets,
    RequestPlan,
    ReservationHeld,
    ReservationReleased,
    TicketCancelled,
    TicketChanged,
    TicketClosed,
    TicketCreated,
    TicketEdited,
    TicketOnSale,
    TicketRestated,
)
from schemas.venue import (
    ActivatePlan,
    CreatePlan,
    PlanActivated,
    PlanDeactivated,
    ReserveSeats,
    SeatsBlocked,
    SeatsUnblocked,
)
from workers.ticket import store
from workers.ticket.reservation import Reservation, ReservationStatus
from workers.ticket.ticket import Ticket

_PAGE = 100

ticket = Service[Documents]("ticket", Mongo())


@ticket.handles(CreateTicket)
def create(command: CreateTicket, tx: Transaction[Documents]) -> None:
    """Offer a ticket; it belongs to whoever asks."""
    if tx.cause.user_id is None:
        raise Refusal("forbidden", "A ticket needs an organizer.")
    created = Ticket.create(
        command, ticket_id=tx.new_id(), organizer_id=tx.cause.user_id, now=tx.now
    )
    store.insert(tx, created)
    tx.emit(TicketCreated.of(created))


@ticket.handles(EditTicket)
def edit(command: EditTicket, tx: Transaction[Documents]) -> None:
    """Change a ticket for its organizer."""
    found = _known(tx, command.ticket_id)
    edited = found.edit(command, by=tx.cause.user_id, now=tx.now)
    store.save(tx, edited)
    tx.emit(TicketEdited.of(edited))


@ticket.handles(CancelTicket)
def cancel(command: CancelTicket, tx: Transaction[Documents]) -> None:
    """Call the event off; saying it again lets whoever ends its orders go on."""
    found = _known(tx, command.ticket_id)
    cancelled = found.cancel(by=tx.cause.user_id, now=tx.now)
    _keep(tx, found, cancelled)
    tx.emit(TicketCancelled.of(cancelled))


@ticket.handles(RequestPlan)
def plan(command: RequestPlan, tx: Transaction[Documents]) -> None:
    """Have a seating plan made that fits its ticket."""
    found = _known(tx, command.ticket_id)
    found.check_plan(command.assignment_mode, by=tx.cause.user_id)
    tx.emit(
        CreatePlan.of(
            command,
            organizer_id=found.organizer_id,
            ticket_type=found.ticket_type,
            price=found.price,
            currency=found.currency,
        )
    )


@ticket.handles(PlanActivated, key=lambda event: event.ticket_id)
def open_sale(event: PlanActivated, tx: Transaction[Documents]) -> None:
    """Put a ticket on sale with its plan's seats; a cancelled event stays cancelled."""
    found = store.load(tx, event.ticket_id)
    if found is None:
        return
    if found.status == "cancelled":
        tx.emit(
            PlanRequestRefused(
                ticket_id=found.ticket_id,
                command=ActivatePlan.TYPE,
                code="event_cancelled",
                detail="The event was cancelled.",
            )
        )
        return
    opened = found.activated(event, tx.now)
    _keep(tx, found, opened)
    tx.emit(TicketOnSale.of(opened))


@ticket.handles(PlanDeactivated, key=lambda event: event.ticket_id)
def close_sale(event: PlanDeactivated, tx: Transaction[Documents]) -> None:
    """Take a ticket off sale with its plan."""
    if found := store.load(tx, event.ticket_id):
        closed = found.deactivated(event, tx.now)
        _keep(tx, found, closed)
        tx.emit(TicketClosed.of(closed))


@ticket.handles(SeatsBlocked, key=lambda event: event.ticket_id)
def block(event: SeatsBlocked, tx: Transaction[Documents]) -> None:
    """Lower a quota by what is not for sale any more."""
    _recount(event, tx)


@ticket.handles(SeatsUnblocked, key=lambda event: event.ticket_id)
def unblock(event: SeatsUnblocked, tx: Transaction[Documents]) -> None:
    """Raise a quota by what is for sale again."""
    _recount(event, tx)


@ticket.handles(HoldReservation, key=lambda command: command.ticket_id)
def hold(command: HoldReservation, tx: Transaction[Documents]) -> None:
    """Set quota aside, again for an order that had expired, unless it was given back."""
    before = store.reservation_of(tx, command.order_id)
    if before and command.order_version <= before.order_version:
        return
    if before and not (before.status == "HELD" or before.may("HELD")):
        raise Refusal("sold_out", "The tickets were given back.")
    offered = _known(tx, command.ticket_id)
    if before is None:
        offered.check_choice(command)
    if before is None or before.status != "HELD":
        held_by_user = store.held_by(tx, command.ticket_id, command.user_id)
        _change(tx, offered.hold(command.quantity, held_by_user=held_by_user, now=tx.now))
    if before is None:
        store.insert_reservation(tx, Reservation.held(command, tx.now))
    else:
        store.save_reservation(tx, before, before.moved("HELD", command.order_version))
    _say_held(command, offered, tx)


@ticket.handles(OrderCompleted, key=lambda event: event.ticket_id)
def finalize(event: OrderCompleted, tx: Transaction[Documents]) -> None:
    """Count what was reserved as sold."""
    before = store.reservation_of(tx, event.order_id)
    if before is None or event.order_version <= before.order_version:
        return
    after = before.moved("FINALIZED", event.order_version)
    store.save_reservation(tx, before, after)
    if before.status == "HELD":
        _change(tx, _known(tx, before.ticket_id).sell(before.quantity, tx.now))


@ticket.handles(OrderCancelled, key=lambda event: event.ticket_id)
def give_back(event: OrderCancelled, tx: Transaction[Documents]) -> None:
    """Put an ended order's tickets back on sale, but for those that were refunded and kept."""
    status: ReservationStatus = "EXPIRED" if event.status == "EXPIRED" else "RELEASED"
    _release(event, status, sum(item.quantity for item in event.items if item.kept), tx)


@ticket.handles(ReleaseReservation, key=lambda command: command.ticket_id)
def release(command: ReleaseReservation, tx: Transaction[Documents]) -> None:
    """Put back what arrived when the order no longer wanted it, or what was refunded so far."""
    left = 0
    if command.quantity is not None and (before := store.reservation_of(tx, command.order_id)):
        left = before.quantity - command.quantity
    _release(command, "RELEASED", left, tx)


@ticket.handles(RepublishTickets, key=lambda _: "republish")
def republish(command: RepublishTickets, tx: Transaction[Documents]) -> None:
    """Say a page of tickets as they are, and ask for the next page."""
    page = store.page_after(tx, command.after, _PAGE)
    for each in page:
        tx.emit(TicketRestated.of(each))
    if len(page) == _PAGE:
        tx.emit(RepublishTickets(after=str(page[-1].ticket_id)))


def _release(
    about: OrderCancelled | ReleaseReservation,
    status: ReservationStatus,
    left: int,
    tx: Transaction[Documents],
) -> None:
    """Give an order's stock back, but for the `left` that stay sold."""
    before = store.reservation_of(tx, about.order_id)
    if before is None:
        after = _tombstone(about, tx)
        store.insert_reservation(tx, after)
    elif about.order_version <= before.order_version:
        return
    else:
        gone = before.moved(status, about.order_version)
        after = before.kept(left, about.order_version) if left > 0 else gone
        store.save_reservation(tx, before, after)
        _restock(before, after, tx)
    told = "RELEASED" if after.status == "HELD" else after.status
    tx.emit(ReservationReleased.of(about, order_version=about.order_version, status=told))


def _restock(before: Reservation, after: Reservation, tx: Transaction[Documents]) -> None:
    reserved, sold = before.reserved - after.reserved, before.sold - after.sold
    if reserved or sold:
        found = _known(tx, before.ticket_id)
        _change(tx, found.give_back(reserved=reserved, sold=sold, now=tx.now))


def _tombstone(
    about: OrderCancelled | ReleaseReservation, tx: Transaction[Documents]
) -> Reservation:
    """The order ended before its hold arrived: a hold that comes later is refused."""
    return Reservation(
        reservation_id=about.reservation_id,
        ticket_id=about.ticket_id,
        order_id=about.order_id,
        order_version=about.order_version,
        user_id=about.user_id,
        quantity=0,
        status="RELEASED",
        expires_at=None,
        created_at=tx.now,
    )


def _say_held(command: HoldReservation, offered: Ticket, tx: Transaction[Documents]) -> None:
    """Answer the order, or pass it on to whoever has the seats."""
    if offered.seated:
        tx.emit(ReserveSeats.of(command, plan_id=offered.seating_plan_id))
        return
    tx.emit(
        ReservationHeld.of(
            command,
            organizer_id=offered.organizer_id,
            unit_price=offered.price,
            currency=offered.currency,
        )
    )


def _recount(event: SeatsBlocked | SeatsUnblocked, tx: Transaction[Documents]) -> None:
    if found := store.load(tx, event.ticket_id):
        recounted = found.recounted(event, tx.now)
        if recounted is not found:
            _change(tx, recounted)


def _keep(tx: Transaction[Documents], before: Ticket, after: Ticket) -> None:
    if after is not before:
        store.save(tx, after)


def _change(tx: Transaction[Documents], changed: Ticket) -> None:
    store.save(tx, changed)
    tx.emit(TicketChanged.of(changed), operation_id=None, user_id=None, collapse=True)


def _known(tx: Transaction[Documents], ticket_id: UUID) -> Ticket:
    found = store.load(tx, ticket_id)
    if found is None:
        raise Refusal("not_found", "There is no such ticket.")
    return found
