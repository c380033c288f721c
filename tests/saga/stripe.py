"""Stripe's stand-in as a world sees it: cards, faults, news and the ledger."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx

from tests.stripe_stand_in.conftest import SECRET_KEY, StandIn

FAULTS = {
    "error_rate": 0.15,
    "error_after_rate": 0.1,
    "unavailable_rate": 0.05,
    "rate_limit_rate": 0.05,
    "reply_lost_rate": 0.1,
}
OURS = (
    *("create_intent", "retrieve_intent", "list_intents", "capture", "cancel"),
    *("create_refund", "list_refunds"),
)


class Stripe:
    """The stand-in, and how far its events were read."""

    def __init__(self, stand_in: StandIn) -> None:
        """Take a running one."""
        self.stand_in = stand_in
        self._read = ""

    def faults(self, seed: int | None) -> None:
        """Let our own calls fail in every way, or none."""
        rates = {name: dict.fromkeys(OURS, rate) for name, rate in FAULTS.items()}
        rates["no_balance_rate"] = {"create_refund": 0.2}
        self.stand_in.faults(**({} if seed is None else {"seed": seed, **rates}))

    def confirm(self, intent: str, card: str) -> None:
        """Pay as a buyer; whatever Stripe answers is the buyer's to see."""
        answer = self.stand_in.post(f"/v1/payment_intents/{intent}/confirm", payment_method=card)
        assert answer.status_code in {200, 400, 402}, answer.text

    def authenticate(self, intent: str, outcome: str) -> None:
        """Tell the bank that it is the buyer, or that it is not."""
        path = f"/v1/test_helpers/payment_intents/{intent}/authenticate"
        answer = self.stand_in.post(path, outcome=outcome)
        assert answer.status_code in {200, 400, 402}, answer.text

    def refund(self, intent: str, units: int) -> None:
        """Give money back by hand, in Stripe's own dashboard, whatever it answers."""
        with suppress(httpx.RemoteProtocolError):  # The answer was lost, as ours are.
            answer = self.stand_in.post("/v1/refunds", payment_intent=intent, amount=str(units))
            assert answer.status_code in {200, 400, 429, 500, 503}, answer.text

    def cancel(self, intent: str) -> None:
        """Cancel an intent by hand, in Stripe's own dashboard, whatever it answers."""
        with suppress(httpx.RemoteProtocolError):  # The answer was lost, as ours are.
            answer = self.stand_in.post(f"/v1/payment_intents/{intent}/cancel")
            assert answer.status_code in {200, 400, 429, 500, 503}, answer.text

    def settle(self, refund: str) -> None:
        """Let a bank answer to a refund."""
        answer = self.stand_in.post(f"/v1/test_helpers/refunds/{refund}/settle")
        assert answer.status_code in {200, 400}, answer.text

    def news(self) -> list[dict[str, Any]]:
        """Return the events since the last call, the oldest first."""
        found: list[dict[str, Any]] = []
        more = True
        while more:
            query = {"limit": "100"} | ({"ending_before": self._read} if self._read else {})
            page = self._get("/v1/events", query)
            more = bool(page["has_more"]) and bool(self._read)
            if page["data"]:
                self._read = page["data"][0]["id"]
            found.extend(reversed(page["data"]))
        return found

    def intents(self, since: int) -> list[dict[str, Any]]:
        """Return the ledger since a Unix time."""
        ledger = self.stand_in.http.get("/_stand_in/ledger", params={"since": since}).json()
        lines: list[dict[str, Any]] = ledger["intents"]
        return lines

    def _get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        key = {"Authorization": f"Bearer {SECRET_KEY}"}
        answer = self.stand_in.http.get(path, params=dict(query), headers=key)
        assert answer.status_code == httpx.codes.OK, answer.text
        page: dict[str, Any] = answer.json()
        return page
