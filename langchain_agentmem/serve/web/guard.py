"""Who is answered: the page itself, on this machine, and nobody else.

A server on a loopback port is still within reach of every web page that the user has open. Three things keep those out.
The Host header must name this machine, so that a foreign name which was made to point here (DNS rebinding) is refused.
What a browser marks as sent by another site is refused. And whatever changes something must come from this origin, with
a token that only this origin can read.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_HEADER = "x-agentmem-token"  # noqa: S105 - a header's name
MAX_BODY = 65_536  # bytes
_NAMES = ("127.0.0.1", "localhost", "[::1]")
_HTTP_PORT = 80
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_OWN_SITES = frozenset({"same-origin", "none"})  # none: typed by the user
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


class Guard:
    """Refuses requests that are not the page's own, and gives every answer its security headers.

    Args:
        app: What answers the others.
        token: What a request that changes something must bring along.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        if scope["type"] != "http":  # the server's own start and end
            await self._app(scope, receive, send)
        elif reason := next(self._objections(scope), None):
            await JSONResponse({"error": reason}, 403)(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)

    def _objections(self, scope: Scope) -> Iterator[str]:
        headers = Headers(scope=scope)
        if headers.getlist("host") not in [[host] for host in _hosts(scope)]:
            yield "This page is served to this machine only; open it by the address that the command has shown"
        if headers.get("sec-fetch-site", "none") not in _OWN_SITES:
            yield "Another site has sent this; open the page itself"
        if scope["method"] not in _SAFE_METHODS:
            yield from self._objections_to_change(headers)

    def _objections_to_change(self, headers: Headers) -> Iterator[str]:
        if headers.get("origin") != f"http://{headers['host']}":
            yield "Only the page itself may change something"
        if not hmac.compare_digest(headers.get(TOKEN_HEADER, "").encode(), self._token.encode()):
            yield "The demo was started anew; load the page again"
        if headers.get("content-type") != "application/json":
            yield "A change is sent as application/json"
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            yield f"A change is sent with its length, of {MAX_BODY} bytes at most"


def _hosts(scope: Scope) -> Iterator[str]:
    """The Host headers that name this server."""
    port = scope["server"][1]
    for name in _NAMES:
        yield f"{name}:{port}"
        if port == _HTTP_PORT:
            yield name
