"""LLM and AsyncEngine over a compiled model with random weights."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import wait_until
from native import Checkpoint, build_tool

from bamba import LLM, CompileOptions, EngineOptions, SamplingParams, StructuredOutput, load_engine
from bamba.async_engine import collect
from bamba.binding import Library
from bamba.errors import (
    CheckpointError,
    CompileError,
    EngineClosedError,
    InvalidRequestError,
    LibraryError,
    PromptTooLongError,
    QueueFullError,
    UnsupportedError,
)

PROMPTS = ["Once upon a time", "The quick brown fox", "naïve café 🙂", "x"]
GREEDY = SamplingParams(max_tokens=24, ignore_eos=True)


def test_tokens_are_those_of_bamba_run(llm: LLM, checkpoint: Checkpoint) -> None:
    """Another program, which steps the session by itself, finds the same tokens."""
    for output in llm.generate(PROMPTS, GREEDY):
        listed = ",".join(map(str, output.prompt_tokens))
        command = [build_tool("bamba-run"), "generate", checkpoint.library, "--weights", checkpoint.folder]
        done = subprocess.run(
            [*command, f"--tokens={listed}", "-n", "24", "--device=cpu"], capture_output=True, text=True
        )
        expected = [int(token) for token in done.stdout.split()]
        found = list(output.completions[0].tokens)
        assert found[: len(expected)] == expected
        assert len(expected) == 24 or expected[-1] == 2, done
        assert output.completions[0].finish_reason == "length"


def test_together_as_alone(llm: LLM) -> None:
    alone = [llm.generate(prompt, GREEDY)[0].completions[0] for prompt in PROMPTS]
    together = llm.generate(PROMPTS * 20, GREEDY)
    assert [output.completions[0] for output in together] == alone * 20


def test_more_prompts_than_the_queue_holds(checkpoint: Checkpoint) -> None:
    options = replace(checkpoint.options, engine=EngineOptions(slots=2, queue_limit=2))
    with LLM(checkpoint.folder, options) as llm:
        outputs = llm.generate([f"prompt {i}" for i in range(30)], SamplingParams(max_tokens=4))
        assert [output.prompt for output in outputs] == [f"prompt {i}" for i in range(30)]


def test_stream_joins_to_the_answer(llm: LLM) -> None:
    whole = llm.generate("Once", GREEDY)[0].completions[0]
    deltas = list(llm.stream("Once", GREEDY))
    assert "".join(delta.text for delta in deltas) == whole.text
    assert tuple(token for delta in deltas for token in delta.tokens) == whole.tokens
    assert [delta.finish_reason for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
    assert deltas[-1].finish_reason == "length"


def test_stop_strings(llm: LLM) -> None:
    whole = llm.generate("Once", GREEDY)[0].text
    stop = next(whole[i : i + 2] for i in range(5, len(whole)) if "\ufffd" not in whole[i : i + 2])
    found = llm.generate("Once", replace(GREEDY, stop=(stop,)))[0].completions[0]
    assert found.text == whole[: whole.index(stop)]
    assert found.finish_reason == "stop"
    assert found.stop_reason == stop
    wait_until(lambda: llm.engine.active == 0)


def test_stop_tokens(llm: LLM) -> None:
    tokens = llm.generate("Once", GREEDY)[0].completions[0].tokens
    found = llm.generate("Once", replace(GREEDY, stop_token_ids=(tokens[5],)))[0].completions[0]
    assert found.tokens == tokens[: tokens.index(tokens[5]) + 1]
    assert found.stop_reason == tokens[5]


def test_logprobs(llm: LLM) -> None:
    found = llm.generate("Once", replace(GREEDY, logprobs=3))[0].completions[0]
    assert found.logprobs is not None
    assert [each.token for each in found.logprobs] == list(found.tokens)
    for each in found.logprobs:
        assert len(each.top) == 3
        assert each.top[each.token] == each.logprob == max(each.top.values()) < 0


def test_chat(llm: LLM) -> None:
    messages = [{"role": "user", "content": "Hello"}]
    output = llm.chat(messages, SamplingParams(max_tokens=8, ignore_eos=True))
    assert len(output.completions[0].tokens) == 8
    streamed = "".join(delta.text for delta in llm.stream_chat(messages, SamplingParams(max_tokens=8, ignore_eos=True)))
    assert streamed == output.text


def test_several_answers(llm: LLM) -> None:
    output = llm.generate("Once", replace(GREEDY, n=3))[0]
    assert [completion.index for completion in output.completions] == [0, 1, 2]
    assert len({completion.tokens for completion in output.completions}) == 1


def test_leaving_a_stream_cancels_it(llm: LLM) -> None:
    before = llm.engine.counters().totals["cancelled"]
    for _ in llm.stream("Once", SamplingParams(max_tokens=400, ignore_eos=True)):
        break
    wait_until(lambda: llm.engine.counters().totals["cancelled"] == before + 1)
    wait_until(lambda: llm.engine.counters().gauges["running"] == 0)


def test_mistakes(llm: LLM) -> None:
    for prompt, params, kind in (
        ([], GREEDY, InvalidRequestError),
        ([512], GREEDY, InvalidRequestError),
        ([-1], GREEDY, InvalidRequestError),
        ([1] * 512, SamplingParams(), PromptTooLongError),
        ([1] * 500, GREEDY, PromptTooLongError),
        ([1], SamplingParams(stop_token_ids=(512,)), InvalidRequestError),
    ):
        with pytest.raises(kind):
            llm.generate([prompt], params)
    with pytest.raises(InvalidRequestError, match="at least one message"):
        llm.chat([])
    assert len(llm.generate([[1] * 511])[0].completions[0].tokens) == 1


@pytest.mark.parametrize(
    "fields",
    [{"temperature": 0.7}, {"repetition_penalty": 1.5}, {"presence_penalty": 1.0}, {"frequency_penalty": 1.0},
     {"logit_bias": {3: 1.0}}, {"structured": StructuredOutput(json_object=True)}],
    ids=lambda fields: next(iter(fields)),
)  # fmt: skip
def test_what_an_earlier_library_cannot_do_is_refused(
    llm: LLM, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]
) -> None:
    params = SamplingParams(max_tokens=2, **fields)
    assert llm.generate("x", params)
    monkeypatch.setattr(Library, "version", (2, 0))
    with pytest.raises(UnsupportedError, match="response_format" if "structured" in fields else next(iter(fields))):
        llm.generate("x", params)
    assert llm.generate("x", SamplingParams(max_tokens=2, logprobs=1))


async def test_async_engine_from_any_loop(llm: LLM) -> None:
    async def ask(prompt: str) -> str:
        return (await llm.engine.generate(prompt, GREEDY)).text

    here = await asyncio.gather(*(ask(prompt) for prompt in PROMPTS))
    there: list[str] = []
    thread = threading.Thread(target=lambda: there.extend(asyncio.run(ask(prompt)) for prompt in PROMPTS))
    thread.start()
    await asyncio.get_running_loop().run_in_executor(None, thread.join)
    assert here == there


async def test_a_full_queue_and_the_end(checkpoint: Checkpoint) -> None:
    options = replace(checkpoint.options, engine=EngineOptions(slots=1, queue_limit=1))
    engine = load_engine(checkpoint.folder, options)
    long = SamplingParams(max_tokens=500, ignore_eos=True)
    running = engine.stream([1], long)
    await running.__anext__()
    waiting = engine.stream([2], long)
    with pytest.raises(QueueFullError):
        engine.stream([3], long)
    engine.close()
    for stream in (running, waiting):
        with pytest.raises(EngineClosedError):
            await collect(stream, long)
    assert not engine.healthy
    with pytest.raises(EngineClosedError):
        engine.stream([1], long)
    engine.close()


def test_an_engine_drains(checkpoint: Checkpoint) -> None:
    engine = load_engine(checkpoint.folder, checkpoint.options)
    assert engine.drain(5) == 0
    engine.close()


@pytest.mark.parametrize("name", ["absent", "tokenizer", "weights", "config"])
def test_damaged_checkpoints_are_named(checkpoint: Checkpoint, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "copy"
    if name != "absent":
        folder.mkdir()
        for file in checkpoint.folder.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
    if name == "tokenizer":
        (folder / "tokenizer.json").unlink()
    if name == "weights":
        (folder / "model.safetensors").write_bytes(b"junk")
    if name == "config":
        (folder / "config.json").write_text('{"model_type": "bert"}')
    kinds = {"absent": CheckpointError, "tokenizer": CheckpointError, "weights": LibraryError, "config": CompileError}
    with pytest.raises(kinds[name]):
        load_engine(folder, checkpoint.options)


def test_a_tokenizer_of_another_model(checkpoint: Checkpoint, tmp_path: Path) -> None:
    from tokenizers_for_tests import byte_level_bpe

    made = byte_level_bpe()
    made.add_tokens([f"extra {i}" for i in range(200)])
    made.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(CheckpointError, match="expected a tokenizer of at most 512 tokens"):
        load_engine(checkpoint.folder, replace(checkpoint.options, tokenizer=tmp_path))


def test_a_gpu_needs_a_target(checkpoint: Checkpoint) -> None:
    options = replace(checkpoint.options, device="cuda", compile=CompileOptions())
    with pytest.raises(InvalidRequestError, match="expected a compile target"):
        load_engine(checkpoint.folder, options)
