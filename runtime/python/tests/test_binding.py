"""The binding says what the headers say, and passes their errors on."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from native import CHECKOUT, Checkpoint

from bamba.binding import Library, Model, engine_structs, structs
from bamba.errors import LibraryError

INCLUDE = CHECKOUT / "runtime" / "include"
STRUCTS: dict[str, Any] = {
    "bamba_error": structs.Error,
    "bamba_model_options": structs.ModelOptions,
    "bamba_model_info": structs.ModelInfo,
    "bamba_load_options": structs.LoadOptions,
}
ENGINE_STRUCTS: dict[str, Any] = {
    "bamba_engine_options": engine_structs.EngineOptions,
    "bamba_engine_event": engine_structs.Event,
    "bamba_token_list": engine_structs.TokenList,
    "bamba_request_options": engine_structs.RequestOptions,
    "bamba_histogram": engine_structs.Histogram,
    "bamba_engine_counters": engine_structs.Counters,
}


def offsets_in_c(header: str, kinds: dict[str, Any], folder: Path) -> dict[str, int]:
    """What a C compiler makes of the fields that the binding names."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang-22")
    if compiler is None:
        pytest.skip("there is no C compiler")
    lines = []
    for name, kind in kinds.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        lines += [f'printf("{name}.{field[0]} %zu\\n", offsetof({name}, {field[0]}));' for field in kind._fields_]
    source = folder / "offsets.c"
    source.write_text(f'#include "{header}"\n#include <stdio.h>\nint main(void) {{ {" ".join(lines)} return 0; }}\n')
    subprocess.run([compiler, f"-I{INCLUDE}", source, "-o", folder / "offsets"], check=True)
    out = subprocess.run([folder / "offsets"], check=True, capture_output=True, text=True).stdout
    return {name: int(value) for name, value in (line.split() for line in out.splitlines())}


@pytest.mark.parametrize(
    ("header", "kinds"), [("bamba/bamba.h", STRUCTS), ("bamba/engine.h", ENGINE_STRUCTS)], ids=["bamba", "engine"]
)
def test_structs_are_those_of_the_header(header: str, kinds: dict[str, Any], tmp_path: Path) -> None:
    if not (INCLUDE / header).is_file():
        pytest.skip(f"there is no {header}")
    expected = offsets_in_c(header, kinds, tmp_path)
    for name, kind in kinds.items():
        assert ctypes.sizeof(kind) <= expected[name], name  # Fields at the end may be missing here.
        for field in kind._fields_:
            assert getattr(kind, field[0]).offset == expected[f"{name}.{field[0]}"], f"{name}.{field[0]}"


def test_a_model(checkpoint: Checkpoint) -> None:
    library = Library(checkpoint.library)
    assert library.metadata()["models"]
    progress: list[tuple[int, int]] = []
    with Model(library, "cpu") as model:
        model.load(checkpoint.folder, progress=lambda done, total: progress.append((done, total)))
        info = model.info
    assert (info.vocab_size, info.max_batch, info.max_context) == (512, 16, 512)
    assert (info.device, info.target, info.eos_tokens, info.bos_token) == ("cpu", "cpu", (2,), 1)
    assert progress[-1][0] == progress[-1][1] > 0


def test_errors(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="expected a compiled model"):
        Library(tmp_path / "absent.so")
    with pytest.raises(LibraryError, match="expected a compiled model"):
        Library("/lib/x86_64-linux-gnu/libm.so.6")
    library = Library(checkpoint.library)
    with pytest.raises(LibraryError) as unknown:
        Model(library, "tpu")
    assert unknown.value.status.startswith("BAMBA_")
    with Model(library, "cpu") as model:
        with pytest.raises(LibraryError, match="BAMBA_NOT_FOUND"):
            model.load(tmp_path)
        model.close()
        model.close()


def test_what_the_progress_raises_ends_the_load(checkpoint: Checkpoint) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with Model(Library(checkpoint.library), "cpu") as model, pytest.raises(KeyboardInterrupt):
        model.load(checkpoint.folder, progress=interrupt)
