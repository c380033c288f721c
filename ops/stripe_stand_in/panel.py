"""The stand-in's own pages under `/_stand_in/`: health, faults, ledger, the bank's question."""

import html
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

import orjson

from ops.stripe_stand_in import intents
from ops.stripe_stand_in.deliveries import Deliveries
from ops.stripe_stand_in.desk import Call, Desk, token
from ops.stripe_stand_in.errors import StripeError
from ops.stripe_stand_in.faults import BadSwitchError
from ops.stripe_stand_in.forms import Form
from ops.stripe_stand_in.intents import Intent
from ops.stripe_stand_in.server import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = "/_stand_in/"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Your bank asks</title>
<style>body{font:1.1rem system-ui;max-width:28rem;margin:4rem auto;padding:0 1rem}
button{font:inherit;padding:.6rem 1rem}</style>
<h1>Your bank asks</h1><p>%s</p>%s</html>"""
BUTTONS = """<form method="post"><input type="hidden" name="client_secret" value="%s">
<button name="outcome" value="succeeded">Complete</button>
<button name="outcome" value="failed">Fail</button></form>"""


class Panel:
    """What a person or a test turns and reads; no login, it listens on the loopback address."""

    def __init__(self, desk: Desk, deliveries: Deliveries, started: int) -> None:
        """Show `desk`; `started` is a Unix time."""
        self._desk = desk
        self._deliveries = deliveries
        self._started = started
        self._pages: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", "health"): self._health,
            ("GET", "faults"): self._faults,
            ("PUT", "faults"): self._put_faults,
            ("GET", "ledger"): self._ledger,
        }

    def handle(self, request: Request, now: int) -> Answer:
        """Answer one request."""
        name = request.path.removeprefix(ROOT)
        if name.startswith("authenticate/"):
            return self._authenticate(request, name.removeprefix("authenticate/"), now)
        page = self._pages.get((request.method, name))
        return (
            page(request)
            if page
            else _json({"error": f"no such page: {request.method} {name[:100]}"}, 404)
        )

    def _health(self, _: Request) -> Answer:
        kept = self._desk.store.counts()
        sent = {
            "waiting": self._deliveries.waiting,
            "sent": self._deliveries.sent,
            "failed": self._deliveries.failed,
        }
        return _json({"status": "ok", "started": self._started, "kept": kept, "webhooks": sent})

    def _faults(self, _: Request) -> Answer:
        return _json(self._desk.faults.switches)

    def _put_faults(self, request: Request) -> Answer:
        try:
            self._desk.faults.put(orjson.loads(request.body or b"{}"))
        except orjson.JSONDecodeError:
            return _json({"error": "the body is not JSON"}, 400)
        except BadSwitchError as refused:
            return _json({"error": str(refused)}, 400)
        return _json(self._desk.faults.switches)

    def _ledger(self, request: Request) -> Answer:
        """List every intent, oldest first, and the totals by currency; amounts in minor units.

        `?since=` leaves out what was made before that Unix time.
        """
        since = parse_qs(request.query).get("since", ["0"])[0]
        if not (since.isascii() and since.isdigit()):
            return _json({"error": "since: a Unix time is expected"}, 400)
        lines: list[dict[str, Any]] = []
        totals: dict[str, Counter[str]] = {}
        for intent in self._desk.store.every_intent(int(since)):
            lines.append(_line(intent))
            total = totals.setdefault(
                intent.currency, Counter(captured=0, refunded=0, held=0, intents=0)
            )
            total.update(
                captured=intent.received,
                refunded=intent.refunded,
                held=intent.capturable,
                intents=1,
            )
        return _json({"count": len(lines), "totals": totals, "intents": lines})

    def _authenticate(self, request: Request, ident: str, now: int) -> Answer:
        sent = request.query if request.method == "GET" else request.body.decode("utf-8", "replace")
        words = {name: values[0] for name, values in parse_qs(sent).items()}
        intent = self._desk.store.intent(ident)
        if intent is None or words.get("client_secret") != intent.client_secret:
            return _page(404, "There is no such payment.")
        if intent.status != intents.ASKING:
            return _page(409, "There is nothing to approve: this payment has moved on.")
        if request.method != "POST":
            amount = f"Approve {intent.amount} {html.escape(intent.currency)} (in minor units)?"
            return _page(200, amount, BUTTONS % html.escape(intent.client_secret, quote=True))
        return self._answered(request, intent, words.get("outcome") == "succeeded", now)

    def _answered(self, request: Request, intent: Intent, passed: bool, now: int) -> Answer:  # noqa: FBT001 - one caller
        origin = f"http://{request.headers.get('host', '127.0.0.1')}"
        call = Call(intent.id, Form({}), False, now, f"req_{token()}", None, origin)  # noqa: FBT003 - not public
        events = intents.authenticate(intent, now, passed=passed)
        try:
            self._desk.moved(call, intent, events)
        except StripeError as declined:
            said = declined.message
        else:
            said = "Approved. You can go back to the shop."
        back = intent.more.get("return_url")
        if not back:
            return _page(200, html.escape(said))
        status = "succeeded" if passed else "failed"
        mark = "&" if "?" in back else "?"
        target = f"{back}{mark}payment_intent={quote(intent.id)}&redirect_status={status}"
        return Answer(303, headers={"Location": "".join(target.splitlines())})


def _line(intent: Intent) -> dict[str, Any]:
    return {
        "id": intent.id,
        "created": intent.created,
        "status": intent.status,
        "currency": intent.currency,
        "amount": intent.amount,
        "held": intent.capturable,
        "captured": intent.received,
        "refunded": intent.refunded,
        "metadata": intent.metadata,
    }


def _json(shown: object, status: int = 200) -> Answer:
    return Answer(status, orjson.dumps(shown))


def _page(status: int, said: str, below: str = "") -> Answer:
    return Answer(status, (PAGE % (said, below)).encode(), content_type="text/html; charset=utf-8")
