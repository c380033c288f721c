"""Answers that clients keep: asked again, they are told that nothing has changed (RFC 9110, 13)."""

import gzip
import re
from functools import cached_property

from falcon.asgi import Request, Response

_TAGS = re.compile(r'(?:W/)?("[^"]*")')
_REFUSED = re.compile(r";\s*q=0(\.0*)?\s*$")
_LEVEL = 5
_NOT_MODIFIED = 304


class Kept:
    """A body with its name, in the two forms in which clients take it."""

    def __init__(self, body: bytes, name: str) -> None:
        """Name these bytes: other bytes must have another name."""
        self.body = body
        self.name = name

    @cached_property
    def compressed(self) -> bytes:
        """The body, gzipped once for everybody."""
        return gzip.compress(self.body, _LEVEL, mtime=0)

    def tag(self, *, compressed: bool) -> str:
        """Return the strong entity tag, which differs between the two forms."""
        return f'"{self.name}-gzip"' if compressed else f'"{self.name}"'


def answer(req: Request, resp: Response, kept: Kept, *, public: bool) -> None:
    """Answer with the body, or with 304 to a client that has it already."""
    compressed = _takes_gzip(req.get_header("Accept-Encoding"))
    resp.set_header("ETag", kept.tag(compressed=compressed))
    resp.set_header("Cache-Control", "no-cache" if public else "private, no-cache")
    resp.set_header("Vary", "Accept-Encoding, Accept")
    if _is_known(req.get_header("If-None-Match"), kept):
        resp.status = _NOT_MODIFIED
        return
    resp.content_type = "application/json"
    if compressed:
        resp.set_header("Content-Encoding", "gzip")
    resp.data = kept.compressed if compressed else kept.body


def _is_known(if_none_match: str | None, kept: Kept) -> bool:
    """Say whether the client has it in either form."""
    if not if_none_match:
        return False
    if if_none_match.strip() == "*":
        return True
    told = _TAGS.findall(if_none_match)
    return kept.tag(compressed=False) in told or kept.tag(compressed=True) in told


def _takes_gzip(accept_encoding: str | None) -> bool:
    """Say whether gzip is welcome; what is said of it by name counts before what `*` stands for."""
    told = {}
    for each in (accept_encoding or "").lower().split(","):
        coding, _, _ = each.partition(";")
        told[coding.strip()] = not _REFUSED.search(each)
    return told.get("gzip", told.get("*", False))
