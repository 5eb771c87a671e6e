"""What tests of several files share."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
import uvicorn
from fake_engine import FakeEngine
from native import BUILD, Checkpoint, make_checkpoint
from tokenizers_for_tests import LLAMA_3_STYLE, byte_level_bpe

from bamba import LLM, AsyncEngine, load_engine
from bamba.server import ServerOptions, create_app
from bamba.server.run import bind, make_server, url_of
from bamba.text import ChatTemplate
from bamba.text.tokenizer import JsonTokenizer

SPECIAL = {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}


@dataclass
class Served:
    """A server that runs in a thread of this process."""

    url: str
    fake: FakeEngine
    engine: AsyncEngine
    server: uvicorn.Server

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@contextlib.contextmanager
def serving(engine: AsyncEngine, options: ServerOptions) -> Iterator[tuple[str, uvicorn.Server]]:
    options = replace(options, port=0)
    bound = bind(options)
    server = make_server(create_app(engine, options), options)
    thread = threading.Thread(target=lambda: server.run(sockets=[bound]), daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield url_of(bound), server
    finally:
        server.should_exit = True
        thread.join(30)
        bound.close()


@pytest.fixture(scope="session")
def bpe() -> JsonTokenizer:
    return JsonTokenizer(byte_level_bpe())


def text_engine(fake: FakeEngine, tokenizer: JsonTokenizer) -> AsyncEngine:
    return AsyncEngine(fake, tokenizer, ChatTemplate(LLAMA_3_STYLE, SPECIAL))


@pytest.fixture
def serve(bpe: JsonTokenizer) -> Iterator[Callable[..., Served]]:
    """Starts servers around fake engines, which end with the test."""
    with contextlib.ExitStack() as stack:

        def start(fake: FakeEngine | None = None, options: ServerOptions | None = None) -> Served:
            fake = fake or FakeEngine()
            engine = text_engine(fake, bpe)
            url, server = stack.enter_context(serving(engine, options or ServerOptions(shutdown_seconds=5)))
            return Served(url, fake, engine, server)

        yield start


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    # The build keeps the library, whose name says what it was compiled from and by which compiler.
    return make_checkpoint(tmp_path_factory.mktemp("native") / "tiny", BUILD / "python-libraries")


@pytest.fixture(scope="session")
def native_url(checkpoint: Checkpoint) -> Iterator[str]:
    """A server around a compiled model, which it calls tiny."""
    engine = load_engine(checkpoint.folder, checkpoint.options)
    with serving(engine, ServerOptions(model_name="tiny", shutdown_seconds=5)) as (url, _server):
        yield url


@pytest.fixture(scope="session")
def llm(checkpoint: Checkpoint) -> Iterator[LLM]:
    with LLM(checkpoint.folder, checkpoint.options) as llm:
        yield llm
