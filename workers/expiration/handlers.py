"""The expiration service.

Owns   timers (Redis).
Hears  expirations.timer.arm, expirations.hold.arm; orders.order.completed, .cancelled.
Says   nothing itself; the clock (`workers.expiration.clock`) says expirations.timer.fired,
       expirations.hold.fired and expirations.clock.ticked.
"""

from bus.service import Service, Transaction
from bus.stores.redis import Keys, Redis
from schemas.expiration import ArmHold, ArmTimer
from schemas.order import OrderCancelled, OrderCompleted
from workers.expiration import timers

expiration = Service[Keys]("expiration", Redis())


@expiration.handles(ArmTimer)
def arm(command: ArmTimer, tx: Transaction[Keys]) -> None:
    """Set an order's timer."""
    timers.arm(tx.db, command)


@expiration.handles(ArmHold, key=lambda command: (command.plan_id, command.user_id))
def arm_hold(command: ArmHold, tx: Transaction[Keys]) -> None:
    """Set the timer of what a user holds of a plan; one that fires for nothing is ignored."""
    timers.arm_hold(tx.db, command)


@expiration.handles(OrderCompleted)
def disarm_paid(event: OrderCompleted, tx: Transaction[Keys]) -> None:
    """A confirmed order has no deadline."""
    timers.disarm(tx.db, event.order_id)


@expiration.handles(OrderCancelled)
def disarm_ended(event: OrderCancelled, tx: Transaction[Keys]) -> None:
    """An ended order has no deadline."""
    timers.disarm(tx.db, event.order_id)
