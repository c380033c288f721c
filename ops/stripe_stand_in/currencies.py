"""What amounts Stripe takes: always in minor units, and how many of those a unit has.

Source: docs.stripe.com/currencies.
"""

from ops.stripe_stand_in.errors import invalid

KNOWN = frozenset(
    "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt"  # noqa: SIM905 - a list reads better so
    " bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp cny cop crc cve czk djf dkk"
    " dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk"
    " jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt"
    " mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar"
    " ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd"
    " tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw".split()
)
THREE_DECIMALS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
# Zero-decimal by law, two-decimal in Stripe's interface for old times' sake.
WHOLE_HUNDREDS = frozenset({"isk", "ugx"})
SMALLEST = {
    "usd": 50, "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000,
    "myr": 200, "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50,
    "thb": 1000,
}  # fmt: skip
LARGEST = 99_999_999


def check_currency(currency: str) -> str:
    """Give the currency in lower case; StripeError 400 for one that Stripe does not know."""
    lower = currency.lower()
    if lower not in KNOWN:
        invalid(f"Invalid currency: {currency[:20]}. Stripe does not support it.", "currency")
    return lower


def check_amount(amount: int, currency: str, param: str = "amount") -> int:
    """Give the amount in minor units back; StripeError 400 for one that cannot be charged."""
    if amount < 1:
        invalid(
            "This value must be greater than or equal to 1.", param, "parameter_invalid_integer"
        )
    if amount > LARGEST:
        invalid("Amount must be no more than 999,999.99.", param, "amount_too_large")
    if amount < SMALLEST.get(currency, 1):
        invalid(
            f"Amount must be at least {SMALLEST[currency]} minor units of {currency}.",
            param,
            "amount_too_small",
        )
    check_step(amount, currency, param)
    return amount


def check_step(amount: int, currency: str, param: str) -> None:
    """Refuse a fraction that no card network settles in this currency."""
    step = 10 if currency in THREE_DECIMALS else 100 if currency in WHOLE_HUNDREDS else 1
    if amount % step:
        invalid(f"Invalid amount: amounts in {currency} must be divisible by {step}.", param)
