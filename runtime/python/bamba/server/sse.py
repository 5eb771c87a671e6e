"""Server-sent events, as OpenAI streams answers."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from bamba.server.errors import ApiError, as_api_error

DONE = "data: [DONE]\n\n"  # The last event of a stream that has not failed.


def _event(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n"


def error_event(error: ApiError) -> str:
    """The event with which a stream ends that has failed."""
    return _event(error.body())


async def _events(chunks: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[str, None]:
    """Each chunk as an event, and the end. A failure becomes an event of its own, with no end after it."""
    async with aclosing(chunks) as closing:
        try:
            async for chunk in closing:
                yield _event(chunk)
        except Exception as error:
            yield error_event(as_api_error(error))
            return
    yield DONE


class EventStream(StreamingResponse):
    """An answer that comes in chunks. Where the client goes away, the iterator is closed."""

    def __init__(self, chunks: AsyncGenerator[dict[str, Any], None]) -> None:
        self._iterator = _events(chunks)
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(self._iterator, media_type="text/event-stream", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the events."""
        async with aclosing(self._iterator):
            await super().__call__(scope, receive, send)
