"""gunicorn's own part of the answers and of the log, made like ours.

gunicorn refuses by itself what is no HTTP, and logs in its own format; when it stops, it waits for
connections on which nobody asks anything, and for streams that never end; it keeps a peer that
takes nothing for ever; and when it answers before a body has come whole, it closes the connection
without a word, which the next request on it meets. It also has the kernel keep no more than a
hundred connections that wait to be taken, whatever its `backlog` says: in a crowd the others are
reset. These are put right here, in the places that gunicorn 27 has for them.
"""

import logging
import secrets
import socket
from http import HTTPStatus
from typing import Any
from weakref import WeakSet

import orjson
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.glogging import Logger
from gunicorn.workers import gasgi

from http_edge import sse
from http_edge.manners import ALWAYS
from http_edge.problems import MEDIA_TYPE

_FIRST_REQUEST_SEC = 10
"""How long a new connection may take until its first request's head is there."""
_SILENT_PEER_MS = 30_000
"""How long a peer may leave what it was sent unacknowledged, or take nothing, before it is gone."""
_TOO_LARGE = (HTTPStatus.REQUEST_URI_TOO_LONG, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
_connections: "WeakSet[EdgeProtocol]" = WeakSet()


class EdgeProtocol(ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types.
    """A connection whose refusals are problem documents too."""

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401
        """Remember the connection, to close it when the process stops."""
        super().connection_made(transport)
        _connections.add(self)
        self.worker.loop.call_later(_FIRST_REQUEST_SEC, self._give_up_waiting)
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_PEER_MS)

    def _give_up_waiting(self) -> None:
        if self.req_count <= 1:
            self.close_if_idle()

    def close_if_idle(self) -> None:
        """Close the connection unless a request is being served on it."""
        if self._awaiting_request and not self._finishing_calls:
            self._close_transport()
            self._request_ready.set()

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:  # noqa: ANN401, FBT001
        """Say so to whoever is answered while still sending: gunicorn would close in silence."""
        receiver = self._body_receiver
        sending = receiver is not None and not receiver._complete  # noqa: SLF001  # As gunicorn asks.
        return sending or super()._will_close(request, response_requires_close)

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:  # noqa: ANN401
        known = HTTPStatus(status)
        internal = known >= HTTPStatus.INTERNAL_SERVER_ERROR
        code = "internal" if internal else "too_large" if known in _TOO_LARGE else "malformed"
        body = orjson.dumps(
            {
                "type": f"/docs#{code}",
                "title": known.phrase,
                "status": status,
                "detail": known.phrase if internal else message[:300],
                "code": code,
            }
        )
        ours = (*ALWAYS, ("Cache-Control", "no-store"), ("X-Request-Id", secrets.token_hex(16)))
        extra = "".join(f"{name}: {value}\r\n" for name, value in (*ours, *extra_headers))
        head = (
            f"HTTP/1.1 {status} {known.phrase}\r\nContent-Type: {MEDIA_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\n{extra}Connection: close\r\n\r\n"
        )
        self._safe_write(head.encode("latin-1") + body)


class EdgeWorker(gasgi.ASGIWorker):  # type: ignore[misc]  # gunicorn has no types.
    """gunicorn's asgi worker with our connections."""

    def init_process(self) -> None:
        """Make it serve our kind of connection."""
        gasgi.ASGIProtocol = EdgeProtocol
        self._waits_for_all = False
        super().init_process()

    def notify(self) -> None:
        """Show life, for the first time when serving has begun: asyncio's 100 are over by then."""
        super().notify()
        if self.servers and not self._waits_for_all:
            self._waits_for_all = True
            for each in self.sockets:
                each.sock.listen(self.cfg.backlog)

    async def _shutdown(self) -> None:
        for connection in list(_connections):
            connection.close_if_idle()
        sse.end_all()
        await super()._shutdown()


class EdgeLogger(Logger):  # type: ignore[misc]  # gunicorn has no types.
    """gunicorn's lines, in the format of all other lines."""

    def setup(self, cfg: Any) -> None:  # noqa: ANN401
        """Hand gunicorn's lines to the root logger."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)
