"""Stripe, through its own SDK: the only file of the workers that imports it.

Each function makes one call, under the idempotency key that was committed before it, and returns
what it means to us. Two kinds of failure leave here: `Refused` is Stripe's last word about this
attempt, `TryAgain` is everything that may go better later (no answer, 5xx, 429, 409).

Stripe keeps a 500 under its key, whether the work was done or not, so that the attempt after it
has a new key. Such an attempt first looks for what the one before has left, by our ids in the
metadata, and takes that: there is never a second intent for a payment, nor a second refund for
what was to be given back once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeVar, cast
from uuid import UUID

import stripe

from bus import settings
from schemas.payment import Refund, RefundStatus
from workers.payment.amounts import from_stripe_units, stripe_units
from workers.payment.payment import Payment

_TIMEOUT_SEC = 10
_BAD_REQUEST = 400
_PAGE = 100
_CLOCKS_DIFFER = timedelta(seconds=5)
"""How far our machines' clocks may be from each other, and Stripe's from each other."""
_T = TypeVar("_T")


class Refused(Exception):  # noqa: N818  # A word for what happened, not an error of ours.
    """Stripe will not do this, however often it is asked."""

    def __init__(self, code: str) -> None:
        """Take Stripe's code for the reason."""
        super().__init__(code)
        self.code = code


class TryAgain(Exception):  # noqa: N818  # An instruction.
    """Nothing is known for certain; ask again, under the same key unless told otherwise."""

    def __init__(self, why: str, *, same_key: bool, for_operator: bool = False) -> None:
        """Say why, whether the attempt itself goes on, and whether only a person mends it."""
        super().__init__(why)
        self.same_key = same_key
        self.for_operator = for_operator


@dataclass(frozen=True)
class Returned:
    """Money on its way back, as Stripe has it."""

    id: str
    refund_id: UUID | None
    """Ours; None when somebody else gave it back."""
    amount: Decimal
    status: RefundStatus
    failure: str | None


@dataclass(frozen=True)
class Intent:
    """How far a payment intent is."""

    id: str
    client_secret: str
    state: Literal["open", "authorized", "captured", "cancelled"]
    returned: tuple[Returned, ...] = ()
    """What went back of it, the oldest first; only when it was asked for."""


_STATES: dict[str, Literal["open", "authorized", "captured", "cancelled"]] = {
    "requires_capture": "authorized",
    "succeeded": "captured",
    "canceled": "cancelled",
}
_REFUND_STATES: dict[str, RefundStatus] = {
    "succeeded": "SUCCEEDED",
    "failed": "FAILED",
    "canceled": "FAILED",
}


class Gateway:
    """A client with a pool of connections; any thread may call."""

    def __init__(self) -> None:
        """Read the key and the address from this process's settings."""
        self._stripe = stripe.StripeClient(
            settings.read("STRIPE_API_KEY"),
            base_addresses={
                "api": settings.read(
                    "STRIPE_API_BASE", "https://api.stripe.com", settings.url("http", "https")
                )
            },
            http_client=stripe.RequestsClient(timeout=_TIMEOUT_SEC),
            max_network_retries=0,  # A retry is ours to make: it is committed first.
        )

    def create(self, payment: Payment, key: str, *, again: bool = False) -> Intent:
        """Make the intent of a payment, to be captured by us later.

        `again` is whether an attempt under another key may have made it already.

        Raises:
            Refused, TryAgain: see the module's docstring.
        """
        try:
            units = stripe_units(payment.amount, payment.currency)
        except ValueError as error:
            raise Refused("amount_invalid") from error
        if again and (left := _ask(lambda: self._left_behind(payment, units))):
            return _intent(left)
        params: stripe.params.PaymentIntentCreateParams = {
            "amount": units,
            "currency": payment.currency.lower(),
            "capture_method": "manual",
            # Apple Pay and Google Pay are wallets of cards.
            "allowed_payment_method_types": ["card"],
            "metadata": {
                "order_id": str(payment.order_id),
                "payment_id": str(payment.payment_id),
                "method": payment.method,
            },
        }
        intents = self._stripe.v1.payment_intents
        return _intent(_ask(lambda: intents.create(params, {"idempotency_key": key})))

    def _left_behind(self, payment: Payment, units: int) -> stripe.PaymentIntent | None:
        """Look for an intent that was made for a payment, though nobody could tell us.

        The newest come first, so that the rest are older than the payment from some intent on, by
        Stripe's own clock: that shows the newest one's time or more at this moment, whatever ours
        does. In a crowd that is a page or two.
        """
        page = self._stripe.v1.payment_intents.list({"limit": _PAGE})
        age = datetime.now(UTC) - payment.created_at + _CLOCKS_DIFFER
        since = page.data[0].created - age.total_seconds() if page.data else 0
        wanted = (str(payment.payment_id), units, payment.currency.lower())
        for each in page.auto_paging_iter():
            if each.created < since:
                break
            found = (_note(each.metadata, "payment_id"), each.amount, each.currency)
            if found == wanted and each.status != "canceled":
                return each
        return None

    def retrieve(self, intent_id: str) -> Intent:
        """Ask how far an intent is, and what went back of it.

        Raises:
            Refused, TryAgain: see the module's docstring.
        """
        intents = self._stripe.v1.payment_intents
        found = _intent(_ask(lambda: intents.retrieve(intent_id)))
        if found.state != "captured":
            return found
        return replace(found, returned=_ask(lambda: self._returned(intent_id)))

    def refund(self, found: Payment, refund: Refund, key: str, *, again: bool = False) -> Returned:
        """Give money back; `again` is whether an earlier attempt may have done so.

        Raises:
            Refused, TryAgain: see the module's docstring.
        """
        intent_id = str(found.stripe_payment_intent_id)
        left = _ask(lambda: self._returned(intent_id)) if again else ()
        for each in left:
            if each.refund_id == refund.refund_id and each.status != "FAILED":
                return each
        params: stripe.params.RefundCreateParams = {
            "payment_intent": intent_id,
            "amount": stripe_units(refund.amount, found.currency),
            "metadata": {
                "order_id": str(found.order_id),
                "refund_id": str(refund.refund_id),
            },
        }
        refunds = self._stripe.v1.refunds
        return _returned(_ask(lambda: refunds.create(params, {"idempotency_key": key})))

    def _returned(self, intent_id: str) -> tuple[Returned, ...]:
        page = self._stripe.v1.refunds.list({"payment_intent": intent_id, "limit": _PAGE})
        return tuple(_returned(each) for each in page.auto_paging_iter())[::-1]

    def capture(self, intent_id: str, key: str) -> Intent:
        """Take what is set aside; an intent that was captured before is as good.

        Raises:
            Refused, TryAgain: see the module's docstring.
        """
        return self._reach(
            "captured",
            intent_id,
            lambda: self._stripe.v1.payment_intents.capture(
                intent_id, options={"idempotency_key": key}
            ),
        )

    def cancel(self, intent_id: str, key: str) -> Intent:
        """Give back what is set aside, and let nobody pay any more.

        Raises:
            Refused, TryAgain: see the module's docstring.
        """
        return self._reach(
            "cancelled",
            intent_id,
            lambda: self._stripe.v1.payment_intents.cancel(
                intent_id, options={"idempotency_key": key}
            ),
        )

    def _reach(
        self, state: str, intent_id: str, call: Callable[[], stripe.PaymentIntent]
    ) -> Intent:
        """Make a call; when it is refused, see whether what it was for is true already."""
        try:
            return _intent(_ask(call))
        except Refused as error:
            found = self.retrieve(intent_id)
            if found.state == state:
                return found
            if state == "cancelled" and found.state == "captured":
                return found  # Somebody else took it: that is for the payment to mend.
            if state == "cancelled":
                # Not now: a card is being asked at this moment. It can be given back later.
                msg = f"not to be cancelled yet: {error}"
                raise TryAgain(msg, same_key=False) from error
            raise


def _ask(call: Callable[[], _T]) -> _T:
    """Make a call, and tell what may go better later from what will not."""
    try:
        return call()
    except stripe.IdempotencyError as error:
        # 400: the attempt of the version before us was in other words (409: it goes on).
        changed = error.http_status == _BAD_REQUEST
        raise TryAgain(repr(error), same_key=not changed) from error
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        raise TryAgain(repr(error), same_key=True) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        # Our key is wrong: an operator mends it, and the calls go on where they were.
        msg = f"Stripe does not accept our key: {error}"
        raise TryAgain(msg, same_key=True, for_operator=True) from error
    except (stripe.CardError, stripe.InvalidRequestError) as error:
        if error.code == "resource_missing":
            # What Stripe has made for us is never lost: our key is of another account or mode.
            msg = f"Stripe does not have what our key made there: {error}"
            raise TryAgain(msg, same_key=not _replayed(error), for_operator=True) from error
        raise Refused(str(error.code or "invalid_request")) from error
    except stripe.StripeError as error:
        raise TryAgain(repr(error), same_key=not _replayed(error)) from error


def _replayed(error: stripe.StripeError) -> bool:
    """Whether this is a kept answer, repeated for its key for a day: that attempt is over."""
    return (error.headers or {}).get("idempotent-replayed") == "true"


def _intent(answer: stripe.PaymentIntent) -> Intent:
    return Intent(
        id=answer.id,
        client_secret=cast("str", answer.client_secret),
        state=_STATES.get(answer.status, "open"),
    )


def _returned(answer: stripe.Refund) -> Returned:
    return Returned(
        id=answer.id,
        refund_id=_uuid(_note(answer.metadata, "refund_id")),
        amount=from_stripe_units(answer.amount, answer.currency.upper()),
        status=_REFUND_STATES.get(answer.status or "", "PENDING"),
        failure=getattr(answer, "failure_reason", None),
    )


def _note(metadata: Any, name: str) -> str | None:  # noqa: ANN401  # A mapping of the SDK's own.
    return str(metadata[name]) if metadata and name in metadata else None


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:  # Somebody else's word.
        return None
