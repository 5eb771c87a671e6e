"""How an answer is drawn and where it ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bamba.errors import InvalidRequestError

MAX_LOGPROBS = 20
MAX_STOPS = 64
MAX_CHOICES = 128
_INT32 = 2**31 - 1


@dataclass(frozen=True)
class StructuredOutput:
    """What the text of an answer must be: JSON of a schema, any JSON object, or what a grammar or expression allows.

    Exactly one of the fields is set. `grammar` is in the Lark form of llguidance.
    """

    json_schema: Mapping[str, Any] | None = None
    json_object: bool = False
    regex: str | None = None
    grammar: str | None = None

    def __post_init__(self) -> None:
        given = [self.json_schema is not None, self.json_object, self.regex is not None, self.grammar is not None]
        if sum(given) != 1:
            raise InvalidRequestError("structured output: expected one of json_schema, json_object, regex and grammar")


@dataclass(frozen=True)
class SamplingParams:
    """How an answer is drawn and where it ends.

    The default is the most likely token at each step (`temperature` 0). With a temperature above 0 a token is drawn
    from the distribution that the other fields shape; equal seeds give equal answers, whatever else runs.

    Raises InvalidRequestError, which names the field, for values out of range.
    """

    max_tokens: int | None = None  # New tokens at most; None: as many as the context has room for.
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0  # 0: all tokens.
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    seed: int | None = None  # None: a new one for each request.
    n: int = 1  # Answers to each prompt; answer i has the seed `seed + i`.
    stop: Sequence[str] = ()  # Strings that end the text, which does not contain them.
    stop_token_ids: Sequence[int] = ()
    include_stop: bool = False  # Leave the stop at the end of the text.
    ignore_eos: bool = False  # Go on after the tokens that end a text.
    logprobs: int | None = None  # Log-probabilities of the token and of as many best ones; None: none.
    skip_special_tokens: bool = True
    structured: StructuredOutput | None = None

    def __post_init__(self) -> None:
        check_range("max_tokens", self.max_tokens, 1, _INT32)
        check_range("temperature", self.temperature, 0.0, 2.0)
        check_range("top_p", self.top_p, 0.0, 1.0, above=True)
        check_range("top_k", self.top_k, 0, _INT32)
        check_range("min_p", self.min_p, 0.0, 1.0)
        check_range("repetition_penalty", self.repetition_penalty, 0.0, 10.0, above=True)
        check_range("presence_penalty", self.presence_penalty, -2.0, 2.0)
        check_range("frequency_penalty", self.frequency_penalty, -2.0, 2.0)
        check_range("seed", self.seed, -(2**63), 2**64 - 1)
        check_range("n", self.n, 1, MAX_CHOICES)
        check_range("logprobs", self.logprobs, 0, MAX_LOGPROBS)
        for token, bias in self.logit_bias.items():
            check_range("logit_bias", token, 0, _INT32)
            check_range("logit_bias", bias, -100.0, 100.0)
        for token in self.stop_token_ids:
            check_range("stop_token_ids", token, 0, _INT32)
        if isinstance(self.stop, str):
            raise InvalidRequestError("stop: expected a list of strings, found a string", "stop")
        if len(self.stop) > MAX_STOPS or len(self.stop_token_ids) > MAX_STOPS:
            raise InvalidRequestError(f"stop: expected at most {MAX_STOPS} strings and tokens, found more", "stop")
        if not all(self.stop):
            raise InvalidRequestError("stop: expected strings that are not empty, found an empty one", "stop")

    @property
    def greedy(self) -> bool:
        """Whether each token is the most likely one."""
        return self.temperature == 0.0 or self.top_k == 1


def check_range(name: str, value: float | None, low: float, high: float, *, above: bool = False) -> None:
    """Raises InvalidRequestError for a value that is there and not from `low` to `high`; `above`: nor `low` itself."""
    if value is None:
        return
    if not math.isfinite(value) or not low <= value <= high or (above and value == low):
        sign = "above" if above else "at least"
        raise InvalidRequestError(f"{name}: expected {sign} {low} and at most {high}, found {value}", name)
