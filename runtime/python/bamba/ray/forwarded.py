"""Requests and answers on their way between the ingress and a replica."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass(frozen=True)
class Forwarded:
    """A request with its whole body. `blocks` are the beginnings of its prompt."""

    method: str
    path: str
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    blocks: tuple[int, ...] = ()

    def scope(self) -> dict[str, Any]:
        """As an ASGI server has it."""
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": self.query,
            "root_path": "",
            "headers": list(self.headers),
            "client": None,
            "server": None,
        }


@dataclass(frozen=True)
class Head:
    """The beginning of an answer."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]

    @property
    def streams(self) -> bool:
        """Whether the body is a stream of events, which come as they are made."""
        return self._header(b"content-type").startswith(b"text/event-stream")

    @property
    def length(self) -> int | None:
        """The bytes of the body, where they are known."""
        found = self._header(b"content-length")
        return int(found) if found.isdigit() else None

    def _header(self, name: bytes) -> bytes:
        return next((value for found, value in self.headers if found.lower() == name), b"")


async def respond(app: ASGIApp, request: Forwarded) -> AsyncGenerator[Head | bytes, None]:
    """What an application answers: a head, then pieces of the body. To close the generator is to go away."""
    messages: asyncio.Queue[Message | None] = asyncio.Queue()
    gone = asyncio.Event()
    received = False

    async def receive() -> Message:
        nonlocal received
        if not received:
            received = True
            return {"type": "http.request", "body": request.body, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        messages.put_nowait(message)

    async def run() -> None:
        try:
            await app(request.scope(), receive, send)
        finally:
            messages.put_nowait(None)

    task = asyncio.ensure_future(run())
    try:
        while (message := await messages.get()) is not None:
            if message["type"] == "http.response.start":
                yield Head(message["status"], tuple((bytes(k), bytes(v)) for k, v in message.get("headers", ())))
            elif message.get("body"):
                yield bytes(message["body"])
        await task
    finally:
        gone.set()
        task.cancel()
