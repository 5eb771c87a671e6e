"""An engine for asyncio: text or tokens go in, pieces of text come out as they are made."""

from __future__ import annotations

import asyncio
import atexit
import dataclasses
import secrets
import weakref
from collections.abc import AsyncIterable, Coroutine, Sequence
from types import TracebackType
from typing import Any, TypeVar

from bamba.engine.protocol import Counters, Engine, EngineInfo, EngineRequest, Finish
from bamba.engine.pump import EventPump, Mailbox
from bamba.errors import (
    BambaError,
    EngineClosedError,
    InvalidRequestError,
    LibraryError,
    PromptTooLongError,
    UnsupportedError,
)
from bamba.outputs import Completion, Delta, FinishReason, RequestOutput, TokenLogprob
from bamba.sampling import SamplingParams
from bamba.text.assembler import TextAssembler
from bamba.text.chat_template import ChatTemplate
from bamba.text.grammar import Grammars
from bamba.text.tokenizer import Tokenizer

_T = TypeVar("_T")
Prompt = str | Sequence[int]

# Fields of SamplingParams that only an engine which lists them in its features can do, and their idle values.
_OPTIONAL_FIELDS: dict[str, object] = {
    "temperature": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "logit_bias": {},
    "logprobs": None,
}


class AnswerStream:
    """One answer, piece by piece. To close it, or to drop it, cancels its request."""

    def __init__(
        self, pump: EventPump, key: int, mailbox: Mailbox, assembler: TextAssembler, prompt_tokens: int
    ) -> None:
        self._pump, self._key, self._mailbox = pump, key, mailbox
        self._assembler, self._prompt_tokens = assembler, prompt_tokens
        self._ended = False

    def __aiter__(self) -> AnswerStream:
        return self

    async def __anext__(self) -> Delta:
        while not self._ended:
            events = await self._mailbox.take()
            delta = self._assembler.push(events)
            last = events[-1]
            if delta.finish_reason is not None:
                self.cancel()
            elif last.finish in (Finish.CANCELLED, Finish.ERROR):
                self._ended = True
                raise last.failure or _failure(last.finish, last.status, last.message)
            if delta.tokens or delta.text or delta.finish_reason:
                return dataclasses.replace(delta, prompt_tokens=self._prompt_tokens)
        raise StopAsyncIteration

    def cancel(self) -> None:
        """Ends the answer; cancels the request if it still runs."""
        self._ended = True
        self._pump.cancel(self._key)

    async def aclose(self) -> None:
        """As `cancel`, for contextlib.aclosing."""
        self.cancel()

    def __del__(self) -> None:
        if not self._ended:
            self.cancel()


class AsyncEngine:
    """Text around an engine. Its functions may be called from any asyncio loop of any thread."""

    def __init__(self, engine: Engine, tokenizer: Tokenizer, chat_template: ChatTemplate | None = None) -> None:
        """Takes the engine over: `close` closes it."""
        self._engine = engine
        self._pump = EventPump(engine)
        _OPEN.add(self)
        self._grammars = Grammars(tokenizer, engine.info.vocab_size, engine.info.eos_tokens)
        self.tokenizer = tokenizer
        self.chat_template = chat_template

    @property
    def info(self) -> EngineInfo:
        """What the model can hold."""
        return self._engine.info

    @property
    def features(self) -> frozenset[str]:
        """What of SamplingParams the engine can do beyond greedy tokens."""
        return self._engine.features

    @property
    def healthy(self) -> bool:
        """Whether answers still come: not after `close`, nor after the engine itself has failed."""
        return self._pump.alive

    @property
    def active(self) -> int:
        """Requests that run or wait."""
        return self._pump.active

    def counters(self) -> Counters:
        """What the engine does and has done."""
        return self._engine.counters()

    def check(self, prompt: Sequence[int], params: SamplingParams) -> int:
        """Checks what can be known before a request is submitted; how many tokens its answer has at most.

        Raises InvalidRequestError, PromptTooLongError or UnsupportedError.
        """
        info = self.info
        if not prompt:
            raise InvalidRequestError("prompt: expected at least one token, found none", "prompt")
        if not all(0 <= token < info.vocab_size for token in prompt):
            raise InvalidRequestError(f"prompt: expected tokens below {info.vocab_size}, found another", "prompt")
        room = info.max_context - len(prompt)
        if room < 1:
            message = f"prompt: expected fewer than {info.max_context} tokens, the context, found {len(prompt)}"
            raise PromptTooLongError(message, "prompt")
        if params.max_tokens is not None and params.max_tokens > room:
            message = (
                f"max_tokens: expected at most {room}, the context of {info.max_context} tokens less the prompt of "
                f"{len(prompt)}, found {params.max_tokens}"
            )
            raise PromptTooLongError(message, "max_tokens")
        for name in ("stop_token_ids", "logit_bias"):
            if not all(token < info.vocab_size for token in getattr(params, name)):
                raise InvalidRequestError(f"{name}: expected tokens below {info.vocab_size}, found another", name)
        self._check_features(params)
        return params.max_tokens or room

    def _check_features(self, params: SamplingParams) -> None:
        for name, idle in _OPTIONAL_FIELDS.items():
            if getattr(params, name) != idle and name not in self.features:
                if name == "temperature" and params.greedy:
                    continue
                raise UnsupportedError(f"{name}: this library cannot do it yet; leave it out or give {idle!r}", name)
        if params.structured is not None:
            if "structured" not in self.features:
                message = "response_format: this library cannot do it yet; leave it out"
                raise UnsupportedError(message, "response_format")
            if params.ignore_eos:
                message = "ignore_eos: expected false with response_format, which says where the text ends, found true"
                raise InvalidRequestError(message, "ignore_eos")

    def encode(self, prompt: Prompt) -> list[int]:
        """The tokens of a prompt, with those that begin a text; tokens stay as they are."""
        return self.tokenizer.encode(prompt) if isinstance(prompt, str) else list(prompt)

    async def prepare(self, params: SamplingParams) -> None:
        """Compiles the grammar of structured output in another thread, so that `stream` need not.

        Raises InvalidRequestError where it is none. Without structured output there is nothing to do.
        """
        if params.structured is not None:
            self._check_features(params)
            await asyncio.to_thread(self._grammars.prepare, params.structured)

    def stream(
        self, prompt: Prompt, params: SamplingParams | None = None, *, index: int = 0, priority: int = 0
    ) -> AnswerStream:
        """One answer, piece by piece; the last one has a finish reason.

        `index` says which of `params.n` answers it is, for its seed. Raises as `check` does, QueueFullError and
        EngineClosedError at once, LibraryError where the request fails later.
        """
        tokens, params = self.encode(prompt), params or SamplingParams()
        max_tokens = self.check(tokens, params)
        assembler = TextAssembler(self.tokenizer, tokens, params, self.info.eos_tokens)
        seed = None
        if not params.greedy:
            seed = (params.seed + index if params.seed is not None else secrets.randbits(64)) % 2**64
        mask = self._grammars.mask(params.structured) if params.structured is not None else None
        key, mailbox = self._pump.open()
        self._pump.submit(EngineRequest(key, tokens, params, max_tokens, priority, seed, mask))
        return AnswerStream(self._pump, key, mailbox, assembler, len(tokens))

    async def complete(
        self, prompt: Prompt, params: SamplingParams | None = None, *, index: int = 0, priority: int = 0
    ) -> tuple[Completion, int]:
        """One answer as a whole, and how many tokens of the prompt the prefix cache had. Raises as `stream`."""
        params = params or SamplingParams()
        return await collect(self.stream(prompt, params, index=index, priority=priority), params, index)

    async def generate(
        self, prompt: Prompt, params: SamplingParams | None = None, *, priority: int = 0
    ) -> RequestOutput:
        """All `params.n` answers to a prompt. Raises as `stream`; the other answers are then cancelled."""
        params = params or SamplingParams()
        await self.prepare(params)
        tokens = self.encode(prompt)
        answers = await gather([self.complete(tokens, params, index=i, priority=priority) for i in range(params.n)])
        return RequestOutput(
            prompt if isinstance(prompt, str) else None,
            tuple(tokens),
            tuple(completion for completion, _ in answers),
            answers[0][1],
        )

    def drain(self, seconds: float) -> int:
        """Refuses requests from now on and waits until all have ended; how many have not."""
        return self._engine.drain(seconds)

    def close(self) -> None:
        """Ends all requests and frees the engine."""
        _OPEN.discard(self)
        self._pump.stop()
        self._engine.close()

    async def __aenter__(self) -> AsyncEngine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.close)


_OPEN: weakref.WeakSet[AsyncEngine] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Closes what a program leaves open: a thread of a library must not call masks in an interpreter that has ended."""
    for engine in list(_OPEN):
        engine.close()


async def collect(stream: AsyncIterable[Delta], params: SamplingParams, index: int = 0) -> tuple[Completion, int]:
    """Joins the pieces of an answer; also how many tokens of the prompt the prefix cache had."""
    parts: list[str] = []
    tokens: list[int] = []
    logprobs: list[TokenLogprob] = []
    reason: FinishReason = "length"
    stop: str | int | None = None
    cached = 0
    async for delta in stream:
        parts.append(delta.text)
        tokens += delta.tokens
        logprobs += delta.logprobs
        cached = delta.cached_tokens
        if delta.finish_reason is not None:
            reason, stop = delta.finish_reason, delta.stop_reason
    found = tuple(logprobs) if params.logprobs is not None else None
    return Completion(index, "".join(parts), tuple(tokens), reason, stop, found), cached


async def gather(answers: Sequence[Coroutine[Any, Any, _T]]) -> list[_T]:
    """The results of all, in order. Where one fails or the caller is cancelled, the others are cancelled too."""
    tasks = [asyncio.ensure_future(answer) for answer in answers]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _failure(finish: Finish, status: str, message: str) -> BambaError:
    if finish == Finish.CANCELLED or status == "BAMBA_NOT_READY":
        return EngineClosedError(message or "the request was cancelled")
    return LibraryError(status, message)
