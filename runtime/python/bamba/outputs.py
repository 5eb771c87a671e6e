"""What an answer is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class TokenLogprob:
    """A new token with the natural logarithm of its probability, and those of the best tokens, the largest first."""

    token: int
    logprob: float
    top: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Delta:
    """What an answer has grown by: some text, and the tokens that came with it.

    Text and tokens are not cut at the same places: a token whose character is unfinished brings its text later.
    `finish_reason` is set in the last delta alone.
    """

    text: str = ""
    tokens: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: FinishReason | None = None
    stop_reason: str | int | None = None  # The string or token that ended the text, unless that is the model's own.
    prompt_tokens: int = 0
    cached_tokens: int = 0  # Tokens of the prompt that the prefix cache had.


@dataclass(frozen=True)
class Completion:
    """One answer to a prompt."""

    index: int
    text: str
    tokens: tuple[int, ...]
    finish_reason: FinishReason
    stop_reason: str | int | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None


@dataclass(frozen=True)
class RequestOutput:
    """All answers to a prompt."""

    prompt: str | None  # None where tokens were given.
    prompt_tokens: tuple[int, ...]
    completions: tuple[Completion, ...]
    cached_tokens: int = 0

    @property
    def text(self) -> str:
        """The text of the first answer."""
        return self.completions[0].text
