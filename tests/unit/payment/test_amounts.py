"""Amounts as Stripe counts them (https://docs.stripe.com/currencies)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import decimals
from workers.payment.amounts import from_stripe_units, stripe_units


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        ("10.00", "EUR", 1000),
        ("0.01", "USD", 1),
        ("1500", "JPY", 1500),
        ("14.250", "KWD", 14250),
        ("700", "ISK", 70000),
        ("50000.00", "MGA", 50000),
        ("5", "UGX", 500),
        ("99999999.99", "EUR", 9999999999),
    ],
)
def test_units_are_stripes_own(amount: str, currency: str, units: int) -> None:
    assert stripe_units(Decimal(amount), currency) == units
    back = from_stripe_units(units, currency)
    assert back == Decimal(amount)
    assert -int(back.as_tuple().exponent) == decimals(currency)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("14.255", "KWD"),
        ("0.5", "JPY"),
        ("1.5", "ISK"),
        ("1.20", "MGA"),
        ("1.001", "EUR"),
        ("1.00", "XYZ"),
    ],
)
def test_what_stripe_cannot_take_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        stripe_units(Decimal(amount), currency)


@given(
    currency=st.sampled_from(["EUR", "USD", "JPY", "KRW", "KWD", "BHD", "ISK", "UGX"]),
    steps=st.integers(1, 9_999_999),
)
def test_there_and_back_changes_nothing(currency: str, steps: int) -> None:
    smallest = Decimal("0.01") if decimals(currency) else Decimal(1)
    amount = smallest * steps
    assert from_stripe_units(stripe_units(amount, currency), currency) == amount
