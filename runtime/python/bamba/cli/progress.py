"""Shows how compiling and loading go on, on the standard error; in a log there is a line for each stage instead."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.progress import TaskID as Task

from bamba.loading import Watcher

_SHOWN_AFTER = 0.5  # Seconds: what was in the cache is no compiling.


class Stages:
    """The stages of one start. Use as a context manager around `load_engine`."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._loading: Task | None = None
        self._start, self._loaded = 0.0, False

    @property
    def watcher(self) -> Watcher:
        """What `load_engine` tells."""
        return Watcher(compiling=self.compiling, loading=self._on_bytes, warning=self._on_warning)

    @contextlib.contextmanager
    def compiling(self) -> Iterator[None]:
        """Around compiling, of which nothing is known but that it goes on."""
        start = time.monotonic()
        with self._console.status("compiling (the library is kept for the next time)"):
            yield
        seconds = time.monotonic() - start
        if seconds > _SHOWN_AFTER:
            self._console.print(f"compiled in {seconds:.1f} s")

    def _on_bytes(self, done: int, total: int) -> None:
        if self._loading is None:
            self._start = time.monotonic()
            self._loading = self._progress.add_task("loading weights", total=total)
        self._progress.update(self._loading, completed=done)
        if done == total and not self._loaded:
            self._loaded = True
            seconds = time.monotonic() - self._start
            self._console.print(f"loaded {total / (1 << 20):.1f} MiB in {seconds:.1f} s")

    def _on_warning(self, message: str) -> None:
        self._console.print(f"warning: {message}", markup=False)

    def __enter__(self) -> Stages:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
