"""Paying through the real SDK: every status, card and event that the shop relies on."""

import pytest
import stripe
from stripe._v1_services import V1Services

from tests.stripe_stand_in.conftest import PUBLISHABLE_KEY, Receiver, StandIn


def held(sdk: V1Services, card: str = "pm_card_visa", amount: int = 2500) -> stripe.PaymentIntent:
    """Make an intent that is authorised and not captured."""
    return sdk.payment_intents.create(
        {
            "amount": amount,
            "currency": "eur",
            "capture_method": "manual",
            "payment_method": card,
            "confirm": True,
        }
    )


def _plain(shown: object) -> dict[str, str]:
    assert isinstance(shown, stripe.StripeObject)
    return {str(name): value for name, value in shown.to_dict().items()}


def test_a_buyer_confirms_in_the_browser_and_the_shop_captures(
    stand_in: StandIn, sdk: V1Services, shop: Receiver
) -> None:
    """The way of every order: the shop creates, a publishable key confirms, the shop captures."""
    made = sdk.payment_intents.create(
        {
            "amount": 2500,
            "currency": "EUR",
            "capture_method": "manual",
            "metadata": {"order_id": "o-1"},
        }
    )
    assert (made.status, made.currency, made.metadata["order_id"]) == (
        "requires_payment_method",
        "eur",
        "o-1",
    )
    assert made.client_secret is not None
    assert made.client_secret.startswith(f"{made.id}_secret_")
    said = stand_in.post(
        f"/v1/payment_intents/{made.id}/confirm",
        key=PUBLISHABLE_KEY,
        client_secret=made.client_secret,
        payment_method="pm_card_visa",
    )
    assert said.status_code == 200
    assert said.headers["access-control-allow-origin"] == "*"
    assert said.json()["status"] == "requires_capture"
    assert "metadata" not in said.json()
    assert sdk.payment_intents.retrieve(made.id).amount_capturable == 2500
    paid = sdk.payment_intents.capture(made.id)
    assert (paid.status, paid.amount_received, paid.amount_capturable) == ("succeeded", 2500, 0)
    assert sorted(shop.types(made.id, 3)) == [
        "payment_intent.amount_capturable_updated",
        "payment_intent.created",
        "payment_intent.succeeded",
    ]


def test_automatic_capture_succeeds_at_once(sdk: V1Services, shop: Receiver) -> None:
    """No capture_method is Stripe's own automatic one."""
    paid = sdk.payment_intents.create(
        {"amount": 500, "currency": "usd", "payment_method": "pm_card_mastercard", "confirm": True}
    )
    assert (paid.status, paid.amount_received) == ("succeeded", 500)
    assert sorted(shop.types(paid.id, 2)) == ["payment_intent.created", "payment_intent.succeeded"]


@pytest.mark.parametrize(
    ("card", "decline_code"),
    [
        ("pm_card_chargeDeclined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
    ],
)
def test_a_declined_card_leaves_the_intent_open_for_another(
    sdk: V1Services, shop: Receiver, card: str, decline_code: str
) -> None:
    """402 with Stripe's card_error; the next card pays."""
    made = sdk.payment_intents.create(
        {"amount": 2500, "currency": "eur", "capture_method": "manual"}
    )
    with pytest.raises(stripe.CardError) as declined:
        sdk.payment_intents.confirm(made.id, {"payment_method": card})
    assert declined.value.code == "card_declined"
    assert declined.value.error is not None
    assert declined.value.error.decline_code == decline_code
    now = sdk.payment_intents.retrieve(made.id)
    assert now.status == "requires_payment_method"
    assert now.last_payment_error is not None
    assert now.last_payment_error.decline_code == decline_code
    assert "payment_intent.payment_failed" in shop.types(made.id, 2)
    assert (
        sdk.payment_intents.confirm(made.id, {"payment_method": "pm_card_visa"}).status
        == "requires_capture"
    )


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_the_bank_asks_the_buyer(
    stand_in: StandIn, sdk: V1Services, shop: Receiver, outcome: str
) -> None:
    """requires_action, answered through the test helper."""
    asked = held(sdk, "pm_card_authenticationRequired")
    assert asked.status == "requires_action"
    assert asked.next_action is not None
    assert asked.next_action.type == "redirect_to_url"
    said = stand_in.post(
        f"/v1/test_helpers/payment_intents/{asked.id}/authenticate", outcome=outcome
    )
    then = sdk.payment_intents.retrieve(asked.id).status
    if outcome == "succeeded":
        assert (said.status_code, then) == (200, "requires_capture")
    else:
        assert (said.status_code, then) == (402, "requires_payment_method")
        assert said.json()["error"]["code"] == "payment_intent_authentication_failure"
    assert "payment_intent.requires_action" in shop.types(asked.id, 3)


def test_the_bank_asks_on_a_page(stand_in: StandIn, sdk: V1Services) -> None:
    """A browser follows next_action, presses a button and comes back to the shop."""
    asked = sdk.payment_intents.create(
        {
            "amount": 900,
            "currency": "eur",
            "payment_method": "pm_card_authenticationRequired",
            "confirm": True,
            "return_url": "https://shop.example/back?o=1",
        }
    )
    assert asked.next_action is not None
    assert asked.next_action.redirect_to_url is not None
    url = asked.next_action.redirect_to_url.url
    assert url is not None
    assert "Complete" in stand_in.http.get(url).text
    back = stand_in.http.post(
        url, data={"client_secret": asked.client_secret, "outcome": "succeeded"}
    )
    assert (back.status_code, back.headers["location"]) == (
        303,
        f"https://shop.example/back?o=1&payment_intent={asked.id}&redirect_status=succeeded",
    )
    assert sdk.payment_intents.retrieve(asked.id).status == "succeeded"
    assert stand_in.http.get(url).status_code == 409
    assert (
        stand_in.http.get(f"/_stand_in/authenticate/{asked.id}?client_secret=guess").status_code
        == 404
    )


@pytest.mark.parametrize(
    ("card", "wallet"), [("pm_card_applePay", "apple_pay"), ("pm_card_googlePay", "google_pay")]
)
def test_wallets_show_in_the_charge(sdk: V1Services, card: str, wallet: str) -> None:
    """The wallet is where Stripe puts it, by expansion and by retrieving the charge."""
    made = held(sdk, card)
    found = sdk.payment_intents.retrieve(made.id, {"expand": ["latest_charge", "payment_method"]})
    charge, method = found.latest_charge, found.payment_method
    assert isinstance(charge, stripe.Charge)
    assert isinstance(method, stripe.PaymentMethod)
    again = sdk.charges.retrieve(charge.id)
    for details in (charge.payment_method_details, again.payment_method_details):
        assert details is not None
        assert details.card is not None
        assert details.card.wallet is not None
        assert details.card.wallet.type == wallet
    assert sdk.payment_methods.retrieve(method.id).type == "card"


def test_a_capture_that_fails_for_good(sdk: V1Services, shop: Receiver) -> None:
    """402 at capture, and the authorisation is gone."""
    made = held(sdk, "pm_card_captureFails")
    with pytest.raises(stripe.CardError):
        sdk.payment_intents.capture(made.id)
    now = sdk.payment_intents.retrieve(made.id)
    assert (now.status, now.amount_capturable, now.amount_received) == (
        "requires_payment_method",
        0,
        0,
    )
    assert "payment_intent.payment_failed" in shop.types(made.id, 3)


def test_an_authorisation_that_lapsed(sdk: V1Services) -> None:
    """400 at capture, and the intent is canceled."""
    made = held(sdk, "pm_card_captureExpires")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sdk.payment_intents.capture(made.id)
    assert refused.value.code == "charge_expired_for_capture"
    assert sdk.payment_intents.retrieve(made.id).status == "canceled"


def test_partial_capture_lets_go_of_the_rest(sdk: V1Services) -> None:
    """Less may be captured, more may not."""
    made = held(sdk)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sdk.payment_intents.capture(made.id, {"amount_to_capture": 2501})
    assert refused.value.code == "amount_too_large"
    paid = sdk.payment_intents.capture(made.id, {"amount_to_capture": 1000})
    assert (paid.status, paid.amount_received, paid.amount_capturable) == ("succeeded", 1000, 0)


def test_cancel_gives_the_authorisation_back(sdk: V1Services, shop: Receiver) -> None:
    """Canceled from held; nothing moves a canceled or a paid intent again."""
    made = held(sdk)
    ended = sdk.payment_intents.cancel(made.id, {"cancellation_reason": "abandoned"})
    assert (ended.status, ended.cancellation_reason, ended.amount_capturable) == (
        "canceled",
        "abandoned",
        0,
    )
    assert "payment_intent.canceled" in shop.types(made.id, 3)
    for move in (
        sdk.payment_intents.cancel,
        sdk.payment_intents.capture,
        sdk.payment_intents.confirm,
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            move(made.id)
        assert refused.value.code == "payment_intent_unexpected_state"
        assert refused.value.error is not None
        assert refused.value.error.payment_intent is not None
        assert refused.value.error.payment_intent.status == "canceled"
    paid = sdk.payment_intents.capture(held(sdk).id)
    with pytest.raises(stripe.InvalidRequestError):
        sdk.payment_intents.cancel(paid.id)


def test_refunds_never_exceed_what_was_captured(sdk: V1Services, shop: Receiver) -> None:
    """Part, too much, the rest, once more."""
    made = held(sdk)
    with pytest.raises(stripe.InvalidRequestError):
        sdk.refunds.create({"payment_intent": made.id})
    sdk.payment_intents.capture(made.id)
    part = sdk.refunds.create(
        {"payment_intent": made.id, "amount": 1000, "metadata": {"item": "7"}}
    )
    assert (part.status, part.amount, part.payment_intent) == ("succeeded", 1000, made.id)
    with pytest.raises(stripe.InvalidRequestError):
        sdk.refunds.create({"payment_intent": made.id, "amount": 1501})
    assert isinstance(part.charge, str)
    rest = sdk.refunds.create({"charge": part.charge})
    assert rest.amount == 1500
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sdk.refunds.create({"payment_intent": made.id})
    assert refused.value.code == "charge_already_refunded"
    assert [one.id for one in sdk.refunds.list({"payment_intent": made.id}).data] == [
        rest.id,
        part.id,
    ]
    assert _plain(sdk.refunds.retrieve(part.id).metadata) == {"item": "7"}
    assert sdk.charges.retrieve(part.charge).refunded
    assert shop.types(made.id, 7).count("charge.refunded") == 2


def test_lists_have_stripes_pages(sdk: V1Services) -> None:
    """starting_after, has_more, ending_before, limit, created, and the SDK's own paging."""
    made = [
        sdk.payment_intents.create({"amount": 700 + n, "currency": "chf", "customer": "cus_p"})
        for n in range(5)
    ]
    newest_first = [one.id for one in reversed(made)]
    page = sdk.payment_intents.list({"limit": 2, "customer": "cus_p"})
    assert ([one.id for one in page.data], page.has_more) == (newest_first[:2], True)
    page = sdk.payment_intents.list(
        {"limit": 3, "customer": "cus_p", "starting_after": newest_first[1]}
    )
    assert ([one.id for one in page.data], page.has_more) == (newest_first[2:], False)
    page = sdk.payment_intents.list(
        {"limit": 2, "customer": "cus_p", "ending_before": newest_first[3]}
    )
    assert [one.id for one in page.data] == newest_first[1:3]
    walked = sdk.payment_intents.list({"limit": 2, "customer": "cus_p"}).auto_paging_iter()
    assert [one.id for one in walked] == newest_first
    created = made[0].created
    assert sdk.payment_intents.list(
        {"customer": "cus_p", "created": {"gte": created}, "limit": 100}
    ).data
    assert not sdk.payment_intents.list({"customer": "cus_p", "created": {"lt": created - 60}}).data


def test_an_intent_can_be_edited_before_it_is_authorised(sdk: V1Services) -> None:
    """Metadata is merged, an empty value removes; the amount stays once money is held."""
    made = sdk.payment_intents.create(
        {"amount": 700, "currency": "eur", "metadata": {"a": "1", "b": "2"}}
    )
    edited = sdk.payment_intents.update(made.id, {"amount": 800, "metadata": {"a": "", "c": "3"}})
    assert (edited.amount, _plain(edited.metadata)) == (800, {"b": "2", "c": "3"})
    with pytest.raises(stripe.InvalidRequestError):
        sdk.payment_intents.update(held(sdk).id, {"amount": 1})


def test_events_can_be_listed(sdk: V1Services, shop: Receiver) -> None:
    """What a lost webhook said can be read again."""
    made = held(sdk)
    shop.types(made.id, 2)
    found = sdk.events.list({"type": "payment_intent.amount_capturable_updated", "limit": 5})
    event = next(one for one in found.data if one.data.object["id"] == made.id)
    assert sdk.events.retrieve(event.id).data.object["status"] == "requires_capture"


def test_the_ledger_counts_the_money(stand_in: StandIn, sdk: V1Services) -> None:
    """Every intent, with what was captured and refunded."""
    made = held(sdk, amount=4200)
    sdk.payment_intents.capture(made.id)
    sdk.refunds.create({"payment_intent": made.id, "amount": 200})
    ledger = stand_in.http.get("/_stand_in/ledger").json()
    line = next(one for one in ledger["intents"] if one["id"] == made.id)
    assert (line["status"], line["captured"], line["refunded"]) == ("succeeded", 4200, 200)
    assert ledger["totals"]["eur"]["captured"] >= 4200


@pytest.mark.parametrize(
    ("card", "at_once", "later", "back", "told"),
    [
        ("pm_card_pendingRefund", "pending", "succeeded", 2500, ["refund.updated"]),
        ("pm_card_refundFail", "succeeded", "failed", 0, ["refund.updated", "refund.failed"]),
    ],
)
def test_a_bank_answers_to_some_refunds_days_later(  # noqa: PLR0913, PLR0917  # A row of the table.
    sdk: V1Services,
    shop: Receiver,
    stand_in: StandIn,
    card: str,
    at_once: str,
    later: str,
    back: int,
    told: list[str],
) -> None:
    """One is pending first, one is sent back after it had succeeded."""
    made = sdk.payment_intents.create(
        {"amount": 2500, "currency": "eur", "payment_method": card, "confirm": True}
    )
    refund = sdk.refunds.create({"payment_intent": made.id})
    assert refund.status == at_once
    settled = stand_in.post(f"/v1/test_helpers/refunds/{refund.id}/settle").json()
    assert settled["status"] == later == sdk.refunds.retrieve(refund.id).status
    found = sdk.payment_intents.retrieve(made.id, {"expand": ["latest_charge"]})
    assert isinstance(found.latest_charge, stripe.Charge)
    assert found.latest_charge.amount_refunded == back
    wanted = {(refund.id, kind) for kind in told}
    shop.until(lambda all_: wanted <= {(e["data"]["object"]["id"], e["type"]) for e in all_})
    assert stand_in.post(f"/v1/test_helpers/refunds/{refund.id}/settle").status_code == 400


def test_a_refund_without_a_balance_is_refused(sdk: V1Services, stand_in: StandIn) -> None:
    """The refusal is kept under its key; a new attempt works when there is money again."""
    made = sdk.payment_intents.create(
        {"amount": 2500, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}
    )
    stand_in.faults(no_balance_rate={"create_refund": 1})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sdk.refunds.create({"payment_intent": made.id}, {"idempotency_key": f"{made.id}:1"})
    assert refused.value.code == "balance_insufficient"
    stand_in.faults()
    with pytest.raises(stripe.InvalidRequestError):
        sdk.refunds.create({"payment_intent": made.id}, {"idempotency_key": f"{made.id}:1"})
    again = sdk.refunds.create({"payment_intent": made.id}, {"idempotency_key": f"{made.id}:2"})
    assert again.status == "succeeded"
