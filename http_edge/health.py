"""Whether the process lives, and whether it can do its work."""

from falcon.asgi import Request, Response

from bus.publisher import Publisher
from http_edge import problems
from http_edge.bell import Bell
from http_edge.database import Database
from http_edge.problems import RETRY_AFTER_SEC, ProblemError
from http_edge.tokens import SigningKeys
from http_edge.writes import answer


class Alive:
    """At /healthz."""

    async def on_get(self, _: Request, resp: Response) -> None:
        """Answer at all."""
        answer(resp, {"status": "ok"})


class Ready:
    """At /readyz."""

    def __init__(
        self, publisher: Publisher, database: Database, bell: Bell, keys: SigningKeys
    ) -> None:
        self._publisher = publisher
        self._database = database
        self._bell = bell
        self._keys = keys

    async def on_get(self, _: Request, resp: Response) -> None:
        """Say what is missing, if anything is."""
        missing = [] if self._publisher.connected else ["the bus"]
        if not await self._has_views():
            missing.append("the views")
        if not self._keys.published:
            missing.append("the signing keys")
        if not missing:
            answer(resp, {"status": "ready"})
            return
        problems.render(
            resp, problems.document("unavailable", f"Not there yet: {', '.join(missing)}.")
        )
        resp.set_header("Retry-After", str(RETRY_AFTER_SEC))

    async def _has_views(self) -> bool:
        try:
            await self._database.fetch("SELECT 1 FROM operations LIMIT 1")
            if not self._keys.published:
                await self._keys.look()
        except ProblemError:
            return False
        return self._bell.listening
