"""Stripe's test payment methods, by name and by card number.

Source: docs.stripe.com/testing. `pm_card_captureFails` and `pm_card_captureExpires` are the
stand-in's own: Stripe has no name for a capture that fails.
"""

from dataclasses import dataclass
from typing import Any, Literal

from ops.stripe_stand_in.errors import invalid, unknown
from ops.stripe_stand_in.forms import Form


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a bank said no, in Stripe's words."""

    code: str
    decline_code: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Card:
    """How one test card behaves."""

    brand: str = "visa"
    last4: str = "4242"
    wallet: Literal["apple_pay", "google_pay"] | None = None
    decline: Decline | None = None
    asks_buyer: bool = False
    capture: Literal["works", "declined", "expired"] = "works"
    refund: Literal["works", "pends", "fails_later"] = "works"


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
NO_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST = Decline("card_declined", "lost_card", "Your card was declined.")
STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.")
OLD = Decline("expired_card", None, "Your card has expired.")
BAD_CVC = Decline("incorrect_cvc", None, "Your card's security code is incorrect.")
BROKEN = Decline(
    "processing_error",
    None,
    "An error occurred while processing your card. Try again in a little bit.",
)

CARDS: dict[str, Card] = {
    "pm_card_visa": Card(),
    "pm_card_visa_debit": Card(last4="5556"),
    "pm_card_mastercard": Card("mastercard", "4444"),
    "pm_card_amex": Card("amex", "8431"),
    "pm_card_discover": Card("discover", "1117"),
    "pm_card_applePay": Card(wallet="apple_pay"),
    "pm_card_googlePay": Card(wallet="google_pay"),
    "pm_card_chargeDeclined": Card(last4="0002", decline=GENERIC),
    "pm_card_chargeDeclinedInsufficientFunds": Card(last4="9995", decline=NO_FUNDS),
    "pm_card_chargeDeclinedLostCard": Card(last4="9987", decline=LOST),
    "pm_card_chargeDeclinedStolenCard": Card(last4="9979", decline=STOLEN),
    "pm_card_chargeDeclinedExpiredCard": Card(last4="0069", decline=OLD),
    "pm_card_chargeDeclinedIncorrectCvc": Card(last4="0127", decline=BAD_CVC),
    "pm_card_chargeDeclinedProcessingError": Card(last4="0119", decline=BROKEN),
    "pm_card_authenticationRequired": Card(last4="3184", asks_buyer=True),
    "pm_card_threeDSecure2Required": Card(last4="3220", asks_buyer=True),
    "pm_card_pendingRefund": Card(last4="7726", refund="pends"),
    "pm_card_refundFail": Card(last4="5126", refund="fails_later"),
    "pm_card_captureFails": Card(last4="0341", capture="declined"),
    "pm_card_captureExpires": Card(last4="0342", capture="expired"),
}
# Stripe's documentation spells these declines with the brand in the name as well.
CARDS |= {
    name.replace("pm_card_", "pm_card_visa_"): card
    for name, card in CARDS.items()
    if name.startswith("pm_card_chargeDeclined")
}

NUMBERS = {
    "4242424242424242": "pm_card_visa",
    "4000056655665556": "pm_card_visa_debit",
    "5555555555554444": "pm_card_mastercard",
    "378282246310005": "pm_card_amex",
    "6011111111111117": "pm_card_discover",
    "4000000000000002": "pm_card_chargeDeclined",
    "4000000000009995": "pm_card_chargeDeclinedInsufficientFunds",
    "4000000000009987": "pm_card_chargeDeclinedLostCard",
    "4000000000009979": "pm_card_chargeDeclinedStolenCard",
    "4000000000000069": "pm_card_chargeDeclinedExpiredCard",
    "4000000000000127": "pm_card_chargeDeclinedIncorrectCvc",
    "4000000000000119": "pm_card_chargeDeclinedProcessingError",
    "4000002760003184": "pm_card_authenticationRequired",
    "4000002500003155": "pm_card_authenticationRequired",
    "4000000000003220": "pm_card_threeDSecure2Required",
    "4000000000007726": "pm_card_pendingRefund",
    "4000000000005126": "pm_card_refundFail",
}


def named_in(form: Form) -> str | None:
    """Find the card that a call names; StripeError 400 for one that does not exist."""
    name = form.text("payment_method")
    if name is not None:
        if name not in CARDS:
            unknown("PaymentMethod", name, param="payment_method")
        return name
    if "payment_method_data" not in form:
        return None
    typed = form.below("payment_method_data").below("card").text("number") or ""
    number = typed.replace(" ", "").replace("-", "")
    if number not in NUMBERS:
        invalid(
            "Your card number is incorrect.",
            "payment_method_data[card][number]",
            "incorrect_number",
        )
    return NUMBERS[number]


def details(card: Card) -> dict[str, Any]:
    """Render the `card` hash of a payment method or of a charge's payment_method_details."""
    wallet = card.wallet and {"type": card.wallet, "dynamic_last4": card.last4, card.wallet: {}}
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": f"standin{card.brand}{card.last4}",
        "funding": "credit",
        "last4": card.last4,
        "network": card.brand,
        "three_d_secure": None,
        "wallet": wallet,
    }
