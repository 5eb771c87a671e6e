"""Who may talk to the server: the key, and the Host header, which keeps other sites' pages from a local server."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bamba.server.errors import ApiError
from bamba.server.options import ServerOptions

# What needs no key: whether the server is well, and the page, which asks for the key itself.
OPEN_PATHS = frozenset({"/", "/page.js", "/page.css", "/health"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Gate:
    """Lets only requests through that bring one of the keys, if there are any, and that name an allowed host.

    A server of one machine answers to names of that machine alone. A page of another site, whose name was made to mean
    127.0.0.1, still sends its own name.
    """

    def __init__(self, app: ASGIApp, options: ServerOptions) -> None:
        self._app = app
        self._keys = [key.encode() for key in options.api_keys]
        self._hosts: frozenset[str] | None = None
        if "*" not in options.allowed_hosts and (options.is_local or options.allowed_hosts):
            self._hosts = _LOCAL_NAMES | {host.lower() for host in (*options.allowed_hosts, options.host)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers by itself, or passes the request on."""
        if scope["type"] == "http":
            error = self._check(Headers(scope=scope), scope["path"])
            if error is not None:
                await error.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, headers: Headers, path: str) -> ApiError | None:
        host = _host_name(headers.get("host", ""))
        if self._hosts is not None and host not in self._hosts:
            return ApiError(403, f"host: expected a name of this server, found {host[:100]!r}", code="unknown_host")
        if not self._keys or path in OPEN_PATHS:
            return None
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            message = "authorization: expected Bearer and an API key, found none"
            return ApiError(401, message, code="missing_api_key")
        if not _any_equal(self._keys, key.strip().encode("latin-1", "replace")):
            return ApiError(401, "authorization: expected a known API key, found another", code="invalid_api_key")
        return None


def _any_equal(keys: Iterable[bytes], found: bytes) -> bool:
    """Compares with all keys, in a time that says nothing about them."""
    return sum(hmac.compare_digest(key, found) for key in keys) > 0


def _host_name(host: str) -> str:
    """The name in a Host header, without the port."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
