"""A user as people describe themselves: profile, preferences, billing address. Pure."""

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from bus.service import Refusal
from schemas.message import Message
from schemas.places import COUNTRIES, is_locale, is_timezone
from schemas.user import (
    BillingAddress,
    EditPreferences,
    EditProfile,
    Preferences,
    Profile,
    PutAddress,
)


@dataclass(frozen=True, kw_only=True)
class User:
    """All that this service keeps of somebody; `revision` counts every change."""

    user_id: UUID
    revision: int = 1
    profile: Profile = field(default_factory=Profile)
    preferences: Preferences = field(default_factory=Preferences)
    billing_address: BillingAddress | None = None

    def with_profile(self, command: EditProfile) -> "User":
        """Change what is given.

        Raises:
            Refusal: invalid_request, for a language or a time zone that there is not.
        """
        if command.locale is not None and not is_locale(command.locale):
            raise Refusal("invalid_request", "The locale is not a language tag, such as de-AT.")
        if command.timezone is not None and not is_timezone(command.timezone):
            raise Refusal("invalid_request", "There is no such time zone.")
        profile = replace(self.profile, **_given(command))
        return replace(self, profile=profile, revision=self.revision + 1)

    def with_preferences(self, command: EditPreferences) -> "User":
        """Change what is given."""
        preferences = replace(self.preferences, **_given(command))
        return replace(self, preferences=preferences, revision=self.revision + 1)

    def with_address(self, command: PutAddress) -> "User":
        """Replace the billing address.

        Raises:
            Refusal: invalid_request, for a country that there is not.
        """
        if command.address.country not in COUNTRIES:
            raise Refusal("invalid_request", "There is no such country.")
        return replace(self, billing_address=command.address, revision=self.revision + 1)


def _given(command: Message) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(command).items()
        if name != "user_id" and value is not None
    }
