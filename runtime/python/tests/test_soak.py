"""Many streams at a time over a compiled model: none loses, doubles or reorders a token, and the memory stays flat.

Three of four take the most likely tokens, the others draw them.

BAMBA_SOAK_SECONDS says for how long (10 by default; by hand 300), BAMBA_SOAK_STREAMS how many at a time (256).
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from native import Checkpoint, served

SECONDS = float(os.environ.get("BAMBA_SOAK_SECONDS", "10"))
STREAMS = int(os.environ.get("BAMBA_SOAK_STREAMS", "256"))
TOKENS = 24
PROMPTS = [f"{'word ' * (i % 7)}prompt number {i}" for i in range(24)]
CLOSE = 1e-3  # Logits nearer than this may change places when other requests share a step.
DRAWN = {"temperature": 1.0, "seed": 5}
DRAWN_APART = 0.005  # Drawn answers that may be others than alone, where two draws were as close.
GROWTH_BYTES = 32 << 20  # What the server's memory may grow by after its first third.


@dataclass
class Counts:
    """Answers that have come."""

    greedy: int = 0
    drawn: int = 0
    drawn_apart: int = 0

    @property
    def all(self) -> int:
        return self.greedy + self.drawn


@dataclass(frozen=True)
class Alone:
    """The answer to a prompt that nothing else runs with."""

    tokens: list[str]
    gaps: list[float]  # By how much each token was ahead of the second best.

    def same_up_to_ties(self, tokens: list[str]) -> bool:
        for own, found, gap in zip(self.tokens, tokens, self.gaps, strict=False):
            if own != found:
                return gap < CLOSE
        return len(tokens) == len(self.tokens)


def body(prompt: str, **more: object) -> dict[str, object]:
    return {"model": "tiny", "prompt": prompt, "max_tokens": TOKENS, "temperature": 0, "ignore_eos": True, **more}


async def ask_alone(client: httpx.AsyncClient, prompt: str, **more: object) -> Alone:
    answer = await client.post("/v1/completions", json=body(prompt, logprobs=2, **more))
    assert answer.status_code == 200, answer.text
    found = answer.json()["choices"][0]["logprobs"]
    gaps = []
    for top in found["top_logprobs"]:
        best = sorted(top.values(), reverse=True)
        gaps.append(best[0] - best[1] if len(best) > 1 else 0.0)  # Two tokens may have the same text.
    return Alone(found["tokens"], gaps)


async def ask_streaming(client: httpx.AsyncClient, prompt: str, **more: object) -> list[str]:
    """The tokens of a streamed answer, which must have an end, a usage and text that joins up."""
    tokens: list[str] = []
    finished, done, usage = 0, False, None
    more = {"stream": True, "stream_options": {"include_usage": True}, "logprobs": 0, **more}
    async with client.stream("POST", "/v1/completions", json=body(prompt, **more)) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for line in answer.aiter_lines():
            if line == "data: [DONE]":
                done = True
            elif line:
                assert not done
                event = json.loads(line.removeprefix("data: "))
                usage = event.get("usage") or usage
                for choice in event["choices"]:
                    assert not finished
                    tokens += choice["logprobs"]["tokens"]
                    finished += choice["finish_reason"] is not None
    assert (finished, done, len(tokens)) == (1, True, TOKENS)
    assert usage is not None
    assert usage["completion_tokens"] == TOKENS
    return tokens


def memory_of(pid: int) -> int:
    """Resident bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def soak(url: str, pid: int) -> tuple[Counts, list[int]]:
    limits = httpx.Limits(max_connections=STREAMS, max_keepalive_connections=STREAMS)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=120, verify=False, trust_env=False) as client:
        alone = [await ask_alone(client, prompt) for prompt in PROMPTS]
        drawn = [await ask_alone(client, prompt, **DRAWN) for prompt in PROMPTS]
        end = time.monotonic() + SECONDS
        counts, memory = Counts(), [memory_of(pid)]

        async def worker(number: int) -> None:
            turn = number
            while time.monotonic() < end or counts.all < STREAMS:
                index = turn % len(PROMPTS)
                if number % 4 == 0:
                    found = await ask_streaming(client, PROMPTS[index], **DRAWN)
                    counts.drawn += 1
                    counts.drawn_apart += found != drawn[index].tokens
                else:
                    found = await ask_streaming(client, PROMPTS[index])
                    assert alone[index].same_up_to_ties(found), (PROMPTS[index], alone[index].tokens, found)
                    counts.greedy += 1
                turn += 7

        async def watch() -> None:
            while time.monotonic() < end:
                await asyncio.sleep(max(0.2, SECONDS / 30))
                memory.append(memory_of(pid))

        await asyncio.gather(watch(), *(worker(number) for number in range(STREAMS)))
        return counts, memory


@pytest.mark.timeout(2 * SECONDS + 120)
def test_many_streams(checkpoint: Checkpoint) -> None:
    with served(checkpoint, "--request-seconds=120") as (url, process):
        counts, memory = asyncio.run(soak(url, process.pid))
        values = httpx.get(f"{url}/metrics").text
    print(f"{counts}, {TOKENS} tokens each, {STREAMS} at a time; MiB {[each >> 20 for each in memory]}")
    assert counts.all >= STREAMS
    assert counts.drawn_apart <= DRAWN_APART * counts.drawn
    assert "bamba_running 0.0" in values
    assert "bamba_failed_total 0.0" in values
    settled = max(memory[: len(memory) // 3 + 1])
    assert max(memory) - settled < GROWTH_BYTES
