"""Rest: nothing is under way between the services, so that their stores can be compared."""

from bus.stores.postgres import outbox_of
from bus.topology import VHOST
from ops.stores import POSTGRES, Stores

UNDER_WAY = ("charge.refunded", "payment_intent.amount_capturable_updated",
             "payment_intent.canceled", "payment_intent.payment_failed",
             "payment_intent.succeeded", "refund.failed", "refund.updated")  # fmt: skip


class Rest:
    """Looks again and again; the connection to the broker is kept between the looks."""

    def __init__(self, stores: Stores) -> None:
        """Connect."""
        self._stores = stores
        self._channel = stores.channel()

    def disturbed_by(self) -> dict[str, int]:
        """Name what is under way, and how much of it; empty at rest."""
        found: dict[str, int] = {}
        for look in (self._queues, self._outboxes, self._payment, self._operations, self._webhooks):
            found |= {name: number for name, number in look().items() if number}
        return found

    def _queues(self) -> dict[str, int]:
        """Ready messages are counted as of now; the console adds those in somebody's hands."""
        found = {}
        for queue in self._stores.console.call("GET", "queues", VHOST):
            name = queue["name"]
            if not name.endswith(".dead"):
                ready = self._stores.waiting(self._channel, name)
                held = queue.get("messages_unacknowledged", 0)
                found[f"messages in {name}"] = ready + int(held)
        return found

    def _outboxes(self) -> dict[str, int]:
        found: dict[str, int] = {
            f"unpublished in {service}'s outbox": self._stores.rows(
                service,
                f"SELECT count(*) AS n FROM {outbox_of(service)} WHERE published_at IS NULL",  # noqa: S608  # Our own name.
            )[0]["n"]
            for service in POSTGRES
        }
        found["unpublished in ticket's outbox"] = self._stores.mongo.outbox.count_documents(
            {"published_at": None}
        )
        redis = self._stores.redis
        found["unpublished in expiration's outbox"] = sum(
            int(redis.hlen(f"outbox:{int(claim)}")) for claim in redis.smembers("outbox")
        )
        return found

    def _payment(self) -> dict[str, int]:
        calls = self._stores.rows(
            "payment", "SELECT count(*) AS n FROM gateway_calls WHERE state IN ('due', 'running')"
        )
        return {"calls to Stripe to be made": calls[0]["n"]}

    def _operations(self) -> dict[str, int]:
        """One that is young may still get its first step from the view's tick."""
        pending = self._stores.rows(
            "view",
            "SELECT count(*) AS n FROM operations"
            " WHERE status = 'pending' AND submitted_at > now() - interval '30 seconds'",
        )
        return {"operations that have just begun": pending[0]["n"]}

    def _webhooks(self) -> dict[str, int]:
        """Stripe itself knows other receivers than us: only the stand-in can tell."""
        if not self._stores.is_stand_in:
            return {}
        events = self._stores.stripe.v1.events.list(
            {"delivery_success": False, "limit": 100, "types": list(UNDER_WAY)}
        )
        return {"webhooks to be delivered": len(events.data)}
