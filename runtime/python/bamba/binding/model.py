"""A model of a compiled library: opened on a device, with the weights of a checkpoint."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bamba.binding import structs
from bamba.binding.library import Library
from bamba.errors import LibraryError

LoadProgress = Callable[[int, int], None]  # Bytes done, bytes in all.


@dataclass(frozen=True)
class ModelInfo:
    """What a library was compiled for and what the loaded model costs; sizes in bytes."""

    vocab_size: int
    max_batch: int
    max_context: int
    prefill_chunk: int
    weight_bytes: int
    slot_bytes: int
    page_bytes: int
    target: str
    device: str
    device_name: str
    eos_tokens: tuple[int, ...]
    bos_token: int | None


class Model:
    """An opened model. Close it after its engine; a `with` block does so at its end."""

    def __init__(self, library: Library, device: str | None = None) -> None:
        """Opens the model on "cpu", "cuda", "cuda:1", ..., or where it runs best. Raises LibraryError."""
        self.library = library
        self.handle = ctypes.c_void_p()
        options = structs.sized(structs.ModelOptions, device=device.encode() if device else None)
        library.call("model_open", ctypes.byref(options), ctypes.byref(self.handle))

    def load(
        self,
        checkpoint: str | Path,
        *,
        progress: LoadProgress | None = None,
        warning: Callable[[str], None] | None = None,
        any_config: bool = False,
    ) -> None:
        """Loads the weights of a checkpoint folder. Raises LibraryError.

        `any_config` loads even where the folder's config.json is that of another model.
        """
        interrupted: list[BaseException] = []

        def on_progress(_user: object, done: int, total: int) -> int:
            try:
                if progress:
                    progress(done, total)
            except BaseException as error:  # Nothing may be thrown through C.
                interrupted.append(error)
                return 1
            return 0

        def on_warning(_user: object, message: bytes) -> None:
            if warning:
                warning(message.decode(errors="replace"))

        options = structs.sized(
            structs.LoadOptions,
            progress=structs.Progress(on_progress),
            warning=structs.Warn(on_warning),
            any_config=int(any_config),
        )
        try:
            self.library.call("model_load", self.handle, str(checkpoint).encode(), ctypes.byref(options))
        except LibraryError:
            if interrupted:
                raise interrupted[0] from None
            raise

    def load_random(self, seed: int = 0) -> None:
        """Fills the weights with random numbers, for measurements."""
        self.library.call("model_load_random", self.handle, ctypes.c_uint64(seed))

    @property
    def info(self) -> ModelInfo:
        """What the library was compiled for and what the model costs."""
        found = structs.sized(structs.ModelInfo)
        self.library.call("model_get_info", self.handle, ctypes.byref(found))
        return ModelInfo(
            vocab_size=found.vocab_size,
            max_batch=found.max_batch,
            max_context=found.max_context,
            prefill_chunk=found.prefill_chunk,
            weight_bytes=found.weight_bytes,
            slot_bytes=found.slot_bytes,
            page_bytes=found.page_bytes,
            target=found.target.decode(),
            device=found.device.decode(),
            device_name=found.device_name.decode(),
            eos_tokens=tuple(found.eos_tokens[: found.num_eos_tokens]),
            bos_token=found.bos_token if found.bos_token >= 0 else None,
        )

    def close(self) -> None:
        """Closes the model; a second call does nothing."""
        handle, self.handle = self.handle, ctypes.c_void_p()
        self.library.release("model_close", handle)

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
