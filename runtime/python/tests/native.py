"""A tiny checkpoint with random weights, the library that is compiled from it, and its tokenizer."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tokenizers_for_tests import LLAMA_3_STYLE, byte_level_bpe

from bamba import CompileOptions, LoadOptions
from bamba.compiling import compile_cached

CHECKOUT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("BAMBAC_BUILD", CHECKOUT / "build"))
COMPILE = CompileOptions(target="cpu", max_batch=16, max_context=512)


@dataclass(frozen=True)
class Checkpoint:
    folder: Path
    library: Path
    cache: Path

    @property
    def options(self) -> LoadOptions:
        return LoadOptions(device="cpu", cache_folder=self.cache, bambac=BUILD / "bin" / "bambac", compile=COMPILE)


def build_tool(name: str) -> Path:
    path = BUILD / "bin" / name
    if not path.is_file():
        pytest.skip(f"there is no {name} in {BUILD}/bin; the variable BAMBAC_BUILD names the build")
    return path


def make_checkpoint(folder: Path, cache: Path) -> Checkpoint:
    """The model of tests/fixtures/tiny with a vocabulary for the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((CHECKOUT / "tests" / "fixtures" / "tiny" / "config.json").read_text())
    config["vocab_size"] = 512
    (folder / "config.json").write_text(json.dumps(config))
    byte_level_bpe().save(str(folder / "tokenizer.json"))
    special = {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>", "chat_template": LLAMA_3_STYLE}
    (folder / "tokenizer_config.json").write_text(json.dumps(special))
    library = compile_cached(folder / "config.json", COMPILE, cache_folder=cache, bambac=build_tool("bambac"))
    text = (folder / "config.json").read_text()
    subprocess.run(
        [build_tool("bamba-run"), "init-weights", library, "-o", folder, "--seed=1"], check=True, capture_output=True
    )
    (folder / "config.json").write_text(text)  # Written in another form now, which would be another key of the cache.
    return Checkpoint(folder, library, cache)


@contextlib.contextmanager
def served(checkpoint: Checkpoint, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`bamba serve` in a process of its own, and its address."""
    command = [sys.executable, "-m", "bamba.cli.main", "serve", str(checkpoint.folder), "--device=cpu", "--port=0"]
    command += [f"--library={checkpoint.library}", "--served-model-name=tiny", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        lines = []
        while not (lines and lines[-1].startswith("serving ")):
            lines.append(process.stderr.readline())
            assert lines[-1], "".join(lines)
        url = lines[-1].split()[1].removesuffix("/v1")
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))):
                break
            time.sleep(0.05)
        yield url, process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)
        process.stderr.close()
