"""What clients do wrong: each mistake gets the right status in OpenAI's form, and harms nobody else."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from conftest import Served, wait_until
from fake_engine import FakeEngine

from bamba.server import ServerOptions

OPTIONS = ServerOptions(
    api_keys=("key",),
    max_body_bytes=20_000,
    max_choices=16,
    header_seconds=0.5,
    body_seconds=0.5,
    request_seconds=5,
    shutdown_seconds=5,
)
KEY = {"Authorization": "Bearer key"}
JSON = {**KEY, "Content-Type": "application/json"}
COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "x"}]


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest, bpe: Any) -> Iterator[Served]:
    """One server takes all of it."""
    from conftest import serving, text_engine

    fake = FakeEngine(step_seconds=0.002)
    engine = text_engine(fake, bpe)
    with serving(engine, OPTIONS) as (url, server):
        yield Served(url, fake, engine, server)


@pytest.fixture(autouse=True)
def nobody_is_harmed(served: Served) -> Iterator[None]:
    """Another client is served before, during and after, and nothing stays behind."""
    answers: list[int] = []

    def ask() -> None:
        body = {"model": "bamba", "prompt": "good", "max_tokens": 5}
        answers.append(CLIENT.post(served.url + COMPLETIONS, json=body, headers=KEY).status_code)

    bystander = threading.Thread(target=ask)
    bystander.start()
    yield
    bystander.join()
    ask()
    assert answers == [200, 200]
    wait_until(lambda: served.fake.live == 0)
    assert served.engine.active == 0


# Making a client takes long, for it reads certificates.
CLIENT = httpx.Client(verify=False, trust_env=False, timeout=30)


def completion(**fields: Any) -> dict[str, Any]:
    return {"model": "bamba", "prompt": "x", **fields}


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "bamba", "messages": MESSAGES, **fields}


BODIES: list[tuple[str, str, Any, int, str | None]] = [
    # name, path, body, status, param
    ("no prompt", COMPLETIONS, {"model": "bamba"}, 400, "prompt"),
    ("no model", COMPLETIONS, {"prompt": "x"}, 400, "model"),
    ("unknown model", COMPLETIONS, completion(model="gpt"), 404, "model"),
    ("model of another type", COMPLETIONS, completion(model=7), 400, "model"),
    ("empty prompts", COMPLETIONS, completion(prompt=[]), 400, "prompt"),
    ("empty tokens", COMPLETIONS, completion(prompt=[[]]), 400, "prompt"),
    ("prompt of another type", COMPLETIONS, completion(prompt={"text": "x"}), 400, "prompt"),
    ("prompts of two types", COMPLETIONS, completion(prompt=["a", 1]), 400, "prompt"),
    ("negative token", COMPLETIONS, completion(prompt=[-1]), 400, "prompt"),
    ("token beyond the vocabulary", COMPLETIONS, completion(prompt=[10**6]), 400, "prompt"),
    ("token beyond all integers", COMPLETIONS, completion(prompt=[10**30]), 400, "prompt"),
    ("prompt too long", COMPLETIONS, completion(prompt="word " * 2000), 400, "prompt"),
    ("prompt and answer too long", COMPLETIONS, completion(max_tokens=256), 400, "max_tokens"),
    ("negative limit", COMPLETIONS, completion(max_tokens=-1), 400, "max_tokens"),
    ("no tokens", COMPLETIONS, completion(max_tokens=0), 400, "max_tokens"),
    ("huge limit", COMPLETIONS, completion(max_tokens=10**40), 400, "max_tokens"),
    ("limit as text", COMPLETIONS, completion(max_tokens="5"), 400, "max_tokens"),
    ("broken limit", COMPLETIONS, completion(max_tokens=1.5), 400, "max_tokens"),
    ("temperature as text", COMPLETIONS, completion(temperature="hot"), 400, "temperature"),
    ("negative temperature", COMPLETIONS, completion(temperature=-0.1), 400, "temperature"),
    ("hot", COMPLETIONS, completion(temperature=2.1), 400, "temperature"),
    ("temperature is a bool", COMPLETIONS, completion(temperature=True), 400, "temperature"),
    ("top_p 0", COMPLETIONS, completion(top_p=0), 400, "top_p"),
    ("top_p above 1", COMPLETIONS, completion(top_p=1.01), 400, "top_p"),
    ("top_k", COMPLETIONS, completion(top_k=-2), 400, "top_k"),
    ("min_p", COMPLETIONS, completion(min_p=2), 400, "min_p"),
    ("presence", COMPLETIONS, completion(presence_penalty=3), 400, "presence_penalty"),
    ("repetition", COMPLETIONS, completion(repetition_penalty=0), 400, "repetition_penalty"),
    ("n 0", COMPLETIONS, completion(n=0), 400, "n"),
    ("n beyond the server's", COMPLETIONS, completion(n=17), 400, "n"),
    ("too many prompts", COMPLETIONS, completion(prompt=["x"] * 9, n=2), 400, "prompt"),
    ("logprobs", COMPLETIONS, completion(logprobs=21), 400, "logprobs"),
    ("bias of no token", COMPLETIONS, completion(logit_bias={"x": 1}), 400, "logit_bias"),
    ("bias beyond the vocabulary", COMPLETIONS, completion(logit_bias={"99999": 1}), 400, "logit_bias"),
    ("bias too large", COMPLETIONS, completion(logit_bias={"3": 101}), 400, "logit_bias"),
    ("bias as a list", COMPLETIONS, completion(logit_bias=[1]), 400, "logit_bias"),
    ("empty stop", COMPLETIONS, completion(stop=""), 400, "stop"),
    ("long stop", COMPLETIONS, completion(stop="x" * 2000), 400, "stop"),
    ("many stops", COMPLETIONS, completion(stop=["x"] * 65), 400, "stop"),
    ("stop of another type", COMPLETIONS, completion(stop=[["x"]]), 400, "stop"),
    ("seed as text", COMPLETIONS, completion(seed="x"), 400, "seed"),
    ("seed beyond 64 bits", COMPLETIONS, completion(seed=2**64), 400, "seed"),
    ("unknown field", COMPLETIONS, completion(temprature=1), 400, "temprature"),
    ("suffix", COMPLETIONS, completion(suffix="x"), 400, "suffix"),
    ("best_of", COMPLETIONS, completion(best_of=3), 400, "best_of"),
    ("echo with logprobs", COMPLETIONS, completion(echo=True, logprobs=1), 400, "echo"),
    ("stream as text", COMPLETIONS, completion(stream="yes"), 400, "stream"),
    ("options of no stream", COMPLETIONS, completion(stream_options={"include_usage": True}), 400, "stream_options"),
    ("no messages", CHAT, {"model": "bamba"}, 400, "messages"),
    ("empty messages", CHAT, chat(messages=[]), 400, "messages"),
    ("unknown role", CHAT, chat(messages=[{"role": "wizard", "content": "x"}]), 400, "messages"),
    ("no content", CHAT, chat(messages=[{"role": "user"}]), 400, "messages"),
    ("image", CHAT, chat(messages=[{"role": "user", "content": [{"type": "image_url"}]}]), 400, "messages"),
    ("tools", CHAT, chat(tools=[{"type": "function", "function": {"name": "f"}}]), 400, "tools"),
    ("top_logprobs alone", CHAT, chat(top_logprobs=2), 400, "top_logprobs"),
    ("too many top_logprobs", CHAT, chat(logprobs=True, top_logprobs=99), 400, "top_logprobs"),
    ("template's own", CHAT, chat(chat_template_kwargs={"messages": []}), 400, "chat_template_kwargs"),
    ("unknown format", CHAT, chat(response_format={"type": "xml"}), 400, "response_format"),
    ("format without a schema", CHAT, chat(response_format={"type": "json_schema"}), 400, "response_format"),
    ("nothing to tokenize", "/tokenize", {}, 400, "prompt"),
    ("tokens as text", "/detokenize", {"tokens": ["1"]}, 400, "tokens"),
    ("tokens beyond", "/detokenize", {"tokens": [-5]}, 400, "tokens"),
]


@pytest.mark.parametrize(("name", "path", "body", "status", "param"), BODIES, ids=[case[0] for case in BODIES])
def test_wrong_fields(served: Served, name: str, path: str, body: Any, status: int, param: str | None) -> None:
    answer = CLIENT.post(served.url + path, content=json.dumps(body), headers=JSON)
    check_error(answer, status)
    assert answer.json()["error"]["param"] == param


def check_error(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "\n" not in error["message"]
    assert error["message"]
    assert error["code"]
    assert len(error["message"]) < 400


RAW: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("no JSON", b"{"),
    ("two values", b"{} {}"),
    ("a list", b"[]"),
    ("a number", b"7"),
    ("null", b"null"),
    ("single quotes", b"{'model': 'bamba', 'prompt': 'x'}"),
    ("bad UTF-8", b'{"model": "bamba", "prompt": "\xff\xfe"}'),
    ("half a character", b'{"model": "bamba", "prompt": "\xe6\x9d"}'),
    ("half a surrogate", b'{"model": "bamba", "prompt": "\\ud800"}'),
    ("UTF-16", '{"model": "bamba", "prompt": "x"}'.encode("utf-16")),
    ("NaN", b'{"model": "bamba", "prompt": "x", "temperature": NaN}'),
    ("infinity", b'{"model": "bamba", "prompt": "x", "temperature": 1e999}'),
    ("a number of 5000 digits", b'{"model": "bamba", "prompt": "x", "n": ' + b"9" * 5000 + b"}"),
    ("deep", b'{"model": "bamba", "prompt": ' + b"[" * 9000 + b"]" * 9000 + b"}"),
    ("a zero byte", b'{"model": "bamba", "prompt": "x"}\0'),
]


@pytest.mark.parametrize(("name", "body"), RAW, ids=[case[0] for case in RAW])
def test_wrong_bodies(served: Served, name: str, body: bytes) -> None:
    check_error(CLIENT.post(served.url + COMPLETIONS, content=body, headers=JSON), 400)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", COMPLETIONS, {"Content-Type": "application/json"}, 401),
        ("POST", COMPLETIONS, {**JSON, "Authorization": "Bearer guess"}, 401),
        ("POST", COMPLETIONS, {**JSON, "Authorization": "Basic a2V5"}, 401),
        ("POST", COMPLETIONS, {**JSON, "Authorization": "Bearer"}, 401),
        ("POST", COMPLETIONS, {**JSON, "Authorization": b"Bearer \xff"}, 401),
        ("GET", "/v1/models", {}, 401),
        ("GET", "/metrics", {}, 401),
        ("POST", COMPLETIONS, {**KEY, "Content-Type": "text/plain"}, 415),
        ("POST", COMPLETIONS, {**JSON, "Host": "evil.example"}, 403),
        ("GET", COMPLETIONS, KEY, 405),
        ("DELETE", "/v1/models", KEY, 405),
        ("GET", "/v1/nothing", KEY, 404),
        ("GET", "/v1/models/other", KEY, 404),
        ("GET", "/page.js/../../etc/passwd", KEY, 404),
    ],
)
def test_wrong_requests(served: Served, method: str, path: str, headers: Any, status: int) -> None:
    content = json.dumps(completion()) if method == "POST" else None
    check_error(CLIENT.request(method, served.url + path, headers=headers, content=content), status)


def test_too_large_a_body(served: Served) -> None:
    body = json.dumps(completion(prompt="x" * 30_000)).encode()
    check_error(CLIENT.post(served.url + COMPLETIONS, content=body, headers=JSON), 413)

    def parts() -> Iterator[bytes]:  # Of a length that is not known before.
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    check_error(CLIENT.post(served.url + COMPLETIONS, content=parts(), headers=JSON), 413)


def connect(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=10)


HEAD = (
    b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer key\r\n"
    b"Content-Type: application/json\r\n"
)


def test_the_answer_to_too_large_a_body_arrives(served: Served) -> None:
    with connect(served) as client:  # Bytes that nobody reads would reset the connection.
        client.sendall(HEAD + b"Connection: close\r\nContent-Length: 150000\r\n\r\n" + b"x" * 150_000)
        time.sleep(0.2)
        answer = client.recv(65536)
        while more := client.recv(65536):
            answer += more
    assert b" 413 " in answer.partition(b"\r\n")[0]
    assert b"body_too_large" in answer


def test_a_slow_body_times_out(served: Served) -> None:
    with connect(served) as client:
        client.sendall(HEAD + b'Content-Length: 100\r\n\r\n{"model":')
        start = time.monotonic()
        answer = client.recv(65536)
        assert b" 408 " in answer.partition(b"\r\n")[0]
        while more := client.recv(65536):
            answer += more
        assert b"request_timeout" in answer
        assert time.monotonic() - start < 5


def test_slow_headers_are_cut_off(served: Served) -> None:
    with connect(served) as client:
        client.sendall(b"POST /v1/comp")
        assert client.recv(65536) == b""
    with connect(served) as client:  # A connection that says nothing.
        assert client.recv(65536) == b""


@pytest.mark.parametrize("junk", [b"\0\0\0\0\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00" * 40])
def test_what_is_no_http(served: Served, junk: bytes) -> None:
    with connect(served) as client:
        client.sendall(junk)
        answer = client.recv(65536)
        assert answer == b"" or b" 400 " in answer.partition(b"\r\n")[0]


@pytest.mark.parametrize("stream", [False, True])
def test_vanishing_clients_are_cancelled(served: Served, stream: bool) -> None:
    body = json.dumps(completion(max_tokens=200, stream=stream, ignore_eos=True)).encode()
    before = len(served.fake.cancelled)
    clients = [connect(served) for _ in range(4)]
    for client in clients:
        client.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    wait_until(lambda: served.fake.live >= 4)
    for client in clients:
        client.close()
    wait_until(lambda: len(served.fake.cancelled) == before + 4)


def test_a_client_that_vanishes_within_its_body(served: Served) -> None:
    with connect(served) as client:
        client.sendall(HEAD + b'Content-Length: 100\r\n\r\n{"model":')


def test_a_client_that_never_reads(served: Served) -> None:
    body = json.dumps(completion(max_tokens=200, stream=True, ignore_eos=True, n=16)).encode()
    with connect(served) as client:
        client.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        wait_until(lambda: served.fake.live >= 8)
        wait_until(lambda: served.fake.live == 0)  # The engine does not wait for it.


def test_full_queue(serve: Callable[..., Served]) -> None:
    served = serve(FakeEngine(slots=1, queue_limit=1, step_seconds=0.01), ServerOptions(shutdown_seconds=5))
    body = {**completion(max_tokens=100, ignore_eos=True), "n": 2}
    with httpx.Client(base_url=served.url, timeout=30) as client:
        worker = threading.Thread(target=lambda: client.post(COMPLETIONS, json=body))
        worker.start()
        wait_until(lambda: served.fake.live == 2)
        refused = client.post(COMPLETIONS, json=completion())
        check_error(refused, 429)
        assert refused.json()["error"]["code"] == "queue_full"
        assert refused.headers["retry-after"] == "1"
        worker.join()
        assert client.post(COMPLETIONS, json=completion()).status_code == 200
        # A request of which one answer finds no room leaves none of its answers there.
        check_error(client.post(COMPLETIONS, json={**body, "n": 3}), 429)
        wait_until(lambda: served.fake.live == 0)


@pytest.mark.parametrize("stream", [False, True])
def test_requests_that_take_too_long(serve: Callable[..., Served], stream: bool) -> None:
    options = ServerOptions(request_seconds=0.3, shutdown_seconds=5)
    served = serve(FakeEngine(step_seconds=0.05), options)
    body = completion(max_tokens=200, ignore_eos=True, stream=stream)
    answer = CLIENT.post(served.url + COMPLETIONS, json=body)
    if stream:
        last = answer.text.strip().rpartition("data: ")[2]
        assert json.loads(last)["error"]["code"] == "timeout"
        assert "[DONE]" not in answer.text
    else:
        check_error(answer, 503)
    wait_until(lambda: served.fake.live == 0)


def test_a_model_that_fails(serve: Callable[..., Served]) -> None:
    served = serve(FakeEngine(step_seconds=0.01))
    served.fake.fail_with = "the device is lost: /secret/path"
    answer = CLIENT.post(served.url + COMPLETIONS, json=completion())
    check_error(answer, 500)
    assert "secret" not in answer.text
    streamed = CLIENT.post(served.url + COMPLETIONS, json=completion(stream=True))
    assert "internal_error" in streamed.text
    served.fake.fail_with = None
    assert CLIENT.post(served.url + COMPLETIONS, json=completion()).status_code == 200
