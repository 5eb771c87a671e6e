"""A tiny checkpoint with random weights, the library that is compiled from it, and its tokenizer."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from tokenizers_for_tests import LLAMA_3_STYLE, byte_level_bpe

from bamba import CompileOptions, LoadOptions
from bamba.binding import Library
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
    subprocess.run(
        [build_tool("bamba-run"), "init-weights", library, "-o", folder, "--seed=1"], check=True, capture_output=True
    )
    return Checkpoint(folder, library, cache)


def skip_without_engine(checkpoint: Checkpoint) -> None:
    if not Library(checkpoint.library).has("engine_create"):
        pytest.skip("the library has no engine")
