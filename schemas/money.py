"""Currencies and how many decimals each has (ISO 4217, minor units)."""

from decimal import Decimal

_NO_DECIMALS = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()  # noqa: SIM905  # A column of codes reads better.
)
_THREE_DECIMALS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())  # noqa: SIM905
_TWO_DECIMALS = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL
    HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT
    MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB
    SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH
    USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905
)

_STEPS = dict.fromkeys(_THREE_DECIMALS, Decimal("0.010")) | {"MGA": Decimal(1)}
"""No card is charged less finely, whatever the currency's decimals; others go by their decimals."""

CURRENCIES = _NO_DECIMALS | _TWO_DECIMALS | _THREE_DECIMALS
MAX_AMOUNT = Decimal("99999999.99")
"""What one payment may come to; Stripe's own limit is eight digits in most currencies."""


def decimals(currency: str) -> int:
    """Return how many decimals an amount in this currency has.

    Raises:
        ValueError: not a currency of ISO 4217.
    """
    if currency in _TWO_DECIMALS:
        return 2
    if currency in _NO_DECIMALS:
        return 0
    if currency in _THREE_DECIMALS:
        return 3
    msg = f"{currency} is not a currency."
    raise ValueError(msg)


def exact(amount: Decimal, currency: str) -> Decimal:
    """Return the amount with exactly the currency's decimals.

    Raises:
        ValueError: it has more of them, or is not a currency.
    """
    scaled = amount.quantize(Decimal(1).scaleb(-decimals(currency)))
    if scaled != amount:
        msg = f"{amount} has more decimals than {currency} has."
        raise ValueError(msg)
    return scaled


def chargeable(amount: Decimal, currency: str) -> Decimal:
    """Return the amount with exactly the currency's decimals, if a card can be charged it.

    Raises:
        ValueError: it is too fine for cards, has more decimals, or is not of a currency.
    """
    scaled = exact(amount, currency)
    if (step := _STEPS.get(currency)) and scaled % step:
        msg = f"Cards are charged {currency} in steps of {step}."
        raise ValueError(msg)
    return scaled
