"""From a checkpoint folder to an engine: compiles, opens, loads, and finds the tokenizer and the chat template."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from bamba.async_engine import AsyncEngine
from bamba.binding import Library, Model
from bamba.binding.model import LoadProgress
from bamba.compiling import CompileOptions, compile_cached
from bamba.engine.native import EngineOptions, NativeEngine
from bamba.errors import CheckpointError, InvalidRequestError
from bamba.text import load_chat_template, load_tokenizer


@dataclass(frozen=True)
class LoadOptions:
    """How a checkpoint becomes an engine."""

    library: str | Path | None = None  # A compiled library; None: compile one, or take it from the cache.
    tokenizer: str | Path | None = None  # A folder with the tokenizer; None: that of the checkpoint.
    device: str | None = None  # "cpu", "cuda", "cuda:1"; None: where the library runs best.
    any_config: bool = False  # Load even where config.json is not that of the library.
    cache_folder: str | Path | None = None
    bambac: str | Path | None = None
    compile: CompileOptions = field(default_factory=CompileOptions)
    engine: EngineOptions = field(default_factory=EngineOptions)


@dataclass(frozen=True)
class Watcher:
    """Told of the stages of loading, for progress bars: a context around compiling, bytes as they are loaded."""

    compiling: Callable[[], AbstractContextManager[object]] = nullcontext
    loading: LoadProgress | None = None
    warning: Callable[[str], None] | None = None


def load_engine(
    checkpoint: str | Path, options: LoadOptions | None = None, watcher: Watcher | None = None
) -> AsyncEngine:
    """An engine for a checkpoint folder.

    Raises CheckpointError, CompileError or LibraryError, whose one line says which file or option is to blame.
    """
    folder, options, watcher = Path(checkpoint), options or LoadOptions(), watcher or Watcher()
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder}: expected a checkpoint folder, found {'a file' if folder.exists() else 'nothing'}"
        )
    text_folder = Path(options.tokenizer) if options.tokenizer else folder
    tokenizer, template = load_tokenizer(text_folder), load_chat_template(text_folder)
    with watcher.compiling():
        path = options.library or compile_cached(
            folder / "config.json",
            _for_device(options.compile, options.device),
            cache_folder=options.cache_folder,
            bambac=options.bambac,
        )
    model = Model(Library(path), options.device)
    try:
        model.load(folder, progress=watcher.loading, warning=watcher.warning, any_config=options.any_config)
        if tokenizer.vocab_size > model.info.vocab_size:
            raise CheckpointError(
                f"{text_folder}: expected a tokenizer of at most {model.info.vocab_size} tokens, those of the model, "
                f"found {tokenizer.vocab_size}"
            )
        engine = NativeEngine(model, options.engine)
    except BaseException:
        model.close()
        raise
    return AsyncEngine(engine, tokenizer, template)


def _for_device(options: CompileOptions, device: str | None) -> CompileOptions:
    """A library for a GPU needs a target that only the user knows; the default is the processor."""
    if device is not None and device.startswith("cuda") and options.target is None:
        raise InvalidRequestError(
            f"device {device}: expected a compile target such as sm_90a (--target), found none", "target"
        )
    return options
