"""What the bus itself announces."""

from schemas.message import Message, event


@event("bus.message.dead", subject="message_id")
class MessageDead(Message):
    """A message was dead-lettered; its operation, if it had one, ends as failed."""

    message_id: str
    message_type: str
    queue: str
    code: str
    """Why: malformed, unknown_type, fault or deadly."""
    detail: str
