"""OpenAI's own client against a compiled model: what a request asks for is what the tokens are drawn by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from bamba.text.tokenizer import JsonTokenizer

PROMPT = "Once upon a time"
TOKENS = 24


@pytest.fixture
def client(native_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{native_url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


def ask(client: openai.OpenAI, prompt: Any = PROMPT, extra: dict[str, Any] | None = None, **fields: Any) -> list[str]:
    """The answers, which go on to their limit."""
    fields = {"max_tokens": TOKENS, **fields}
    answer = client.completions.create(
        model="tiny", prompt=prompt, extra_body={"ignore_eos": True, **(extra or {})}, **fields
    )
    return [choice.text for choice in answer.choices]


def tokens_of(client: openai.OpenAI, extra: dict[str, Any] | None = None, **fields: Any) -> list[str]:
    """The tokens of an answer, each by itself."""
    answer = client.completions.create(
        model="tiny",
        prompt=PROMPT,
        max_tokens=TOKENS,
        logprobs=0,
        extra_body={"ignore_eos": True, **(extra or {})},
        **fields,
    )
    found = answer.choices[0].logprobs
    assert found is not None
    assert found.tokens is not None
    assert len(found.tokens) == TOKENS
    return found.tokens


def test_equal_seeds_equal_answers(client: openai.OpenAI) -> None:
    first, second = (ask(client, temperature=1, seed=7) for _ in range(2))
    assert first == second
    others = {ask(client, temperature=1, seed=seed)[0] for seed in range(20, 25)}
    assert len(others | set(first)) == 6
    # Whatever else runs.
    together = ask(client, [PROMPT, "x", PROMPT, "The quick brown fox"], temperature=1, seed=7)
    assert together[0] == together[2] == first[0]
    assert ask(client, temperature=1, seed=-7) == ask(client, temperature=1, seed=2**64 - 7)


def test_without_a_seed_answers_differ(client: openai.OpenAI) -> None:
    assert len({text for _ in range(3) for text in ask(client, n=2)}) == 6


def test_answer_i_has_the_seed_plus_i(client: openai.OpenAI) -> None:
    together = ask(client, temperature=0.9, seed=11, n=3)
    assert together == [ask(client, temperature=0.9, seed=11 + i)[0] for i in range(3)]
    assert len(set(together)) == 3
    streamed = ["", "", ""]
    stream = client.completions.create(
        model="tiny",
        prompt=PROMPT,
        temperature=0.9,
        seed=11,
        n=3,
        max_tokens=TOKENS,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"ignore_eos": True},
    )
    usage = None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            streamed[choice.index] += choice.text
    assert streamed == together
    assert usage is not None
    assert usage.completion_tokens == 3 * TOKENS


@pytest.mark.parametrize(
    ("fields", "extra"),
    [
        ({"temperature": 1e-4}, {}),
        ({"temperature": 2, "top_p": 1e-6}, {}),
        ({"temperature": 2}, {"top_k": 1}),
        ({"temperature": 2}, {"min_p": 1.0}),
    ],
    ids=["temperature", "top_p", "top_k", "min_p"],
)
def test_the_most_likely_token_is_left(client: openai.OpenAI, fields: dict[str, Any], extra: dict[str, Any]) -> None:
    greedy = ask(client, temperature=0)
    assert ask(client, seed=3, **fields, extra=extra) == greedy
    assert ask(client, seed=3, temperature=2) != greedy


def test_top_k_leaves_as_many(client: openai.OpenAI) -> None:
    best = client.completions.create(model="tiny", prompt=PROMPT, max_tokens=1, temperature=0, logprobs=3)
    assert best.choices[0].logprobs is not None
    assert best.choices[0].logprobs.top_logprobs is not None
    three = set(best.choices[0].logprobs.top_logprobs[0])
    drawn = {ask(client, temperature=2, seed=seed, max_tokens=1, extra={"top_k": 3})[0] for seed in range(40)}
    assert len(drawn) > 1
    assert drawn <= three


def test_logit_bias(client: openai.OpenAI, bpe: JsonTokenizer) -> None:
    h, i = (str(bpe.token_number(letter)) for letter in "hi")
    assert tokens_of(client, temperature=0, logit_bias={h: 100}) == ["h"] * TOKENS
    assert set(tokens_of(client, temperature=1, logit_bias={h: 100, i: 100}, seed=1)) == {"h", "i"}
    assert "h" not in tokens_of(client, temperature=0, logit_bias={h: -100})


def test_penalties(client: openai.OpenAI, bpe: JsonTokenizer) -> None:
    """With one token far ahead of another and both of all others, a penalty decides when it comes again."""
    h, i = (str(bpe.token_number(letter)) for letter in "hi")
    ahead: dict[str, Any] = {"temperature": 0, "logit_bias": {h: 50, i: 49}}
    assert set(tokens_of(client, **ahead)) == {"h"}
    for penalty in ("presence_penalty", "frequency_penalty"):
        assert tokens_of(client, **ahead, **{penalty: 2})[:2] == ["h", "i"]
    often = tokens_of(client, **ahead, frequency_penalty=2)
    assert min(often.count("h"), often.count("i")) >= TOKENS // 3
    assert tokens_of(client, **ahead, presence_penalty=2).count("i") < TOKENS // 3
    # Below 1 it makes tokens that were there before more likely, those of the prompt too.
    plain, again = (tokens_of(client, temperature=0, extra={"repetition_penalty": value}) for value in (1.0, 0.1))
    prompt = {bpe.decode([token], skip_special_tokens=False) for token in bpe.encode(PROMPT)}
    assert sum(token in prompt for token in plain) < TOKENS // 4
    assert sum(token in prompt for token in again) > TOKENS // 2


def test_logprobs_of_drawn_tokens(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "Hi"}],
        logprobs=True,
        top_logprobs=5,
        max_tokens=12,
        temperature=1.5,
        seed=4,
        extra_body={"ignore_eos": True},
    )
    found = answer.choices[0].logprobs
    assert found is not None
    assert found.content is not None
    assert len(found.content) == 12
    for each in found.content:
        best = [top.logprob for top in each.top_logprobs]
        assert len(best) == 5
        assert best == sorted(best, reverse=True)
        assert each.logprob <= best[0] < 0
    assert any(each.logprob < each.top_logprobs[0].logprob for each in found.content)


def test_stop_and_echo(client: openai.OpenAI) -> None:
    text = ask(client, temperature=1, seed=5)[0]
    stop = next(text[i : i + 2] for i in range(4, len(text)) if "\ufffd" not in text[i : i + 2])
    answer = client.completions.create(
        model="tiny", prompt=PROMPT, temperature=1, seed=5, stop=stop, echo=True, max_tokens=TOKENS,
        extra_body={"ignore_eos": True},
    )  # fmt: skip
    assert answer.choices[0].text == PROMPT + text[: text.index(stop)]
    assert answer.choices[0].finish_reason == "stop"


def test_the_chat_of_a_library(client: openai.OpenAI) -> None:
    fields: dict[str, Any] = {
        "model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "temperature": 1.0, "seed": 9,
        "max_completion_tokens": 12, "extra_body": {"ignore_eos": True},
    }  # fmt: skip
    whole = client.chat.completions.create(**fields)
    text, usage = "", None
    for chunk in client.chat.completions.create(**fields, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert whole.usage is not None
    assert usage is not None
    assert usage.completion_tokens == whole.usage.completion_tokens == 12


def test_other_paths_of_a_library(client: openai.OpenAI, native_url: str) -> None:
    assert [model.id for model in client.models.list()] == ["tiny"]
    with httpx.Client(base_url=native_url) as plain:
        tokens = plain.post("/tokenize", json={"prompt": PROMPT}).json()["tokens"]
        assert ask(client, tokens, temperature=0) == ask(client, PROMPT, temperature=0)
        assert plain.post("/detokenize", json={"tokens": tokens[1:]}).json() == {"prompt": PROMPT}
        assert plain.get("/health").status_code == 200
        assert "bamba_generated_tokens_total" in plain.get("/metrics").text
