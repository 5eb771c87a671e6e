"""The two deployments: an ingress that takes HTTP requests, and replicas that each hold the model."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from fastapi.responses import Response, StreamingResponse
from ray import serve
from ray.exceptions import RayActorError
from ray.serve.config import RequestRouterConfig
from starlette.requests import Request

from bamba.loading import load_engine
from bamba.ray.forwarded import Forwarded, Head, respond
from bamba.ray.prefix_index import prefix_blocks
from bamba.ray.router import PrefixRouter
from bamba.ray.settings import Settings, parse_settings
from bamba.server import create_app
from bamba.server.errors import ApiError
from bamba.server.options import ServerOptions
from bamba.server.sse import DONE, error_event

_LOG = logging.getLogger("bamba.ray")
_ATTEMPTS = 5
_RETRY_SECONDS = 0.2  # Before the second attempt; twice as long before each further one.


class Replica:
    """A model with its engine, behind the same application as `bamba serve` has."""

    def __init__(self, settings: Settings) -> None:
        self._engine = load_engine(settings.checkpoint, settings.load)
        self._app = create_app(self._engine, settings.server)
        self._name = f"{socket.gethostname()}-{os.getpid()}".encode()

    async def handle(self, request: Forwarded) -> AsyncGenerator[Head | bytes, None]:
        """The answer to a request, piece by piece."""
        answer = respond(self._app, request)
        try:
            async for piece in answer:
                if isinstance(piece, Head):
                    yield Head(piece.status, (*piece.headers, (b"x-bamba-replica", self._name)))
                else:
                    yield piece
        finally:
            await answer.aclose()

    def check_health(self) -> None:
        """Ray Serve replaces a replica of which this raises."""
        if not self._engine.healthy:
            raise RuntimeError("the model has failed")

    def __del__(self) -> None:
        if hasattr(self, "_engine"):
            self._engine.close()


class Ingress:
    """Forwards each request to a replica, and to another one where that dies before the answer has begun."""

    def __init__(self, replicas: Any, options: ServerOptions) -> None:
        self._replicas = replicas.options(stream=True)
        self._options = options

    async def __call__(self, request: Request) -> Response:
        """Answers a request.

        Nothing is sent of a stream before its first event is there, nor of another answer before all of it is, so that
        what fails before can be retried.
        """
        try:
            forwarded = await self._forwarded(request)
        except ApiError as error:
            return error.response()
        for attempt in range(_ATTEMPTS):
            answer = self._replicas.handle.remote(forwarded)
            try:
                head = await anext(answer)
                begin = await (_first(answer) if head.streams else _whole(answer, head.length))
            except RayActorError:
                _LOG.warning("a replica died; attempt %d of %d", attempt + 1, _ATTEMPTS)
                await asyncio.sleep(_RETRY_SECONDS * 2**attempt)
                continue
            response = (
                StreamingResponse(_rest(answer, begin), head.status) if head.streams else Response(begin, head.status)
            )
            response.raw_headers = [(name, value) for name, value in head.headers]
            return response
        return ApiError(503, "no replica answers", kind="server_error", code="no_replica", retry=5).response()

    async def _forwarded(self, request: Request) -> Forwarded:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self._options.max_body_bytes:
                message = f"expected a body of at most {self._options.max_body_bytes} bytes, found more"
                raise ApiError(413, message, code="body_too_large")
        blocks = tuple(prefix_blocks(bytes(body))) if request.method == "POST" else ()
        headers = tuple(request.headers.raw)
        query = request.url.query.encode()
        return Forwarded(request.method, request.url.path, query, headers, bytes(body), blocks)


async def _first(answer: Any) -> bytes:
    """The first event of a stream."""
    return bytes(await anext(answer, b""))


async def _whole(answer: Any, length: int | None) -> bytes:
    """All of a body. A replica that dies once its whole length is there does no harm."""
    body = bytearray()
    try:
        async for piece in answer:
            body += piece
    except RayActorError:
        if length is None or len(body) < length:
            raise
    return bytes(body)


async def _rest(answer: Any, first: bytes) -> AsyncGenerator[bytes, None]:
    """A stream of events from its first one on. Where the replica dies, it ends with an error."""
    last = first
    if first:
        yield first
    try:
        async for piece in answer:
            last = piece
            yield piece
    except RayActorError:
        if last.endswith(DONE.encode()):
            return
        error = ApiError(503, "the replica died", kind="server_error", code="replica_died")
        yield error_event(error).encode()


def app(arguments: Mapping[str, Any]) -> serve.Application:
    """What `serve run bamba.ray:app` deploys. Raises InvalidRequestError for options that do not exist."""
    settings = parse_settings(arguments)
    replicas = serve.deployment(
        Replica,
        name="Replica",
        num_replicas=settings.replicas,
        max_ongoing_requests=settings.max_ongoing,
        ray_actor_options={"num_cpus": settings.cpus, "num_gpus": settings.gpus},
        graceful_shutdown_timeout_s=settings.server.shutdown_seconds,
        request_router_config=RequestRouterConfig(request_router_class=PrefixRouter),
    )
    ingress = serve.deployment(
        Ingress,
        name="Ingress",
        max_ongoing_requests=settings.max_ongoing * settings.replicas,
        ray_actor_options={"num_cpus": 0},
    )
    return ingress.bind(replicas.bind(settings), settings.server)
