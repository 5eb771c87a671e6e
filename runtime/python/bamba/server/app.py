"""Puts the parts of the server together."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from bamba.async_engine import AsyncEngine
from bamba.server.errors import install_handlers
from bamba.server.metrics import Metrics, MetricsMiddleware
from bamba.server.options import ServerOptions
from bamba.server.routes import chat, completions, page, service, tokens
from bamba.server.security import Gate
from bamba.server.state import ServerState
from bamba.version import __version__

_LOG = logging.getLogger("bamba.server")


def create_app(engine: AsyncEngine, options: ServerOptions | None = None) -> FastAPI:
    """An application for any ASGI server. It drains and closes the engine when it shuts down."""
    options = options or ServerOptions()
    state, metrics = ServerState(engine, options), Metrics(engine)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        state.draining = True
        left = await run_in_threadpool(engine.drain, options.shutdown_seconds)
        if left:
            _LOG.warning("%d requests were cancelled after %g s", left, options.shutdown_seconds)
        await run_in_threadpool(engine.close)

    # The generated pages of documentation load scripts from other sites.
    app = FastAPI(title="bamba", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.server, app.state.metrics = state, metrics
    for module in (chat, completions, tokens, service):
        app.include_router(module.router)
    if options.page:
        app.include_router(page.router)
    install_handlers(app)
    app.add_middleware(Gate, options=options)
    app.add_middleware(MetricsMiddleware, metrics=metrics)  # Around the gate, so that what it refuses is counted.
    return app
