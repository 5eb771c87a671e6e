"""The exceptions of this package. Each message is one line: what, expected, found."""

from __future__ import annotations


class BambaError(Exception):
    """The base of everything that this package raises on purpose."""


class LibraryError(BambaError):
    """A call of a compiled library has failed.

    `status` is the name of the library's status, such as "BAMBA_OUT_OF_RANGE".
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(f"{status}: {message}" if message else status)
        self.status = status


class InvalidRequestError(BambaError, ValueError):
    """A request asks for what does not exist or is not possible; `param` names the parameter, where one is to blame."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class UnsupportedError(InvalidRequestError):
    """A request asks for something that the library of this model cannot do."""


class PromptTooLongError(InvalidRequestError):
    """A prompt leaves no room for a token in the context."""


class QueueFullError(BambaError):
    """The engine's queue is full: the same request may succeed later."""


class EngineClosedError(BambaError):
    """The engine takes no more requests, or was closed while the request ran."""


class CompileError(BambaError):
    """`bambac` is missing or has refused a configuration."""


class CheckpointError(BambaError):
    """A file of a checkpoint folder is missing or is not what it should be."""


class TemplateError(InvalidRequestError):
    """A chat template cannot be rendered for these messages."""
