"""The body of /v1/completions."""

from __future__ import annotations

from typing import ClassVar

from bamba.errors import InvalidRequestError, UnsupportedError
from bamba.server.schemas.sampling import SamplingRequest

DEFAULT_MAX_TOKENS = 16  # OpenAI's.


class CompletionRequest(SamplingRequest):
    """OpenAI's fields of a completion."""

    unsupported: ClassVar[frozenset[str]] = SamplingRequest.unsupported | {"suffix"}

    prompt: str | list[str] | list[int] | list[list[int]]
    echo: bool = False
    logprobs: int | None = None
    best_of: int | None = None
    add_special_tokens: bool = True

    def prompts(self) -> list[str | list[int]]:
        """Each prompt, as text or tokens."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        if not self.prompt:
            raise InvalidRequestError("prompt: expected at least one, found none", "prompt")
        if isinstance(self.prompt[0], int):
            return [[token for token in self.prompt if isinstance(token, int)]]
        return [prompt for prompt in self.prompt if not isinstance(prompt, int)]

    def check(self) -> None:
        """Raises UnsupportedError for what the fields together ask for and no engine gives."""
        if self.echo and self.logprobs is not None:
            raise UnsupportedError("echo: log-probabilities of the prompt are not supported", "echo")
        if self.best_of is not None and self.best_of != (self.n or 1):
            raise UnsupportedError("best_of: expected the value of n, found another", "best_of")
