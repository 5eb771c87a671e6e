"""Models for programs without asyncio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from bamba.async_engine import AnswerStream, AsyncEngine, Prompt, gather
from bamba.chat import chat_prompt
from bamba.errors import QueueFullError
from bamba.loading import LoadOptions, Watcher, load_engine
from bamba.outputs import Delta, RequestOutput
from bamba.sampling import SamplingParams

_T = TypeVar("_T")
_QUEUE_WAIT_SECONDS = 0.02


class LLM:
    """A model with its text: generates, chats and streams. May be used from any thread.

    with LLM("checkpoint/") as llm:
        print(llm.generate(["Once upon a time"], SamplingParams(max_tokens=32))[0].text)
    """

    def __init__(
        self,
        checkpoint: str | Path | None = None,
        options: LoadOptions | None = None,
        *,
        watcher: Watcher | None = None,
        engine: AsyncEngine | None = None,
    ) -> None:
        """Compiles the checkpoint's configuration if the cache has no library for it, and loads the weights.

        `engine` takes an engine that is there already instead. Raises as `load_engine`.
        """
        if (checkpoint is None) == (engine is None):
            raise TypeError("expected a checkpoint or an engine, found both or neither")
        self.engine = engine or load_engine(checkpoint or "", options, watcher)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bamba-llm", daemon=True)
        self._thread.start()

    def generate(self, prompts: Prompt | Sequence[Prompt], params: SamplingParams | None = None) -> list[RequestOutput]:
        """The answers to some prompts, texts or lists of tokens, in their order; all run together.

        Raises InvalidRequestError for what cannot be asked, EngineClosedError or LibraryError.
        """
        return self._run(gather([self._generate(prompt, params) for prompt in _as_list(prompts)]))

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        params: SamplingParams | None = None,
        **template_variables: Any,
    ) -> RequestOutput:
        """The answer to a chat, whose messages have a role and content. Raises as `generate`, and TemplateError."""
        return self._run(self.engine.generate(chat_prompt(self.engine, messages, **template_variables), params))

    def stream(self, prompt: Prompt, params: SamplingParams | None = None) -> Iterator[Delta]:
        """One answer, piece by piece. Leaving the loop cancels the request. Raises as `generate`."""
        return self._stream(self._run(self._open(prompt, params)))

    def stream_chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        params: SamplingParams | None = None,
        **template_variables: Any,
    ) -> Iterator[Delta]:
        """The answer to a chat, piece by piece."""
        return self.stream(chat_prompt(self.engine, messages, **template_variables), params)

    async def _generate(self, prompt: Prompt, params: SamplingParams | None) -> RequestOutput:
        """Waits where the queue is full: nobody else decides how many prompts there are."""
        while True:
            try:
                return await self.engine.generate(prompt, params)
            except QueueFullError:
                await asyncio.sleep(_QUEUE_WAIT_SECONDS)

    async def _open(self, prompt: Prompt, params: SamplingParams | None) -> AnswerStream:
        await self.engine.prepare(params or SamplingParams())
        return self.engine.stream(prompt, params)

    def _stream(self, answer: AnswerStream) -> Iterator[Delta]:
        try:
            while True:
                try:
                    yield self._run(answer.__anext__())
                except StopAsyncIteration:
                    return
        finally:
            answer.cancel()

    def _run(self, task: Coroutine[Any, Any, _T]) -> _T:
        """Runs a task in the loop's thread and waits for it; an interrupt of the waiting cancels it."""
        future = asyncio.run_coroutine_threadsafe(task, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Ends all requests and frees the model; a second call does nothing."""
        if self._loop.is_closed():
            return
        self.engine.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> LLM:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _as_list(prompts: Prompt | Sequence[Prompt]) -> list[Prompt]:
    """One prompt is a text or a list of numbers."""
    if isinstance(prompts, str):
        return [prompts]
    if prompts and isinstance(prompts[0], int):
        return [[token for token in prompts if isinstance(token, int)]]
    return [prompt for prompt in prompts if not isinstance(prompt, int)]
