"""Compiles a checkpoint's config.json with `bambac`, once: libraries are kept in a cache folder."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bamba.errors import CheckpointError, CompileError

_BLOCK = 1 << 20


@dataclass(frozen=True)
class CompileOptions:
    """Options of `bambac compile`; None is its default. `extra` are more, as they are written on the command line."""

    target: str | None = None  # "cpu", "sm_90a", "cpu,sm_80"; None: what `device` needs.
    dtype: str | None = None
    state_dtype: str | None = None
    cpu: str | None = None
    max_batch: int | None = None
    max_context: int | None = None
    prefill_chunk: int | None = None
    extra: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """The options as arguments."""
        fields = {name: value for name, value in asdict(self).items() if name != "extra" and value is not None}
        return [f"--{name.replace('_', '-')}={value}" for name, value in fields.items()] + list(self.extra)


def find_bambac() -> Path:
    """The compiler: BAMBAC of the environment, in PATH, or the build of the checkout that this package lies in.

    Raises CompileError where there is none.
    """
    named = os.environ.get("BAMBAC")
    found = named or shutil.which("bambac")
    if found:
        if shutil.which(found) is None:
            raise CompileError(f"BAMBAC: expected the path of bambac, found {found}")
        return Path(found).resolve()
    for folder in Path(__file__).resolve().parents:
        built = folder / "build" / "bin" / "bambac"
        if built.is_file():
            return built
    raise CompileError("expected bambac in PATH or in the variable BAMBAC, found none")


def default_cache_folder() -> Path:
    """`bamba` in XDG_CACHE_HOME, else in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bamba"


def compile_cached(
    config: str | Path,
    options: CompileOptions | None = None,
    *,
    cache_folder: str | Path | None = None,
    bambac: str | Path | None = None,
) -> Path:
    """The library for a config.json: from the cache, or compiled now.

    The key is a hash of the configuration, of the options and of the compiler with the runtime that it links; with code
    for the processor that compiles (`cpu` is native), also of that. A second process that wants the same library waits
    for the first.

    Raises CheckpointError where the file is no JSON, CompileError with the compiler's own words where it refuses.
    """
    config, options = Path(config), options or CompileOptions()
    compiler = Path(bambac) if bambac else find_bambac()
    folder = Path(cache_folder) if cache_folder else default_cache_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    library = folder / f"{_key(config, options, compiler)}.so"
    if library.is_file():
        return library
    with _locked(library.with_suffix(".lock")):
        if not library.is_file():
            compile_library(config, library, options, compiler)
    return library


def compile_library(config: Path, output: Path, options: CompileOptions, bambac: Path) -> None:
    """Compiles to a file, which appears only once it is whole. Raises CompileError."""
    output.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{output.stem}-", suffix=".so", dir=output.parent)
    os.close(descriptor)
    try:
        done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
            [str(bambac), "compile", str(config), "-o", name, *options.arguments()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise CompileError(done.stderr.strip() or f"bambac: exit code {done.returncode}")
        Path(name).replace(output)
    except OSError as error:
        raise CompileError(f"{bambac}: {error.strerror}") from error
    finally:
        Path(name).unlink(missing_ok=True)


def _key(config: Path, options: CompileOptions, bambac: Path) -> str:
    try:
        text = config.read_text(encoding="utf-8")
        parts = [json.dumps(json.loads(text), sort_keys=True)]
    except OSError as error:
        raise CheckpointError(f"{config}: {error.strerror}") from error
    except ValueError as error:
        raise CheckpointError(f"{config}: expected JSON: {error}") from error
    parts += [json.dumps(asdict(options), sort_keys=True), *map(_file_hash, _compiler_files(bambac))]
    if options.cpu in (None, "native"):
        parts.append(_processor())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _compiler_files(bambac: Path) -> list[Path]:
    """The compiler, and what it links into libraries: the files of lib/bambac next to its bin."""
    linked = bambac.resolve().parent.parent / "lib" / "bambac"
    return [bambac, *sorted(path for path in linked.glob("*") if path.is_file())]


def _file_hash(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise CompileError(f"{path}: {error.strerror}") from error
    return digest.hexdigest()


def _processor() -> str:
    """What the processor can do, as the kernel says it."""
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open(encoding="ascii", errors="replace") as file:
        return next((line for line in file if line.startswith("flags")), "")
    return ""


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
