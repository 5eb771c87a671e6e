"""/v1/completions."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from bamba.outputs import Completion
from bamba.sampling import SamplingParams
from bamba.server.body import parse_body
from bamba.server.generation import Answers, while_connected
from bamba.server.limits import check_choices
from bamba.server.logprobs import LogprobWriter
from bamba.server.schemas.completion import DEFAULT_MAX_TOKENS, CompletionRequest
from bamba.server.sse import EventStream
from bamba.server.state import ServerState, state_of

router = APIRouter()


class _Writer:
    """Writes the answers to one request."""

    def __init__(self, body: CompletionRequest, state: ServerState) -> None:
        self._body, self._tokenizer = body, state.engine.tokenizer
        self._id, self._created = f"cmpl-{secrets.token_hex(12)}", int(time.time())
        given = body.prompts()
        self.prompts = [
            state.engine.tokenizer.encode(prompt, add_special_tokens=body.add_special_tokens)
            if isinstance(prompt, str)
            else prompt
            for prompt in given
        ]
        self._echoes = [
            prompt if isinstance(prompt, str) else state.engine.tokenizer.decode(prompt) for prompt in given
        ]

    def echo(self, index: int) -> str:
        """The text before an answer."""
        return self._echoes[index // (self._body.n or 1)] if self._body.echo else ""

    def body(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
        """A whole answer or a chunk of one."""
        body = {
            "id": self._id,
            "object": "text_completion",
            "created": self._created,
            "model": self._body.model,
            "choices": choices,
        }
        return body | ({"usage": usage} if usage is not None or self._body.wants_usage else {})

    def choice(self, completion: Completion) -> dict[str, Any]:
        """One of the answers."""
        echo = self.echo(completion.index)
        logprobs = None
        if completion.logprobs is not None:
            logprobs = LogprobWriter(self._tokenizer).completion(completion.logprobs, len(echo))
        return {
            "index": completion.index,
            "text": echo + completion.text,
            "logprobs": logprobs,
            "finish_reason": completion.finish_reason,
            "stop_reason": completion.stop_reason,
        }

    async def chunks(self, answers: Answers) -> AsyncGenerator[dict[str, Any], None]:
        """The answers piece by piece, then the usage where asked for."""
        echoed: set[int] = set()
        writers: dict[int, LogprobWriter] = {}
        tokens = cached = 0
        async with aclosing(answers.deltas()) as deltas:
            async for index, delta in deltas:
                tokens += len(delta.tokens)
                cached += delta.cached_tokens if index not in echoed and index % answers.params.n == 0 else 0
                echo = "" if index in echoed else self.echo(index)
                echoed.add(index)
                logprobs = None
                if answers.params.logprobs is not None:
                    writer = writers.setdefault(index, LogprobWriter(self._tokenizer))
                    logprobs = writer.completion(delta.logprobs, len(self.echo(index)))
                choice = {
                    "index": index,
                    "text": echo + delta.text,
                    "logprobs": logprobs,
                    "finish_reason": delta.finish_reason,
                    "stop_reason": delta.stop_reason,
                }
                yield self.body([choice], None)
        if self._body.wants_usage:
            yield self.body([], answers.usage(tokens, cached).body())


def _params(body: CompletionRequest, state: ServerState) -> SamplingParams:
    body.check()
    body.check_stream_options()
    return body.sampling(
        temperature=state.default_temperature,
        max_tokens=DEFAULT_MAX_TOKENS if body.max_tokens is None else body.max_tokens,
        logprobs=body.logprobs,
        max_stop_characters=state.options.max_stop_characters,
    )


@router.post("/v1/completions")
async def completions(request: Request) -> Response:
    """Continues texts or tokens."""
    state = state_of(request)
    body = await parse_body(request, CompletionRequest, state.options)
    state.check_model(body.model)
    params = _params(body, state)
    writer = _Writer(body, state)
    check_choices(len(writer.prompts), params.n, state.options)
    seconds = state.options.request_seconds
    await state.engine.prepare(params)
    answers = Answers(state.engine, writer.prompts, params, priority=body.priority, seconds=seconds)
    if body.stream:
        return EventStream(writer.chunks(answers))
    found, usage = await while_connected(request, answers.whole())
    return JSONResponse(writer.body([writer.choice(completion) for completion in found], usage.body()))
