"""The masks of an engine's requests, for the function that a library calls before each token."""

from __future__ import annotations

import ctypes
import logging
from typing import Any

from bamba.binding.engine_structs import AllowCallback
from bamba.engine.protocol import TokenMask
from bamba.errors import BambaError

_LOG = logging.getLogger("bamba.engine")
_FAILED = 1


class Masks:
    """Masks by the keys of their requests. `add` and `remove` may be called from any thread."""

    def __init__(self, vocab_size: int) -> None:
        self._num_bytes = (vocab_size + 31) // 32 * 4
        self._masks: dict[int, TokenMask] = {}
        self._failures: dict[int, BambaError] = {}
        self._callback = AllowCallback(self._allow)

    def add(self, key: int, mask: TokenMask) -> Any:
        """Takes the mask of a request; the callback for its options, which lives as long as this object."""
        self._masks[key] = mask
        return self._callback

    def remove(self, key: int) -> BambaError | None:
        """Forgets a request that has ended; what its mask has raised, if that ended it."""
        self._masks.pop(key, None)
        return self._failures.pop(key, None)

    def _allow(self, key: int, token: int, words: int) -> int:
        """Writes the bits of a request's next tokens. Nothing may be thrown through C."""
        try:
            allowed = self._masks[key].allowed_after(token if token >= 0 else None)
            ctypes.memmove(words, allowed, min(len(allowed), self._num_bytes))
        except BambaError as error:
            self._failures[key] = error
        except BaseException as error:
            _LOG.exception("the mask of a request failed")
            self._failures[key] = BambaError(f"the mask of the request failed: {error}")
        else:
            return 0
        return _FAILED
