"""`bamba bench`: throughput and latency of the engine, from text to text."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bamba.async_engine import AsyncEngine
from bamba.cli.options import add_model_options, load_options, positive
from bamba.cli.progress import Stages
from bamba.errors import InvalidRequestError
from bamba.loading import load_engine
from bamba.sampling import SamplingParams


@dataclass(frozen=True)
class _Timing:
    """Seconds of one request, and its tokens."""

    first: float
    total: float
    tokens: int


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_model_options(parser)
    group = parser.add_argument_group("load")
    for name, default, text in (
        ("--requests", 64, "requests in all"),
        ("--concurrency", 16, "requests at a time"),
        ("--input-tokens", 128, "tokens of each prompt"),
        ("--output-tokens", 64, "tokens of each answer"),
        ("--shared-tokens", 0, "tokens with which all prompts begin"),
    ):
        kind = positive if default else int
        group.add_argument(name, type=kind, default=default, metavar="N", help=f"{text} (default {default})")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of the prompts (default 0)")
    group.add_argument("--json", action="store_true", help="print an object")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    with Stages() as stages:
        engine = load_engine(arguments.checkpoint, load_options(arguments), stages.watcher)
    try:
        found = asyncio.run(_measure(engine, arguments))
    finally:
        engine.close()
    if arguments.json:
        print(json.dumps(found))
        return 0
    table = Table("", "value", title=f"{arguments.requests} requests, {arguments.concurrency} at a time")
    for name, value in found.items():
        table.add_row(name.replace("_", " "), f"{value:,.4g}")
    Console().print(table)
    return 0


def _prompts(engine: AsyncEngine, arguments: argparse.Namespace) -> list[list[int]]:
    if not 0 <= arguments.shared_tokens <= arguments.input_tokens:
        message = f"--shared-tokens: expected at most --input-tokens, found {arguments.shared_tokens}"
        raise InvalidRequestError(message)
    draw = random.Random(arguments.seed)  # noqa: S311 - no secrets
    shared = [draw.randrange(engine.info.vocab_size) for _ in range(arguments.shared_tokens)]
    own = arguments.input_tokens - arguments.shared_tokens
    return [[*shared, *(draw.randrange(engine.info.vocab_size) for _ in range(own))] for _ in range(arguments.requests)]


async def _measure(engine: AsyncEngine, arguments: argparse.Namespace) -> dict[str, float]:
    params = SamplingParams(max_tokens=arguments.output_tokens, ignore_eos=True)
    gate = asyncio.Semaphore(arguments.concurrency)
    timings: list[_Timing] = []

    async def ask(prompt: list[int]) -> None:
        async with gate:
            start, first, tokens = time.perf_counter(), 0.0, 0
            async for delta in engine.stream(prompt, params):
                first = first or time.perf_counter() - start
                tokens += len(delta.tokens)
            timings.append(_Timing(first, time.perf_counter() - start, tokens))

    prompts = _prompts(engine, arguments)
    start = time.perf_counter()
    await asyncio.gather(*(ask(prompt) for prompt in prompts))
    return _summary(timings, time.perf_counter() - start, arguments.input_tokens)


def _summary(timings: list[_Timing], seconds: float, input_tokens: int) -> dict[str, float]:
    tokens = sum(timing.tokens for timing in timings)
    found = {
        "seconds": seconds,
        "requests_per_second": len(timings) / seconds,
        "input_tokens_per_second": len(timings) * input_tokens / seconds,
        "output_tokens_per_second": tokens / seconds,
    }
    each = [(timing.total - timing.first) / max(1, timing.tokens - 1) for timing in timings]
    for name, values in (
        ("first_token_seconds", sorted(timing.first for timing in timings)),
        ("between_tokens_seconds", sorted(each)),
        ("request_seconds", sorted(timing.total for timing in timings)),
    ):
        for percent in (50, 90, 99):
            found[f"{name}_p{percent}"] = values[min(len(values) - 1, len(values) * percent // 100)]
    return found
