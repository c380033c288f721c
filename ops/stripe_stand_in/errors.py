"""Refusals in the shape of Stripe's own.

StripeError            every answer that is not 200
  made by invalid()    the parameters are wrong, 400: nothing was begun, no key remembers
  made by unknown()    no such object, 404 in a path and 400 in a parameter
  made by unexpected() the intent's status forbids it, 400
  made by declined()   the card said no, 402

Source: docs.stripe.com/api/errors and docs.stripe.com/error-codes.
"""

from typing import Any, NoReturn

import orjson


class StripeError(Exception):
    """An answer with a status of 400 or more; `executed` tells whether a key remembers it."""

    def __init__(  # noqa: PLR0913 - an error of Stripe has this many parts
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        executed: bool = False,
        extra: dict[str, Any] | None = None,
        retry: bool | None = None,
    ) -> None:
        """`extra` joins the error object; `retry` becomes the header Stripe-Should-Retry."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.kind = kind
        self.executed = executed
        self.extra = extra or {}
        self.retry = retry

    def body(self, request_id: str) -> bytes:
        """Render the JSON that the SDK turns into its own exception."""
        error: dict[str, Any] = {"type": self.kind, "message": self.message, **self.extra}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return orjson.dumps({"error": error})


def invalid(message: str, param: str | None = None, code: str | None = None) -> NoReturn:
    """Refuse a parameter; raise StripeError 400."""
    raise StripeError(400, message, param=param, code=code)


def unknown(noun: str, ident: str, *, param: str | None = None) -> NoReturn:
    """Refuse an id that names nothing: 404 for the one in the path, 400 for one in a parameter."""
    raise StripeError(
        400 if param else 404,
        f"No such {noun}: '{ident}'",
        param=param or "id",
        code="resource_missing",
    )


def unexpected(message: str, intent: dict[str, Any]) -> NoReturn:
    """Refuse a move that the intent's status forbids; the intent travels in the error."""
    raise StripeError(
        400,
        message,
        code="payment_intent_unexpected_state",
        executed=True,
        extra={"payment_intent": intent},
    )
