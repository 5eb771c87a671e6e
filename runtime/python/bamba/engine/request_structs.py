"""Requests as the structs that a library takes them in."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from bamba.binding import engine_structs, structs
from bamba.engine.protocol import EngineRequest
from bamba.sampling import SamplingParams


def request_options(request: EngineRequest, allow: Any | None = None) -> engine_structs.RequestOptions:
    """The struct, which keeps what it points to alive. `allow` is an engine_structs.AllowCallback."""
    params = request.params
    prompt, stops = _tokens(request.prompt), _tokens(list(params.stop_token_ids))
    pointer = ctypes.POINTER(ctypes.c_int32)
    options = structs.sized(
        engine_structs.RequestOptions,
        prompt=ctypes.cast(prompt, pointer),
        num_prompt=len(prompt),
        stop_tokens=ctypes.cast(stops, pointer),
        num_stop_tokens=len(stops),
        user=request.key,
        max_tokens=request.max_tokens,
        priority=request.priority,
        ignore_eos=int(params.ignore_eos),
        logprobs=int(params.logprobs is not None),
        top_logprobs=params.logprobs or 0,
    )
    # Left out where they say nothing: earlier libraries do not know them.
    if not _idle(params):
        options.sampling = ctypes.pointer(_sampling(request))
    if allow is not None:
        options.allow = allow
    return options


def _idle(params: SamplingParams) -> bool:
    """Whether each token is the most likely one by the logits alone."""
    penalties = (params.repetition_penalty, params.presence_penalty, params.frequency_penalty)
    return params.greedy and penalties == (1.0, 0.0, 0.0) and not params.logit_bias


def _sampling(request: EngineRequest) -> structs.Sampling:
    params = request.params
    sampling = structs.sized(
        structs.Sampling,
        seed=request.seed or 0,
        temperature=0.0 if params.greedy else params.temperature,
        top_p=params.top_p,
        min_p=params.min_p,
        repetition_penalty=params.repetition_penalty,
        presence_penalty=params.presence_penalty,
        frequency_penalty=params.frequency_penalty,
        top_k=params.top_k,
        num_bias=len(params.logit_bias),
    )
    if params.logit_bias:
        biases = (structs.LogitBias * len(params.logit_bias))(
            *(structs.LogitBias(token, bias) for token, bias in params.logit_bias.items())
        )
        sampling.bias = ctypes.cast(biases, ctypes.POINTER(structs.LogitBias))
    return sampling


def _tokens(tokens: Sequence[int]) -> ctypes.Array[ctypes.c_int32]:
    return (ctypes.c_int32 * len(tokens))(*tokens)
