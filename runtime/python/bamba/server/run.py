"""Runs a server until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from bamba.errors import BambaError
from bamba.server.options import ServerOptions


def bind(options: ServerOptions) -> socket.socket:
    """A socket at the address of the options. Raises BambaError where that is not free.

    Binding comes before the model is loaded, which takes long.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, number)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        reason = "the port is taken" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        raise BambaError(f"{options.host}:{options.port}: expected a free address: {reason}") from error
    return found


def url_of(bound: socket.socket) -> str:
    """Where a browser finds the server."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _protocol(header_seconds: float) -> type[asyncio.Protocol]:
    """Uvicorn's protocol, which closes connections whose first request does not come in time."""

    class Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._timer = asyncio.get_running_loop().call_later(header_seconds, self._close_if_idle)

        def connection_lost(self, exc: Exception | None) -> None:
            self._timer.cancel()
            super().connection_lost(exc)

        def _close_if_idle(self) -> None:
            if self.cycle is None and not self.transport.is_closing():
                self.transport.close()

    return Protocol


class _Server(uvicorn.Server):
    """Ends with exit code 0 when it is told to: uvicorn would send itself the signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ends the server at SIGINT and SIGTERM, at once when they come again."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def make_server(app: FastAPI, options: ServerOptions, *, verbose: bool = False) -> uvicorn.Server:
    """A server for `asyncio` or for `run`, with the limits of the options."""
    return _Server(
        uvicorn.Config(
            app,
            host=options.host,
            port=options.port,
            http=_protocol(options.header_seconds),
            ws="none",
            log_level="info" if verbose else "warning",
            access_log=verbose,
            server_header=False,
            timeout_keep_alive=max(1, int(options.idle_seconds)),
            timeout_graceful_shutdown=max(1, int(options.shutdown_seconds)),
            limit_concurrency=options.max_connections,
        )
    )


def run(app: FastAPI, options: ServerOptions, bound: socket.socket, *, verbose: bool = False) -> None:
    """Serves until SIGINT or SIGTERM; then takes no more requests and finishes those that run."""
    make_server(app, options, verbose=verbose).run(sockets=[bound])
