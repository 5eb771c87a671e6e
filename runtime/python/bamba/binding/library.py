"""Opens a compiled library and calls its functions, whose failures become exceptions."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any

from bamba.binding import structs
from bamba.errors import LibraryError


class Library:
    """A library that `bambac compile` has made. May be used from any thread."""

    def __init__(self, path: str | Path) -> None:
        """Raises LibraryError where the file cannot be opened or speaks another version of the interface."""
        self.path = Path(path).resolve()
        try:
            self._functions = ctypes.CDLL(str(self.path))
            self._functions.bamba_status_name.restype = ctypes.c_char_p
            self._functions.bamba_metadata.restype = ctypes.c_char_p
            found = self._functions.bamba_abi_version()
        except (OSError, AttributeError) as error:
            raise LibraryError("BAMBA_UNSUPPORTED", f"{path}: expected a compiled model: {error}") from error
        if found != structs.ABI_VERSION:
            message = f"{path}: expected version {structs.ABI_VERSION} of the C interface, found {found}"
            raise LibraryError("BAMBA_UNSUPPORTED", message)

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor version of the C interface that the library has."""
        found: int = self._functions.bamba_version()
        return found >> 16, found & 0xFFFF

    def has(self, name: str) -> bool:
        """Whether the library has the function bamba_`name`: earlier ones lack later functions."""
        return hasattr(self._functions, f"bamba_{name}")

    def call(self, name: str, *arguments: Any) -> None:
        """Calls bamba_`name` with a bamba_error at the end. Raises LibraryError."""
        self.check(*self.status(name, *arguments))

    def status(self, name: str, *arguments: Any) -> tuple[int, str]:
        """Calls bamba_`name` with a bamba_error at the end; its status and the line of text of a failure."""
        error = structs.sized(structs.Error)
        status: int = getattr(self._functions, f"bamba_{name}")(*arguments, ctypes.byref(error))
        return status, error.message.decode(errors="replace") if status != structs.STATUS_OK else ""

    def check(self, status: int, message: str) -> None:
        """Raises LibraryError for any status but BAMBA_OK."""
        if status != structs.STATUS_OK:
            raise LibraryError(self.status_name(status), message)

    def release(self, name: str, handle: ctypes.c_void_p) -> None:
        """Calls bamba_`name`, which frees what the handle names and cannot fail."""
        getattr(self._functions, f"bamba_{name}")(handle)

    def status_name(self, status: int) -> str:
        """The name of a status, such as BAMBA_OUT_OF_RANGE."""
        name: bytes = self._functions.bamba_status_name(status)
        return name.decode()

    def metadata(self) -> dict[str, Any]:
        """What the library says of itself: its configuration, entry points, weights."""
        found: dict[str, Any] = json.loads(self._functions.bamba_metadata())
        return found
