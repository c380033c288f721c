"""What is said by the view service: nothing but that it has forgotten somebody."""

from uuid import UUID

from schemas.message import Message, event


@event("views.user.erased", subject="user_id")
class ViewedDataErased(Message):
    """Nothing personal is shown or kept any more of somebody whose account was deleted."""

    user_id: UUID
