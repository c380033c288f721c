"""What every answer says beside its content: to browsers, to caches, to other sites' pages."""

import re
from typing import Any

import falcon
from falcon import CORSMiddleware
from falcon.asgi import Request, Response

_ORIGIN = re.compile(r"^https?://[A-Za-z0-9.\-\[\]:]+$")
ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)
EXPOSED = (
    *("ETag", "Location", "Preference-Applied", "RateLimit", "RateLimit-Policy"),
    *("Retry-After", "WWW-Authenticate", "X-Request-Id"),
)
"""The headers that another site's page may read."""


def read_origins(text: str) -> tuple[str, ...]:
    """Read the sites whose pages may call: a list of origins, or `*` for any.

    Raises:
        ValueError: one is not an origin.
    """
    origins = tuple(each.strip() for each in text.split(","))
    for each in origins:
        if not _ORIGIN.match(each) and origins != ("*",):
            msg = f"{each!r} is not an origin such as https://shop.example."
            raise ValueError(msg)
    return origins


class Manners:
    """Completes every answer."""

    async def process_response(self, _: Request, resp: Response, *__: Any) -> None:  # noqa: ANN401  # Falcon's.
        """Add what the answer does not say itself."""
        for name, value in ALWAYS:
            if resp.get_header(name) is None:
                resp.set_header(name, value)
        if resp.get_header("Cache-Control") is None:
            resp.set_header("Cache-Control", "no-store")


class OtherSites(CORSMiddleware[Request, Response]):
    """Lets pages of other sites call; tokens travel in a header, so no cookies are allowed."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        """Let these in."""
        self._any = origins == ("*",)
        super().__init__("*" if self._any else origins, expose_headers=EXPOSED)

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        req_succeeded: bool,  # noqa: FBT001  # Falcon's.
    ) -> None:
        """Allow, and say to caches that the answer is this site's alone."""
        super().process_response(req, resp, resource, req_succeeded)
        if not self._any:
            resp.append_header("Vary", "Origin")
