"""Replicas on Ray Serve: where requests go, and that a replica which dies takes none with it."""

from __future__ import annotations

import asyncio
import collections
import json
import os
import signal
import socket
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import wait_until
from native import Checkpoint
from starlette.requests import Request

from bamba.errors import InvalidRequestError
from bamba.server import ServerOptions

ray = pytest.importorskip("ray", reason="ray is not installed")

from bamba.ray import deployment  # noqa: E402
from bamba.ray.forwarded import Forwarded, Head, respond  # noqa: E402
from bamba.ray.prefix_index import BLOCK_CHARACTERS, PrefixIndex, prefix_blocks, rank  # noqa: E402
from bamba.ray.settings import parse_settings  # noqa: E402


def blocks_of(text: str) -> list[int]:
    return prefix_blocks(b'{"prompt": "' + text.encode() + b'"}')


def test_blocks_are_those_of_the_beginning() -> None:
    shared = "x" * (2 * BLOCK_CHARACTERS)
    first, second = blocks_of(shared + "a" * 300), blocks_of(shared + "b" * 300)
    assert first[:2] == second[:2]
    assert not set(first[2:]) & set(second[2:])
    assert len(blocks_of("short")) == 1
    chat = prefix_blocks(b'{"messages": [{"role": "user", "content": "hi"}], "prompt": "x"}')
    assert len(chat) == 1
    for body in (b"", b"{", b"[]", b"7", b"[" * 100_000):
        assert prefix_blocks(body) == []


def test_index_knows_who_has_seen_what() -> None:
    index: PrefixIndex[str] = PrefixIndex(capacity=6)
    index.record([1, 2, 3], "a")
    index.record([1, 2, 9], "b")
    assert index.matches([1, 2, 3, 4]) == {"a": 3, "b": 2}
    assert index.matches([7]) == index.matches([]) == {}
    index.forget("a")
    assert index.matches([1, 2, 3]) == {"b": 2}
    index.record([11, 12, 13, 14, 15, 16], "c")
    assert index.matches([1]) == {}


def test_rank_weighs_prefix_and_load() -> None:
    replicas = ["a", "b", "c"]
    assert rank(replicas, {"b": 3, "c": 1}, {}, slack=2) == ["b", "c", "a"]
    assert rank(replicas, {"b": 3}, {"a": 1, "b": 3, "c": 2}, slack=2)[0] == "b"
    assert rank(replicas, {"b": 3}, {"a": 1, "b": 4, "c": 2}, slack=2) == ["a", "c", "b"]
    assert rank([], {}, {}, slack=2) == []


def test_settings_are_those_of_the_server() -> None:
    given = {"checkpoint": "/x", "replicas": "2", "max_batch": "16", "no_page": "true", "any_config": False,
             "api_key": ["a", "b"], "gpus": 0.5, "stop": "x"}  # fmt: skip
    with pytest.raises(InvalidRequestError, match="stop"):
        parse_settings(given)
    del given["stop"]
    settings = parse_settings(given)
    assert (settings.replicas, settings.gpus, settings.load.compile.max_batch) == (2, 0.5, 16)
    assert settings.server.api_keys == ("a", "b")
    assert not settings.server.page
    assert settings.server.model_name == "x"
    for wrong in ({}, {"checkpoint": "/x", "no_page": "maybe"}, {"checkpoint": "/x", "replicas": "two"}):
        with pytest.raises(InvalidRequestError):
            parse_settings(wrong)


async def test_answers_come_piece_by_piece_and_end_with_the_client() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = await receive()
        assert body["body"] == b"body"
        await send({"type": "http.response.start", "status": 201, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        if scope["path"] == "/waits":
            try:
                await receive()
            except asyncio.CancelledError:
                seen.append("gone")
                raise
        await send({"type": "http.response.body", "body": b"two"})

    whole = [piece async for piece in respond(app, Forwarded("POST", "/x", b"", (), b"body"))]
    assert whole == [Head(201, ((b"a", b"b"),)), b"one", b"two"]
    answer = respond(app, Forwarded("POST", "/waits", b"", (), b"body"))
    assert isinstance(await anext(answer), Head)
    await answer.aclose()
    await asyncio.sleep(0.01)
    assert seen == ["gone"]


class FakeReplicas:
    """A handle whose calls do what a script says: pieces of answers, or an error where a replica dies."""

    def __init__(self, *scripts: list[Any]) -> None:
        self._scripts = list(scripts)
        self.requests: list[Forwarded] = []
        self.handle = self

    def options(self, **_options: Any) -> FakeReplicas:
        return self

    async def remote(self, request: Forwarded) -> AsyncGenerator[Any, None]:
        self.requests.append(request)
        for step in self._scripts.pop(0):
            if isinstance(step, Exception):
                raise step
            yield step


def http_request(content: bytes) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    scope = {"type": "http", "method": "POST", "path": "/v1/completions", "query_string": b"a=b", "scheme": "http",
             "server": ("127.0.0.1", 80), "headers": [(b"content-type", b"application/json")]}  # fmt: skip
    return Request(scope, receive)


async def read(answer: Any) -> bytes:
    if hasattr(answer, "body_iterator"):
        return b"".join([piece async for piece in answer.body_iterator])
    return bytes(answer.body)


DEAD = ray.exceptions.RayActorError()
HEAD = Head(200, ((b"content-type", b"text/event-stream"),))


async def test_the_ingress_tries_again_until_something_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "_RETRY_SECONDS", 0)
    replicas = FakeReplicas([DEAD], [HEAD, DEAD], [HEAD, b"one", b"two"])
    answer = await deployment.Ingress(replicas, ServerOptions())(http_request(b'{"prompt": "x"}'))
    assert await read(answer) == b"onetwo"
    assert answer.raw_headers == list(HEAD.headers)
    first, *others = replicas.requests
    assert others == [first, first]
    assert (first.path, first.query, first.body, len(first.blocks)) == (
        "/v1/completions",
        b"a=b",
        b'{"prompt": "x"}',
        1,
    )

    broken = FakeReplicas([HEAD, b"one", DEAD])
    text = await read(await deployment.Ingress(broken, ServerOptions())(http_request(b"{}")))
    assert text.startswith(b"one")
    assert b"replica_died" in text
    ended = FakeReplicas([HEAD, b"one", b"data: [DONE]\n\n", DEAD])
    assert await read(await deployment.Ingress(ended, ServerOptions())(http_request(b"{}"))) == b"onedata: [DONE]\n\n"

    # Of an answer that is no stream, nothing is sent before all of it is there; what comes later does no harm.
    head = Head(200, ((b"content-type", b"application/json"), (b"content-length", b"7")))
    whole = FakeReplicas([head, DEAD], [head, b'{"a"', DEAD], [head, b'{"a"', b":1}", DEAD])
    answer = await deployment.Ingress(whole, ServerOptions())(http_request(b"{}"))
    assert await read(answer) == b'{"a":1}'
    assert answer.raw_headers == list(head.headers)
    assert len(whole.requests) == 3

    answer = await deployment.Ingress(FakeReplicas(*[[DEAD]] * 5), ServerOptions())(http_request(b"{}"))
    assert answer.status_code == 503
    answer = await deployment.Ingress(FakeReplicas(), ServerOptions(max_body_bytes=3))(http_request(b"long"))
    assert answer.status_code == 413


async def test_a_replica_answers(checkpoint: Checkpoint) -> None:
    """The class that Ray Serve makes actors of, in this process."""
    settings = {"checkpoint": checkpoint.folder, "library": checkpoint.library, "device": "cpu"}
    replica = deployment.Replica(parse_settings({**settings, "served_model_name": "tiny"}))
    content = json.dumps(body("Once")).encode()
    headers = ((b"content-type", b"application/json"), (b"host", b"localhost"))
    request = Forwarded("POST", "/v1/completions", b"", headers, content)
    head, *pieces = [piece async for piece in replica.handle(request)]
    assert isinstance(head, Head)
    assert head.status == 200
    assert dict(head.headers)[b"x-bamba-replica"].decode().endswith(f"-{os.getpid()}")
    assert json.loads(b"".join(pieces))["usage"]["completion_tokens"] == 16  # type: ignore[arg-type]
    replica.check_health()
    replica._engine.close()
    with pytest.raises(RuntimeError):
        replica.check_health()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def start_ray() -> int:
    """Starts Ray here, and its proxy on the port returned. Its processes wait for each other for a fixed time, which a
    busy machine may exceed."""
    from ray import serve

    os.environ.setdefault("RAY_agent_register_timeout_ms", "120000")
    for attempt in range(2):
        try:
            ray.init(
                num_cpus=2,
                object_store_memory=100 << 20,
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
            )
            port = free_port()
            serve.start(http_options={"host": "127.0.0.1", "port": port})
            return port
        except Exception as error:
            ray.shutdown()
            if attempt == 1:
                pytest.skip(f"Ray does not start on this machine: {str(error)[:200]}")
    raise AssertionError("not reached")


@pytest.fixture(scope="module")
def url(checkpoint: Checkpoint) -> Iterator[str]:
    """Two replicas on this machine."""
    from ray import serve

    from bamba.ray import app

    port = start_ray()
    try:
        settings = {"checkpoint": checkpoint.folder, "library": checkpoint.library, "device": "cpu", "threads": 1,
                    "replicas": 2, "cpus": 0.5, "served_model_name": "tiny", "shutdown_seconds": 5}  # fmt: skip
        serve.run(app(settings))
        yield f"http://127.0.0.1:{port}"
    finally:
        ray.shutdown()


def body(prompt: str, **more: object) -> dict[str, object]:
    return {"model": "tiny", "prompt": prompt, "max_tokens": 16, "temperature": 0, "ignore_eos": True, **more}


def replica_processes() -> list[int]:
    """The processes of the replicas, which Ray names so."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::ServeReplica:default:Replica"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.timeout(300)
def test_replicas_answer(url: str) -> None:
    with httpx.Client(base_url=url, timeout=60) as client:
        plain = client.post("/v1/completions", json=body("Once")).json()["choices"][0]["text"]
        with client.stream("POST", "/v1/completions", json=body("Once", stream=True)) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = [line for line in answer.iter_lines() if line]
        assert lines[-1] == "data: [DONE]"
        refused = client.post("/v1/completions", json=body("Once", nonsense=1))
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "nonsense")
        assert client.get("/v1/models").json()["data"][0]["id"] == "tiny"
        assert plain

        # Requests go to the replica that has their beginning; others are spread.
        for number in range(3):
            long = f"{number} " + "long prompt " * 60
            names = {
                client.post("/v1/completions", json=body(f"{long} {i}")).headers["x-bamba-replica"] for i in range(6)
            }
            assert len(names) == 1
        spread = collections.Counter(
            client.post("/v1/completions", json=body(f"{i} short")).headers["x-bamba-replica"] for i in range(30)
        )
        assert len(spread) == 2


def streamed(client: httpx.Client, prompt: str) -> str | None:
    """The text of a streamed answer; None where the replica has died once it had begun."""
    text = ""
    with client.stream("POST", "/v1/completions", json=body(prompt, stream=True)) as answer:
        assert answer.status_code == 200
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: {")]
    for event in events:
        if "error" in event:
            assert event["error"]["code"] == "replica_died"
            assert event is events[-1] is not events[0]
            return None
        text += event["choices"][0]["text"]
    assert events[-1]["choices"][0]["finish_reason"] == "length"
    return text


@pytest.mark.timeout(300)
def test_a_replica_that_dies_takes_no_request_with_it(url: str) -> None:
    """Each answer is that of a prompt alone. Only streams that had begun may end with an error."""
    prompts = [f"prompt {i}" for i in range(8)]
    with httpx.Client(base_url=url, timeout=120) as client:
        answers = {p: client.post("/v1/completions", json=body(p)) for p in prompts}
    alone = {prompt: answer.json()["choices"][0]["text"] for prompt, answer in answers.items()}
    names = {answer.headers["x-bamba-replica"] for answer in answers.values()}
    wrong: list[Any] = []
    interrupted: list[int] = []
    answered = threading.Semaphore(0)

    def ask(client: httpx.Client, worker: int, prompt: str) -> None:
        if worker % 2:
            text = streamed(client, prompt)
            if text is None:
                interrupted.append(worker)
        else:
            answer = client.post("/v1/completions", json=body(prompt))
            text = answer.json()["choices"][0]["text"] if answer.status_code == 200 else answer.text
        if text not in (None, alone[prompt]):
            wrong.append(text)

    def work(worker: int) -> None:
        with httpx.Client(base_url=url, timeout=120) as client:
            for turn in range(20):
                try:
                    ask(client, worker, prompts[(worker + turn) % len(prompts)])
                except Exception as error:
                    wrong.append(error)
                answered.release()

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for _ in range(40):
        answered.acquire()
    processes = replica_processes()
    assert names
    assert len(processes) == 2
    assert {name.rpartition("-")[2] for name in names} <= {str(each) for each in processes}
    os.kill(processes[0], signal.SIGKILL)
    for worker in workers:
        worker.join()
    assert wrong == []
    assert len(interrupted) <= 4  # One of each worker that streams.
    wait_until(lambda: len(replica_processes()) == 2, 120)  # Ray starts it again.
