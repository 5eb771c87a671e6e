"""Libraries are compiled once, for the configuration, options and compiler that they were asked for."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from bamba import CompileOptions
from bamba.compiling import compile_cached, find_bambac
from bamba.errors import CheckpointError, CompileError

# A stand-in for bambac that notes each call.
STAND_IN = """#!/bin/sh
echo "$*" >> "$(dirname "$0")/calls"
sleep 0.1
grep -q wrong "$2" && { echo "config.json: field 'x': expected 1, found 2" >&2; exit 1; }
echo library > "$4"
"""


@pytest.fixture
def bambac(tmp_path: Path) -> Path:
    path = tmp_path / "bin" / "bambac"
    path.parent.mkdir()
    path.write_text(STAND_IN)
    path.chmod(0o755)
    return path


def calls(bambac: Path) -> list[str]:
    path = bambac.parent / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_a_library_is_kept(tmp_path: Path, bambac: Path) -> None:
    config, cache = tmp_path / "config.json", tmp_path / "cache"
    config.write_text('{"a": 1, "b": 2}')
    first = compile_cached(config, cache_folder=cache, bambac=bambac)
    assert first.read_text() == "library\n"
    config.write_text('{ "b": 2, "a": 1 }')
    assert compile_cached(config, cache_folder=cache, bambac=bambac) == first
    assert len(calls(bambac)) == 1
    assert cache.stat().st_mode & 0o077 == 0
    config.write_text('{"a": 1, "b": 3}')
    others = [compile_cached(config, cache_folder=cache, bambac=bambac)]
    options = CompileOptions(dtype="f16", max_batch=4, extra=("--verify-each",))
    others.append(compile_cached(config, options, cache_folder=cache, bambac=bambac))
    assert calls(bambac)[-1].endswith("--dtype=f16 --max-batch=4 --verify-each")
    bambac.write_text(STAND_IN + "# a newer version\n")
    others.append(compile_cached(config, options, cache_folder=cache, bambac=bambac))
    linked = tmp_path / "lib" / "bambac"
    (linked / "cuda").mkdir(parents=True)
    (linked / "bamba_rt.o").write_text("a newer runtime")
    others.append(compile_cached(config, options, cache_folder=cache, bambac=bambac))
    assert len({first, *others}) == 5
    assert {path.suffix for path in cache.iterdir()} == {".so", ".lock"}


def test_two_at_a_time_compile_once(tmp_path: Path, bambac: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text("{}")
    found: list[Path] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(compile_cached(config, cache_folder=tmp_path / "c", bambac=bambac))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(calls(bambac)) == 1


def test_errors_are_the_compilers_own(tmp_path: Path, bambac: Path) -> None:
    config, cache = tmp_path / "config.json", tmp_path / "cache"
    config.write_text('{"wrong": 1}')
    with pytest.raises(CompileError, match="field 'x': expected 1, found 2"):
        compile_cached(config, cache_folder=cache, bambac=bambac)
    assert not list(cache.glob("*.so"))
    config.write_text("{")
    with pytest.raises(CheckpointError, match="expected JSON"):
        compile_cached(config, cache_folder=cache, bambac=bambac)
    with pytest.raises(CheckpointError, match="No such file"):
        compile_cached(tmp_path / "absent.json", cache_folder=cache, bambac=bambac)
    config.write_text("{}")
    with pytest.raises(CompileError, match="No such file"):
        compile_cached(config, cache_folder=cache, bambac=tmp_path / "absent")


def test_the_compiler_is_found(tmp_path: Path, bambac: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAMBAC", str(bambac))
    assert find_bambac() == bambac.resolve()
    monkeypatch.setenv("BAMBAC", str(tmp_path / "absent"))
    with pytest.raises(CompileError, match="BAMBAC: expected the path"):
        find_bambac()
    monkeypatch.delenv("BAMBAC")
    monkeypatch.setenv("PATH", f"{bambac.parent}{os.pathsep}{os.environ['PATH']}")
    assert find_bambac() == bambac.resolve()
