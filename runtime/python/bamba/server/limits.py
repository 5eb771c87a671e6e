"""Limits that no schema knows."""

from __future__ import annotations

from bamba.errors import InvalidRequestError
from bamba.server.options import ServerOptions


def check_choices(prompts: int, n: int, options: ServerOptions) -> None:
    """Raises InvalidRequestError where a request asks for more answers than the server gives."""
    if prompts * n > options.max_choices:
        message = f"n: expected at most {options.max_choices} answers, prompts times n, found {prompts * n}"
        raise InvalidRequestError(message, "n" if prompts == 1 else "prompt")
