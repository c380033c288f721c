"""The venue service.

Owns   venues, their sections, organizers' settings, seating plans, seats, holds and the ledger of
       seat reservations (PostgreSQL venue_db); claims on seats that are being held (Redis).
Hears  venues.venue.create, .edit; venues.section.add, .edit, .remove; venues.settings.change;
       venues.plan.create, .edit, .activate, .deactivate; venues.seats.hold, .free, .block,
       .unblock, .reserve, .release; orders.order.completed, .cancelled; tickets.ticket.created,
       .edited, .on_sale, .closed, .cancelled, .restated; expirations.hold.fired,
       expirations.clock.ticked; venues.state.republish.
Says   venues.venue.created, .edited, .restated, .refused; venues.section.changed;
       venues.settings.changed, .refused; venues.plan.created, .edited, .activated, .deactivated,
       .restated, .refused; venues.seats.held, .freed, .blocked, .unblocked, .reserved, .sold,
       .released, .restated, .refused; expirations.hold.arm.

The handlers are in four files, by what they are about. Each runs inside one transaction opened by
the bus; how messages about one plan or one order are kept apart is told in `floor`.
"""

from workers.venue import (
    order_handlers,
    plan_handlers,
    republishing,
    seat_handlers,
    venue_handlers,
)
from workers.venue.service import venue

__all__ = [
    "order_handlers",
    "plan_handlers",
    "republishing",
    "seat_handlers",
    "venue",
    "venue_handlers",
]
