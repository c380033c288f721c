"""Amounts as Stripe counts them (https://docs.stripe.com/currencies).

Stripe takes the currency's smallest unit, with exceptions: ISK and UGX have no decimals but are
sent as if they had two; MGA is sent without its two; three-decimal currencies must be a multiple
of ten.
"""

from decimal import Decimal

from schemas.money import chargeable, decimals, exact

_AS_IF_TWO = {"ISK", "UGX"}
_AS_IF_NONE = {"MGA"}


def stripe_units(amount: Decimal, currency: str) -> int:
    """Return the whole number that Stripe expects for an amount.

    Raises:
        ValueError: Stripe cannot take this amount in this currency.
    """
    return int(chargeable(amount, currency).scaleb(_places(currency)))


def from_stripe_units(units: int, currency: str) -> Decimal:
    """Return the amount that Stripe means."""
    return exact(Decimal(units).scaleb(-_places(currency)), currency)


def _places(currency: str) -> int:
    if currency in _AS_IF_TWO:
        return 2
    return 0 if currency in _AS_IF_NONE else decimals(currency)
