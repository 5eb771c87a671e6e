"""Runs the answers that one request asks for, until they end, the time is over or the client has gone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request

from bamba.async_engine import AnswerStream, AsyncEngine, collect, gather
from bamba.outputs import Completion, Delta
from bamba.sampling import SamplingParams
from bamba.server.errors import ApiError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Usage:
    """Tokens of a request."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int

    def body(self) -> dict[str, Any]:
        """OpenAI's form."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }


class Answers:
    """The answers of one request: `params.n` to each prompt, numbered one prompt after the other.

    All are submitted at once, so that a request which cannot be taken fails before its answer begins.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        prompts: Sequence[Sequence[int]],
        params: SamplingParams,
        priority: int,
        seconds: float,
    ) -> None:
        self.params = params
        self._prompt_tokens = sum(len(prompt) for prompt in prompts)
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._streams: list[AnswerStream] = []
        try:
            for prompt in prompts:
                for index in range(params.n):
                    self._streams.append(engine.stream(prompt, params, index=index, priority=priority))
        except BaseException:
            self.cancel()
            raise

    async def whole(self) -> tuple[list[Completion], Usage]:
        """All answers once they have ended. Raises TimeoutError, or what an answer fails with."""
        left = self._deadline - asyncio.get_running_loop().time()
        waiting = gather([collect(stream, self.params, i) for i, stream in enumerate(self._streams)])
        try:
            found = await asyncio.wait_for(waiting, left)
        except asyncio.TimeoutError as error:
            raise TimeoutError from error
        finally:
            self.cancel()
        cached = sum(count for _, count in found[:: self.params.n])
        completions = [completion for completion, _ in found]
        return completions, Usage(self._prompt_tokens, sum(len(c.tokens) for c in completions), cached)

    async def deltas(self) -> AsyncGenerator[tuple[int, Delta], None]:
        """Each piece with the number of its answer, as they come. Raises as `whole`."""
        queue: asyncio.Queue[tuple[int, Delta | BaseException | None]] = asyncio.Queue()
        tasks = [asyncio.ensure_future(_forward(i, stream, queue)) for i, stream in enumerate(self._streams)]
        try:
            running = len(tasks)
            while running:
                left = self._deadline - asyncio.get_running_loop().time()
                try:
                    index, found = await asyncio.wait_for(queue.get(), left)
                except asyncio.TimeoutError as error:
                    raise TimeoutError from error
                if found is None:
                    running -= 1
                elif isinstance(found, BaseException):
                    raise found
                else:
                    yield index, found
        finally:
            for task in tasks:
                task.cancel()
            self.cancel()

    def usage(self, completion_tokens: int, cached_tokens: int) -> Usage:
        """The usage of answers that were streamed."""
        return Usage(self._prompt_tokens, completion_tokens, cached_tokens)

    def cancel(self) -> None:
        """Cancels what still runs."""
        for stream in self._streams:
            stream.cancel()


async def _forward(
    index: int, stream: AnswerStream, queue: asyncio.Queue[tuple[int, Delta | BaseException | None]]
) -> None:
    try:
        async for delta in stream:
            queue.put_nowait((index, delta))
        queue.put_nowait((index, None))
    except Exception as error:
        queue.put_nowait((index, error))


async def while_connected(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """The result of some work, which is cancelled where the client goes away."""
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ApiError(499, "the client went away", code="client_disconnected")
    finally:
        for each in (task, watcher):
            each.cancel()
        with contextlib.suppress(BaseException):
            await asyncio.gather(task, watcher, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
