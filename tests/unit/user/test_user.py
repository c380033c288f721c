"""What people may say of themselves."""

from dataclasses import replace
from uuid import uuid4

import pytest

from bus.service import Refusal
from schemas.places import COUNTRIES, is_locale, is_timezone
from schemas.user import BillingAddress, EditPreferences, EditProfile, PutAddress
from workers.user.user import User

ADA = User(user_id=uuid4())
HOME = BillingAddress(line1="Ring 1", line2=None, city="Wien", postal_code="1010", country="AT")


def test_somebody_new_has_said_nothing_and_agreed_to_nothing() -> None:
    assert vars(ADA.profile) == {"display_name": None, "locale": "en", "timezone": "UTC"}
    assert not ADA.preferences.marketing_opt_in
    assert ADA.billing_address is None


def test_what_is_not_given_stays() -> None:
    told = {"display_name": "Ada", "locale": "de-AT", "timezone": "Europe/Vienna"}
    changed = ADA.with_profile(EditProfile(user_id=ADA.user_id, **told))
    again = changed.with_profile(EditProfile(user_id=ADA.user_id, locale="fr"))
    assert vars(again.profile) == told | {"locale": "fr"}
    assert (changed.revision, again.revision) == (2, 3)


def test_no_is_an_answer() -> None:
    """A preference that is refused is given, not absent."""
    asked = EditPreferences(user_id=ADA.user_id, order_updates=False)
    assert not ADA.with_preferences(asked).preferences.order_updates
    asked = EditPreferences(user_id=ADA.user_id, marketing_opt_in=True)
    assert ADA.with_preferences(asked).preferences.order_updates


@pytest.mark.parametrize("wrong", [{"locale": "Austrian"}, {"timezone": "Europe/Linz"}])
def test_a_place_that_there_is_not_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(Refusal, match="invalid_request"):
        ADA.with_profile(EditProfile(user_id=ADA.user_id, **wrong))


def test_an_address_is_replaced_whole() -> None:
    first = replace(HOME, line2="Door 3")
    moved = ADA.with_address(PutAddress(user_id=ADA.user_id, address=first))
    assert moved.with_address(PutAddress(user_id=ADA.user_id, address=HOME)).billing_address == HOME
    nowhere = replace(HOME, country="XX")
    with pytest.raises(Refusal, match="country"):
        ADA.with_address(PutAddress(user_id=ADA.user_id, address=nowhere))


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("de", True),
        ("de-AT", True),
        ("zh-Hant-TW", True),
        ("es-419", True),
        ("sl-rozaj", True),
        ("de-1996", True),
        ("DE", False),
        ("de_AT", False),
        ("de-at", False),
        ("d", False),
        ("deutsch", False),
        ("de-", False),
        ("de\n", False),
        ("", False),
    ],
)
def test_language_tags(text: str, *, fine: bool) -> None:
    assert is_locale(text) is fine


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("UTC", True),
        ("Europe/Vienna", True),
        ("America/Argentina/Ushuaia", True),
        ("localtime", False),
        ("../../etc/passwd", False),
        ("+01:00", False),
        ("", False),
    ],
)
def test_time_zones(text: str, *, fine: bool) -> None:
    assert is_timezone(text) is fine


def test_countries() -> None:
    assert len(COUNTRIES) == 249
    assert {"AT", "BQ", "SS"} <= COUNTRIES
    assert not {"UK", "EU", "XX", "at"} & COUNTRIES
