"""Structured output: what the grammar allows, with each kind of tokenizer, and answers of engines under it."""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import jsonschema
import openai
import pytest
from conftest import Served, text_engine, wait_until
from fake_engine import FakeEngine
from native import Checkpoint
from pydantic import BaseModel, Field
from tokenizers_for_tests import byte_fallback_bpe, byte_level_bpe, sentencepiece_model

from bamba import LLM, AsyncEngine, EngineOptions, SamplingParams, StructuredOutput, load_engine
from bamba.engine import EngineRequest
from bamba.errors import InvalidRequestError, UnsupportedError
from bamba.server import ServerOptions
from bamba.text import IncrementalDetokenizer
from bamba.text.grammar import Grammars
from bamba.text.sentencepiece_tokenizer import SentencePieceTokenizer
from bamba.text.tokenizer import JsonTokenizer, Tokenizer

EOS = 2
MORE = 40  # Tokens that the model has beyond those of the tokenizer.
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 6},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "kind": {"enum": ["cat", "naïve café", "東京"]},
        "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]{1,3}$"}, "maxItems": 2},
    },
    "required": ["name", "age", "kind", "tags"],
    "additionalProperties": False,
}
ADA = {"name": "Ada 🙂", "age": 36, "kind": "東京", "tags": ["a", "xyz"]}
STRUCTURED = StructuredOutput(json_schema=PERSON)


@pytest.fixture(params=["byte level", "byte fallback", "sentencepiece"])
def tokenizer(request: pytest.FixtureRequest, tmp_path: Path) -> Tokenizer:
    if request.param == "sentencepiece":
        sentencepiece_model(tmp_path / "tokenizer.model")
        return SentencePieceTokenizer.from_file(tmp_path / "tokenizer.model")
    return JsonTokenizer(byte_level_bpe() if request.param == "byte level" else byte_fallback_bpe())


def grammars_of(tokenizer: Tokenizer) -> Grammars:
    return Grammars(tokenizer, tokenizer.vocab_size + MORE, [EOS])


def allowed_tokens(mask: bytes) -> list[int]:
    return [token for token in range(8 * len(mask)) if mask[token // 8] >> token % 8 & 1]


@pytest.mark.parametrize("layout", [{}, {"separators": (",", ":")}, {"indent": 2}])
def test_tokens_of_a_text_that_fits_are_allowed(tokenizer: Tokenizer, layout: dict[str, int]) -> None:
    text = json.dumps(ADA, ensure_ascii=False, **layout)  # type: ignore[arg-type]
    before = tokenizer.encode("x", add_special_tokens=False)  # At its beginning a text may have a space of its own.
    tokens = tokenizer.encode("x" + text, add_special_tokens=False)
    assert tokens[: len(before)] == before
    tokens = tokens[len(before) :]
    mask, last = grammars_of(tokenizer).mask(STRUCTURED), None
    for token in tokens:
        assert token in allowed_tokens(mask.allowed_after(last)), tokenizer.token_text(token)
        last = token
    assert EOS in allowed_tokens(mask.allowed_after(last))


@pytest.mark.parametrize("seed", range(3))
def test_any_allowed_tokens_are_an_answer(tokenizer: Tokenizer, seed: int) -> None:
    prompt = tokenizer.encode("As JSON:")
    detokenizer = IncrementalDetokenizer(tokenizer, prompt)
    mask, draw = grammars_of(tokenizer).mask(STRUCTURED), random.Random(seed)
    text, token = "", None
    for _ in range(2000):
        allowed = allowed_tokens(mask.allowed_after(token))
        assert max(allowed) < tokenizer.vocab_size
        token = draw.choice(allowed)
        if token == EOS:
            break
        text += detokenizer.push(token)
    assert token == EOS
    jsonschema.validate(json.loads(text + detokenizer.flush()), PERSON)


@pytest.mark.parametrize(
    ("structured", "pattern"),
    [
        (StructuredOutput(regex="(yes|no), [0-9]{3}"), "(yes|no), [0-9]{3}"),
        (StructuredOutput(grammar='start: "a" NUMBER\nNUMBER: /[1-3]{2}/'), "a[1-3]{2}"),
        (StructuredOutput(json_schema={"const": [1, None]}), r"\[\s*1\s*,\s*null\s*\]"),
    ],
)
def test_expressions_and_grammars(bpe: JsonTokenizer, structured: StructuredOutput, pattern: str) -> None:
    mask, draw = grammars_of(bpe).mask(structured), random.Random(5)
    tokens: list[int] = []
    while EOS not in tokens:
        tokens.append(draw.choice(allowed_tokens(mask.allowed_after(tokens[-1] if tokens else None))))
    assert re.fullmatch(pattern, bpe.decode(tokens))


def test_an_object_is_one(bpe: JsonTokenizer) -> None:
    mask = grammars_of(bpe).mask(StructuredOutput(json_object=True))
    assert {(bpe.token_text(token) or "")[0] for token in allowed_tokens(mask.allowed_after(None))} == {"{"}


@pytest.mark.parametrize(
    "structured",
    [
        StructuredOutput(json_schema={"type": "nonsense"}),
        StructuredOutput(json_schema={"type": "integer", "not": {"const": 3}}),
        StructuredOutput(json_schema={"$ref": "https://example.com/schema"}),
        StructuredOutput(json_schema={"type": "string", "pattern": "("}),
        StructuredOutput(json_schema={"type": {1, 2}}),
        StructuredOutput(regex="(a"),
        StructuredOutput(grammar="start: 'a"),
    ],
)
def test_what_is_no_grammar_is_refused(bpe: JsonTokenizer, structured: StructuredOutput) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        grammars_of(bpe).mask(structured)
    assert refused.value.param == "response_format"
    assert "\n" not in str(refused.value)


def test_a_model_without_an_end_is_refused(bpe: JsonTokenizer) -> None:
    with pytest.raises(UnsupportedError, match="eos_token_id"):
        Grammars(bpe, 512, []).mask(STRUCTURED)


def test_grammars_are_compiled_once(bpe: JsonTokenizer) -> None:
    grammars = grammars_of(bpe)
    first = grammars.mask(STRUCTURED)
    start = allowed_tokens(first.allowed_after(None))
    first.allowed_after(start[0])
    assert grammars._matcher(STRUCTURED) is grammars._matcher(StructuredOutput(json_schema=dict(PERSON)))
    assert allowed_tokens(grammars.mask(STRUCTURED).allowed_after(None)) == start
    for number in range(50):
        grammars.prepare(StructuredOutput(regex=f"a{number}"))
    assert len(grammars._compiled) == 32


class Broken:
    """A mask that fails after some tokens."""

    def __init__(self) -> None:
        self.left = 3

    def allowed_after(self, token: int | None) -> bytes:
        self.left -= 1
        if not self.left:
            raise InvalidRequestError("response_format: too complex", "response_format")
        return b"\xff" * 64


async def test_a_mask_that_fails_ends_its_request(bpe: JsonTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = text_engine(FakeEngine(), bpe)
    await ends_with_its_failure(engine, monkeypatch)
    engine.close()


async def test_a_mask_that_fails_ends_its_request_of_a_library(llm: LLM, monkeypatch: pytest.MonkeyPatch) -> None:
    await ends_with_its_failure(llm.engine, monkeypatch)


async def ends_with_its_failure(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    params = SamplingParams(max_tokens=100, structured=StructuredOutput(regex="a*"))
    monkeypatch.setattr(engine._grammars, "mask", lambda _structured: Broken())
    with pytest.raises(InvalidRequestError, match="too complex"):
        await engine.generate("x", params)
    monkeypatch.undo()
    assert (await engine.generate("x", SamplingParams(max_tokens=2))).completions[0].tokens


def wander(request: EngineRequest, answer: list[int]) -> int:
    """Tokens without a pattern, which differ between requests."""
    return random.Random(f"{request.seed} {answer}").randrange(512)


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    return serve(FakeEngine(wander, max_context=4096), ServerOptions(model_name="tiny", shutdown_seconds=5))


def response_format(schema: object) -> dict[str, object]:
    return {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}}


@pytest.mark.parametrize("stream", [False, True])
def test_client(served: Served, stream: bool) -> None:
    answers_follow_the_schema(served.url, stream)


def answers_follow_the_schema(url: str, stream: bool, max_tokens: int = 2000) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        asked = {"model": "tiny", "messages": [{"role": "user", "content": "Who?"}], "max_tokens": max_tokens,
                 "response_format": response_format(PERSON), "temperature": 0.7, "seed": 5, "n": 3}  # fmt: skip
        texts, reasons = ["", "", ""], ["", "", ""]
        if stream:
            for chunk in client.chat.completions.create(**asked, stream=True):  # type: ignore[call-overload]
                for choice in chunk.choices:
                    texts[choice.index] += choice.delta.content or ""
                    reasons[choice.index] = choice.finish_reason or reasons[choice.index]
        else:
            for choice in client.chat.completions.create(**asked).choices:  # type: ignore[call-overload]
                texts[choice.index], reasons[choice.index] = choice.message.content, choice.finish_reason
        assert reasons == ["stop"] * 3
        for text in texts:
            jsonschema.validate(json.loads(text), PERSON)
        assert len(set(texts)) == 3


class Animal(BaseModel):
    """A type that OpenAI's client makes a schema of."""

    legs: int = Field(ge=0, le=8)
    tame: bool


def test_client_parses_into_a_type(served: Served) -> None:
    parses_into_a_type(served.url)


def parses_into_a_type(url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        answer = client.chat.completions.parse(
            model="tiny", messages=[{"role": "user", "content": "A cat"}], response_format=Animal, seed=1
        )
        found = answer.choices[0].message.parsed
        assert found is not None
        assert 0 <= found.legs <= 8


def test_completions_have_it_too(served: Served) -> None:
    body = {"model": "tiny", "prompt": "x", "max_tokens": 2000, "response_format": response_format(PERSON)}
    choice = httpx.post(f"{served.url}/v1/completions", json=body).json()["choices"][0]
    jsonschema.validate(json.loads(choice["text"]), PERSON)
    text = httpx.post(f"{served.url}/v1/completions", json={**body, "response_format": {"type": "text"}})
    assert text.status_code == 200


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": response_format({"type": "nonsense"})}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "json_object"}, "ignore_eos": True}, "ignore_eos"),
    ],
)
def test_mistakes_are_named(served: Served, fields: dict[str, object], param: str) -> None:
    answer = httpx.post(f"{served.url}/v1/completions", json={"model": "tiny", "prompt": "x", **fields})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_answers_of_a_library(llm: LLM, temperature: float) -> None:
    params = SamplingParams(max_tokens=500, temperature=temperature, seed=3, structured=STRUCTURED)
    outputs = llm.generate([f"Number {i}:" for i in range(12)], params)
    for output in outputs:
        assert output.completions[0].finish_reason == "stop"
        jsonschema.validate(json.loads(output.text), PERSON)
    deltas = list(llm.stream("Number 3:", params))
    jsonschema.validate(json.loads("".join(delta.text for delta in deltas)), PERSON)
    assert len(deltas) > 1


def test_a_library_behind_the_client(native_url: str) -> None:
    for stream in (False, True):
        answers_follow_the_schema(native_url, stream, max_tokens=400)
    parses_into_a_type(native_url)


LEAVES = """
from bamba import *
import sys
llm = LLM(sys.argv[1], LoadOptions(library=sys.argv[2], device="cpu"))
params = SamplingParams(max_tokens=500, temperature=1, structured=StructuredOutput(regex="[a-z ]*"))
streams = [llm.stream(f"{i}", params) for i in range(4)]
print([bool(next(stream).tokens) for stream in streams])
"""


def test_a_program_may_leave_without_closing(checkpoint: Checkpoint) -> None:
    """The engine's thread must not call masks in an interpreter that has ended."""
    command = [sys.executable, "-c", LEAVES, checkpoint.folder, checkpoint.library]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "[True, True, True, True]\n"), done.stderr


async def test_answers_that_make_way_and_are_cancelled(checkpoint: Checkpoint) -> None:
    """Grammars follow their answers through preemption, next to requests without one and those that are cancelled."""
    options = replace(checkpoint.options, engine=EngineOptions(slots=16, pages=40, prefix_cache=False))
    engine = load_engine(checkpoint.folder, options)
    draw = random.Random(1)
    counts: Counter[str] = Counter()

    async def ask(number: int) -> None:
        params = SamplingParams(
            max_tokens=300, temperature=draw.choice([0, 0.7, 1.5]), seed=number, ignore_eos=number % 3 == 0,
            structured=STRUCTURED if number % 3 else None, frequency_penalty=draw.choice([0, 0.5]),
        )  # fmt: skip
        stream = engine.stream(f"{'long ' * draw.randint(0, 25)}{number}", params)
        left = draw.randint(1, 30) if draw.random() < 0.3 else 1000
        text = ""
        async for delta in stream:
            text, left = text + delta.text, left - 1
            if left == 0:
                stream.cancel()
                counts["cancelled"] += 1
            elif delta.finish_reason is not None:
                counts[delta.finish_reason] += 1
                if params.structured is not None and delta.finish_reason == "stop":
                    jsonschema.validate(json.loads(text), PERSON)

    await asyncio.gather(*(ask(number) for number in range(100)))
    assert counts.total() == 100
    assert counts["stop"] > 30
    assert counts["cancelled"] > 10
    totals = engine.counters().totals
    assert totals["preemptions"] > 0
    assert totals["failed"] == 0
    wait_until(lambda: engine._engine._masks._masks == {})  # type: ignore[attr-defined]
    engine.close()
