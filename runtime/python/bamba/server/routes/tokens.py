"""/tokenize and /detokenize."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from bamba.chat import chat_prompt
from bamba.errors import InvalidRequestError
from bamba.server.body import parse_body
from bamba.server.schemas.tokens import DetokenizeRequest, TokenizeRequest
from bamba.server.state import state_of

router = APIRouter()


@router.post("/tokenize")
async def tokenize(request: Request) -> dict[str, Any]:
    """The tokens of a text or of a chat."""
    state = state_of(request)
    body = await parse_body(request, TokenizeRequest, state.options)
    state.check_model(body.model)
    body.check()
    tokenizer = state.engine.tokenizer
    if body.messages is not None:
        messages = [message.for_template() for message in body.messages]
        generate = body.add_generation_prompt
        tokens = await run_in_threadpool(chat_prompt, state.engine, messages, add_generation_prompt=generate)
    else:
        tokens = tokenizer.encode(body.prompt or "", add_special_tokens=body.add_special_tokens)
    found: dict[str, Any] = {
        "tokens": tokens,
        "count": len(tokens),
        "max_model_len": state.engine.info.max_context,
    }
    if body.return_token_strs:
        found["token_strs"] = [tokenizer.token_text(token) for token in tokens]
    return found


@router.post("/detokenize")
async def detokenize(request: Request) -> dict[str, Any]:
    """The text of tokens."""
    state = state_of(request)
    body = await parse_body(request, DetokenizeRequest, state.options)
    state.check_model(body.model)
    size = state.engine.info.vocab_size
    if not all(0 <= token < size for token in body.tokens):
        raise InvalidRequestError(f"tokens: expected numbers from 0 to {size - 1}, found another", "tokens")
    text = state.engine.tokenizer.decode(body.tokens, skip_special_tokens=body.skip_special_tokens)
    return {"prompt": text}
