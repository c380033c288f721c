"""The views say of people what auth and the user service say."""

from ops.stores import Stores
from ops.verify.finding import Finding
from ops.verify.views import compare

_ACCOUNTS = "SELECT id AS user_id, email FROM users ORDER BY id"
_SHOWN_ACCOUNTS = "SELECT user_id, email FROM accounts ORDER BY user_id"
_PEOPLE = """
    SELECT p.user_id::uuid AS user_id, p.revision,
        jsonb_build_object('display_name', p.display_name, 'locale', p.locale,
            'timezone', p.timezone) AS profile,
        to_jsonb(s) - 'user_id' AS preferences, to_jsonb(a) - 'user_id' AS billing_address
    FROM user_profiles p JOIN user_preferences s USING (user_id)
        LEFT JOIN billing_addresses a USING (user_id) ORDER BY p.user_id::uuid
"""
_SHOWN_PEOPLE = """
    SELECT user_id, revision, profile, preferences, billing_address FROM people ORDER BY user_id
"""


def accounts(stores: Stores, finding: Finding) -> None:
    """Compare the accounts that are shown with those that can sign in."""
    with stores.stream("auth", _ACCOUNTS) as owned, stores.stream("view", _SHOWN_ACCOUNTS) as shown:
        compare("accounts", "user_id", owned, shown, finding)


def people(stores: Stores, finding: Finding) -> None:
    """Compare what people are shown of themselves with what they said, for each account."""
    with stores.stream("user", _PEOPLE) as owned, stores.stream("view", _SHOWN_PEOPLE) as shown:
        compare("people", "user_id", owned, shown, finding)
