"""The shapes of what clients send about themselves."""

from marshmallow import fields, validate

from http_edge.fields import Country, Flag, Text, Timezone, locale
from http_edge.forms import Form


class Refresh(Form):
    """A refresh token, to be exchanged."""

    refresh_token = fields.String(required=True, validate=validate.Length(min=1, max=200))


class PasswordChange(Form):
    """The password in use, whatever its length, and the one that replaces it."""

    current_password = fields.String(
        required=True,
        validate=validate.Length(min=1, max=128),
        metadata={"format": "password"},
    )
    new_password = fields.String(
        required=True,
        validate=validate.Length(min=10, max=128),
        metadata={"format": "password"},
    )


class Farewell(Form):
    """The password, so that an open session is not enough to lose an account."""

    password = fields.String(
        required=True,
        validate=validate.Length(min=1, max=128),
        metadata={"format": "password"},
    )


class ProfileEdit(Form):
    """What is to change of a profile."""

    display_name = Text(100)
    locale = locale()
    timezone = Timezone()


class PreferencesEdit(Form):
    """What is to change of what one is written to about."""

    marketing_opt_in = Flag()
    order_updates = Flag()
    product_updates = Flag()


class Address(Form):
    """A billing address, whole."""

    line1 = Text(required=True)
    line2 = Text(allow_none=True, load_default=None)
    city = Text(100, required=True)
    postal_code = Text(20, required=True)
    country = Country(required=True)
