"""What is said to and by the expiration service: timers and the clock."""

from datetime import datetime
from uuid import UUID

from schemas.message import Message, command, event


@command("expirations.timer.arm", subject="order_id")
class ArmTimer(Message):
    """Wake the order at its deadline; a later arming replaces an earlier one."""

    order_id: UUID
    reservation_id: UUID
    deadline: datetime
    arm: int
    """Counts the armings, so that firing one arming twice is one message."""


@event("expirations.timer.fired", subject="order_id")
class TimerFired(Message):
    """A deadline has passed, by the clock of whoever watched it."""

    order_id: UUID
    deadline: datetime
    arm: int


@command("expirations.hold.arm", subject="plan_id")
class ArmHold(Message):
    """Wake the venue service when a hold ends; a later arming replaces an earlier one."""

    plan_id: UUID
    user_id: UUID
    deadline: datetime
    arm: int
    """Counts the armings of this user on this plan."""


@event("expirations.hold.fired", subject="plan_id")
class HoldFired(Message):
    """A hold's time is over, by the clock of whoever watched it."""

    plan_id: UUID
    user_id: UUID
    deadline: datetime
    arm: int


@event("expirations.clock.ticked", subject="clock")
class ClockTicked(Message):
    """Ten seconds have passed: time for each owner's periodic work."""

    clock: str
    at: datetime
