"""What is said to and by the user service: profiles, preferences, billing addresses."""

from uuid import UUID

from schemas.message import Line, Message, command, event, part


@part
class Profile(Message):
    """How to address somebody, and how they read and count the hours."""

    display_name: Line | None = None
    locale: Line = "en"
    """A language tag of BCP 47."""
    timezone: Line = "UTC"
    """A time zone of IANA's."""


@part
class Preferences(Message):
    """What somebody wants to be written to about."""

    marketing_opt_in: bool = False
    order_updates: bool = True
    product_updates: bool = False


@part
class BillingAddress(Message):
    """Whom to write on an invoice."""

    line1: Line
    line2: Line | None
    city: Line
    postal_code: Line
    country: Line
    """ISO 3166-1 alpha-2."""


@part
class UserState(Message):
    """All that is known of somebody, but for how they sign in."""

    user_id: UUID
    revision: int
    profile: Profile
    preferences: Preferences
    billing_address: BillingAddress | None


@event("users.user.changed", subject="user_id", sequence="revision")
class UserChanged(UserState):
    """Somebody is new, or something about them is."""


@event("users.user.restated", subject="user_id", sequence="revision")
class UserRestated(UserState):
    """Somebody as they are, said again for a view that is being rebuilt."""


@event("users.user.erased", subject="user_id")
class UserDataErased(Message):
    """This service knows nothing more of somebody whose account was deleted."""

    user_id: UUID


@event("users.user.refused", subject="user_id")
class UserEditRefused(Message):
    """A change of somebody's own data was refused."""

    user_id: UUID
    command: str
    code: str
    detail: str


@command("users.profile.edit", subject="user_id", refused_by=UserEditRefused)
class EditProfile(Message):
    """Change a profile; what is absent stays."""

    user_id: UUID
    display_name: Line | None = None
    locale: Line | None = None
    timezone: Line | None = None


@command("users.preferences.edit", subject="user_id", refused_by=UserEditRefused)
class EditPreferences(Message):
    """Change preferences; what is absent stays."""

    user_id: UUID
    marketing_opt_in: bool | None = None
    order_updates: bool | None = None
    product_updates: bool | None = None


@command("users.address.put", subject="user_id", refused_by=UserEditRefused)
class PutAddress(Message):
    """Replace the billing address, whole."""

    user_id: UUID
    address: BillingAddress


@command("users.state.republish", subject="after")
class RepublishUsers(Message):
    """Say everybody again, a page at a time, from the first id after `after`."""

    after: str = ""
