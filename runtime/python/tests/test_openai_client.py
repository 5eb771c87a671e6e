"""OpenAI's own client, over every endpoint and option."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import httpx
import openai
import pytest
from conftest import Served
from fake_engine import FakeEngine

from bamba.engine import EngineRequest
from bamba.server import ServerOptions
from bamba.text.tokenizer import JsonTokenizer

TEXT = " The quick brown fox, naïve café 東京 🙂 says the dog."


def spell(tokenizer: JsonTokenizer, text: str = TEXT) -> Callable[[EngineRequest, list[int]], int]:
    """Answers every prompt with a text, then its end."""
    tokens = [*tokenizer.encode(text, add_special_tokens=False), 2]
    return lambda _request, answer: tokens[len(answer)]


@pytest.fixture
def served(serve: Callable[..., Served], bpe: JsonTokenizer) -> Served:
    return serve(FakeEngine(spell(bpe)), ServerOptions(model_name="tiny", shutdown_seconds=5))


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=30) as client:
        yield client


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").owned_by == "bambac"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")


def test_completion(client: openai.OpenAI, served: Served, bpe: JsonTokenizer) -> None:
    answer = client.completions.create(model="tiny", prompt="Say:", max_tokens=100)
    choice = answer.choices[0]
    assert choice.text == TEXT
    assert choice.finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == len(bpe.encode("Say:"))
    assert answer.usage.completion_tokens == len(bpe.encode(TEXT, add_special_tokens=False)) + 1
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.object == "text_completion"
    assert served.fake.requests[0].prompt == bpe.encode("Say:")


def test_completion_has_16_tokens_by_default(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="tiny", prompt="Say:")
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 16
    assert answer.choices[0].finish_reason == "length"


@pytest.mark.parametrize("n", [1, 3])
def test_completion_stream(client: openai.OpenAI, n: int) -> None:
    texts = dict.fromkeys(range(2 * n), "")
    reasons: dict[int, str] = {}
    usage = None
    for chunk in client.completions.create(
        model="tiny", prompt=["one", "two"], n=n, max_tokens=100, stream=True, stream_options={"include_usage": True}
    ):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            assert choice.index not in reasons
            assert "\ufffd" not in choice.text
            texts[choice.index] += choice.text
            if choice.finish_reason:
                reasons[choice.index] = choice.finish_reason
    assert set(texts.values()) == {TEXT}
    assert reasons == dict.fromkeys(range(2 * n), "stop")
    assert usage is not None
    assert usage.completion_tokens % (2 * n) == 0


def test_prompts_of_all_kinds(client: openai.OpenAI, served: Served) -> None:
    for prompt in ["a b", ["a b"], [5, 6], [[5, 6], [7]]]:
        client.completions.create(model="tiny", prompt=prompt, max_tokens=1)  # type: ignore[arg-type]
    assert [list(request.prompt) for request in served.fake.requests[2:]] == [[5, 6], [5, 6], [7]]
    assert served.fake.requests[0].prompt == served.fake.requests[1].prompt


def test_echo(client: openai.OpenAI, bpe: JsonTokenizer) -> None:
    answer = client.completions.create(model="tiny", prompt="Say:", echo=True, max_tokens=100)
    assert answer.choices[0].text == "Say:" + TEXT
    stream = client.completions.create(
        model="tiny", prompt=bpe.encode("Say:"), echo=True, max_tokens=100, stream=True, n=2
    )
    texts = {0: "", 1: ""}
    for chunk in stream:
        texts[chunk.choices[0].index] += chunk.choices[0].text
    assert texts == dict.fromkeys((0, 1), "Say:" + TEXT)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("stop", "expected"), [("fox", " The quick brown "), (["café", "naïve"], " The quick brown fox, "), ("none", TEXT)]
)
def test_stop(client: openai.OpenAI, served: Served, stream: bool, stop: str | list[str], expected: str) -> None:
    if stream:
        chunks = client.completions.create(model="tiny", prompt="x", stop=stop, max_tokens=100, stream=True)
        text = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    else:
        text = client.completions.create(model="tiny", prompt="x", stop=stop, max_tokens=100).choices[0].text
    assert text == expected


def test_stop_tokens_and_the_stop_itself(client: openai.OpenAI, bpe: JsonTokenizer) -> None:
    token = bpe.encode(TEXT, add_special_tokens=False)[3]
    answer = client.completions.create(model="tiny", prompt="x", extra_body={"stop_token_ids": [token]})
    choice = answer.choices[0]
    assert choice.finish_reason == "stop"
    assert choice.model_extra == {"stop_reason": token}
    assert TEXT.startswith(choice.text)
    shown = client.completions.create(
        model="tiny", prompt="x", stop="fox", extra_body={"include_stop_str_in_output": True}
    )
    assert shown.choices[0].text == " The quick brown fox"


def test_completion_logprobs(client: openai.OpenAI) -> None:
    choice = client.completions.create(model="tiny", prompt="x", logprobs=2, max_tokens=4).choices[0]
    found = choice.logprobs
    assert found is not None
    assert found.tokens is not None
    assert found.top_logprobs is not None
    assert found.token_logprobs == [-0.5] * 4
    assert "".join(found.tokens) == choice.text
    assert all(top[token] == -0.5 for top, token in zip(found.top_logprobs, found.tokens, strict=True))
    assert found.text_offset == [len("".join(found.tokens[:i])) for i in range(4)]
    tokens: list[str] = []
    for chunk in client.completions.create(model="tiny", prompt="x", logprobs=0, max_tokens=4, stream=True):
        assert chunk.choices[0].logprobs is not None
        tokens += chunk.choices[0].logprobs.tokens or []
    assert tokens == found.tokens


def test_chat(client: openai.OpenAI, served: Served, bpe: JsonTokenizer) -> None:
    answer = client.chat.completions.create(
        model="tiny",
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hello "}, {"type": "text", "text": "there"}]},
            {"role": "assistant", "content": "Hi"},
            {"role": "user", "content": "Who?", "name": "ada"},
        ],
    )
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.object == "chat.completion"
    prompt = bpe.decode(served.fake.requests[0].prompt, skip_special_tokens=False)
    assert prompt.startswith("<|begin_of_text|><|start_header_id|>system")
    assert "Be brief." in prompt
    assert "Hello there" in prompt
    assert prompt.endswith("<|start_header_id|>assistant<|end_header_id|>\n\n")
    assert served.fake.requests[0].max_tokens == 256 - len(served.fake.requests[0].prompt)


@pytest.mark.parametrize("n", [1, 2])
def test_chat_stream(client: openai.OpenAI, n: int) -> None:
    texts, roles, reasons = dict.fromkeys(range(n), ""), {}, {}
    usage = None
    for chunk in client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "Hi"}],
        n=n,
        stream=True,
        stream_options={"include_usage": True},
        max_completion_tokens=100,
    ):
        assert chunk.object == "chat.completion.chunk"
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            roles.setdefault(choice.index, choice.delta.role)
            if choice.finish_reason:
                reasons[choice.index] = choice.finish_reason
    assert set(texts.values()) == {TEXT}
    assert roles == dict.fromkeys(range(n), "assistant")
    assert reasons == dict.fromkeys(range(n), "stop")
    assert usage is not None
    assert usage.prompt_tokens_details is not None


def test_a_stream_begins_with_its_first_token(serve: Callable[..., Served]) -> None:
    served = serve()
    served.fake.fail_with = "the device is gone"
    for path, asked in (
        ("completions", {"prompt": "x"}),
        ("chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
    ):
        body = {"model": "bamba", "stream": True, **asked}
        with httpx.stream("POST", f"{served.url}/v1/{path}", json=body) as answer:
            events = [line for line in answer.iter_lines() if line]
        assert len(events) == 1
        assert events[0].startswith('data: {"error"')


def test_chat_logprobs(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="tiny", messages=[{"role": "user", "content": "Hi"}], logprobs=True, top_logprobs=3, max_tokens=5
    )
    found = answer.choices[0].logprobs
    assert found is not None
    assert found.content is not None
    assert [len(each.top_logprobs) for each in found.content] == [3] * 5
    assert bytes(found.content[0].bytes or []).decode() == found.content[0].token
    streamed = []
    for chunk in client.chat.completions.create(
        model="tiny", messages=[{"role": "user", "content": "Hi"}], logprobs=True, max_tokens=5, stream=True
    ):
        if chunk.choices[0].logprobs:
            streamed += chunk.choices[0].logprobs.content or []
    assert [each.token for each in streamed] == [each.token for each in found.content]
    assert streamed[0].top_logprobs == []


def test_sampling_reaches_the_engine(client: openai.OpenAI, served: Served) -> None:
    client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "Hi"}],
        temperature=0.5,
        top_p=0.9,
        presence_penalty=1.0,
        frequency_penalty=-1.0,
        logit_bias={"7": -100, "8": 5},
        seed=42,
        n=2,
        user="ada",
        metadata={"a": "b"},
        extra_body={"top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1, "ignore_eos": False, "priority": 3},
    )
    first, second = served.fake.requests
    params = first.params
    assert (params.temperature, params.top_p, params.top_k, params.min_p) == (0.5, 0.9, 5, 0.1)
    assert (params.presence_penalty, params.frequency_penalty, params.repetition_penalty) == (1.0, -1.0, 1.1)
    assert params.logit_bias == {7: -100.0, 8: 5.0}
    assert (first.seed, second.seed, first.priority) == (42, 43, 3)


def test_temperature_is_1_unless_given(client: openai.OpenAI, served: Served) -> None:
    client.completions.create(model="tiny", prompt="x")
    client.completions.create(model="tiny", prompt="x", temperature=0)
    client.completions.create(model="tiny", prompt="x")
    first, second, third = served.fake.requests
    assert first.params.temperature == 1.0
    assert second.seed is None
    assert first.seed is not None
    assert first.seed != third.seed


def test_tokens(served: Served, bpe: JsonTokenizer) -> None:
    with httpx.Client(base_url=served.url) as client:
        found = client.post("/tokenize", json={"prompt": TEXT, "return_token_strs": True}).json()
        assert found["tokens"] == bpe.encode(TEXT)
        assert found["count"] == len(found["tokens"]) == len(found["token_strs"])
        assert found["max_model_len"] == 256
        plain = client.post("/tokenize", json={"prompt": TEXT, "add_special_tokens": False}).json()
        assert plain["tokens"] == found["tokens"][1:]
        back = client.post("/detokenize", json={"tokens": plain["tokens"], "model": "tiny"}).json()
        assert back == {"prompt": TEXT}
        chat = client.post("/tokenize", json={"messages": [{"role": "user", "content": "Hi"}]}).json()
        assert chat["tokens"][0] == 1


async def test_async_client(served: Served) -> None:
    async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="x", max_retries=0) as client:
        answers = await asyncio.gather(
            *(client.completions.create(model="tiny", prompt=f"{i}", max_tokens=100) for i in range(20))
        )
    assert {answer.choices[0].text for answer in answers} == {TEXT}


def test_errors_are_those_of_the_client(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.completions.create(model="other", prompt="x")
    assert missing.value.code == "model_not_found"
    assert missing.value.param == "model"
    with pytest.raises(openai.BadRequestError) as long:
        client.completions.create(model="tiny", prompt="x", max_tokens=1000)
    assert long.value.code == "context_length_exceeded"


def test_keys(serve: Callable[..., Served]) -> None:
    served = serve(None, ServerOptions(api_keys=("secret-1", "secret-2"), shutdown_seconds=5))
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="secret-2", max_retries=0) as client:
        assert client.models.list().data[0].id == "bamba"
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="guess", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as wrong:
            client.models.list()
        assert wrong.value.code == "invalid_api_key"
    assert httpx.get(f"{served.url}/metrics").status_code == 401
    assert httpx.get(f"{served.url}/health").json() == {"status": "ok"}


def test_what_the_library_cannot_do_is_refused(serve: Callable[..., Served], bpe: JsonTokenizer) -> None:
    served = serve(FakeEngine(spell(bpe), features=frozenset()))
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="x", max_retries=0) as client:
        assert client.completions.create(model="bamba", prompt="x", max_tokens=100).choices[0].text == TEXT
        client.completions.create(model="bamba", prompt="x", temperature=0, seed=1, top_p=0.5)
        for fields in (
            {"temperature": 0.5},
            {"presence_penalty": 1},
            {"frequency_penalty": 1},
            {"logit_bias": {"3": 1}},
            {"logprobs": 0},
            {"extra_body": {"repetition_penalty": 2.0}},
            {"extra_body": {"response_format": {"type": "json_object"}}},
        ):
            with pytest.raises(openai.BadRequestError) as refused:
                client.completions.create(model="bamba", prompt="x", **fields)  # type: ignore[call-overload]
            assert refused.value.code == "unsupported_parameter"
