"""/v1/chat/completions."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from bamba.chat import chat_prompt
from bamba.outputs import Completion
from bamba.sampling import SamplingParams
from bamba.server.body import parse_body
from bamba.server.generation import Answers, while_connected
from bamba.server.limits import check_choices
from bamba.server.logprobs import LogprobWriter
from bamba.server.schemas.chat import ChatRequest
from bamba.server.sse import EventStream
from bamba.server.state import ServerState, state_of

router = APIRouter()


class _Writer:
    """Writes the answers to one chat."""

    def __init__(self, body: ChatRequest, state: ServerState) -> None:
        self._body, self._tokenizer = body, state.engine.tokenizer
        self._id, self._created = f"chatcmpl-{secrets.token_hex(12)}", int(time.time())

    def whole(self, found: list[Completion], usage: dict[str, Any]) -> dict[str, Any]:
        """The answers at once."""
        return {**self._head("chat.completion"), "choices": [self._choice(each) for each in found], "usage": usage}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._body.model}

    def _choice(self, completion: Completion) -> dict[str, Any]:
        logprobs = None
        if completion.logprobs is not None:
            logprobs = LogprobWriter(self._tokenizer).chat(completion.logprobs)
        return {
            "index": completion.index,
            "message": {"role": "assistant", "content": completion.text, "refusal": None},
            "logprobs": logprobs,
            "finish_reason": completion.finish_reason,
            "stop_reason": completion.stop_reason,
        }

    def _chunk(
        self, index: int, delta: dict[str, Any], logprobs: dict[str, Any] | None, finish: str | None
    ) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        usage = {"usage": None} if self._body.wants_usage else {}
        return {**self._head("chat.completion.chunk"), "choices": [choice], **usage}

    async def chunks(self, answers: Answers) -> AsyncGenerator[dict[str, Any], None]:
        """The answers piece by piece, then the usage where asked for.

        Nothing comes before the first token: until then another replica can take the request over.
        """
        writer = LogprobWriter(self._tokenizer)
        begun: set[int] = set()
        tokens = cached = 0
        async with aclosing(answers.deltas()) as deltas:
            async for index, delta in deltas:
                if index not in begun:
                    begun.add(index)
                    yield self._chunk(index, {"role": "assistant", "content": ""}, None, None)
                tokens += len(delta.tokens)
                cached = delta.cached_tokens if index == 0 else cached
                logprobs = writer.chat(delta.logprobs) if answers.params.logprobs is not None else None
                if delta.text or logprobs:
                    yield self._chunk(index, {"content": delta.text}, logprobs, None)
                if delta.finish_reason is not None:
                    yield self._chunk(index, {}, None, delta.finish_reason)
        if self._body.wants_usage:
            usage = answers.usage(tokens, cached).body()
            yield {**self._head("chat.completion.chunk"), "choices": [], "usage": usage}


def _params(body: ChatRequest, state: ServerState) -> SamplingParams:
    body.check_stream_options()
    return body.sampling(
        temperature=state.default_temperature,
        max_tokens=body.limit(),
        logprobs=body.logprobs_count(),
        max_stop_characters=state.options.max_stop_characters,
    )


@router.post("/v1/chat/completions")
async def chat_completions(request: Request) -> Response:
    """Answers a chat, by the model's template."""
    state = state_of(request)
    body = await parse_body(request, ChatRequest, state.options)
    state.check_model(body.model)
    params = _params(body, state)
    check_choices(1, params.n, state.options)
    messages = [message.for_template() for message in body.messages]
    # A template is a program, which may take its time.
    prompt = await run_in_threadpool(chat_prompt, state.engine, messages, **body.template_variables())
    seconds = state.options.request_seconds
    await state.engine.prepare(params)
    answers = Answers(state.engine, [prompt], params, priority=body.priority, seconds=seconds)
    writer = _Writer(body, state)
    if body.stream:
        return EventStream(writer.chunks(answers))
    found, usage = await while_connected(request, answers.whole())
    return JSONResponse(writer.whole(found, usage.body()))
