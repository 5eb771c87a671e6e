"""The fields of completions and chats that say how an answer is drawn."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from bamba.errors import InvalidRequestError
from bamba.sampling import SamplingParams, StructuredOutput
from bamba.server.schemas.base import Schema

Number = Annotated[float, Field(strict=True)]


class StreamOptions(Schema):
    """`stream_options`."""

    include_usage: bool = False
    include_obfuscation: bool = False  # Padding against who watches the network; there is none here.


class JsonSchema(Schema):
    """`response_format.json_schema`."""

    name: str = Field(max_length=64)
    description: str | None = None
    json_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool | None = None


class ResponseFormat(Schema):
    """`response_format`."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    def structured(self) -> StructuredOutput | None:
        """What the text must be."""
        if self.type == "text":
            return None
        if self.type == "json_object":
            return StructuredOutput(json_object=True)
        if self.json_schema is None:
            raise InvalidRequestError("response_format.json_schema: expected an object, found none", "response_format")
        return StructuredOutput(json_schema=self.json_schema.json_schema or {})


class SamplingRequest(Schema):
    """OpenAI's fields, and those that other servers of open models have in addition."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"store"})

    model: str
    max_tokens: int | None = None
    temperature: Number | None = None
    top_p: Number | None = None
    n: int | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: Number | None = None
    frequency_penalty: Number | None = None
    logit_bias: dict[str, Number] | None = None
    response_format: ResponseFormat | None = None
    # These change no answer.
    user: str | None = None
    metadata: dict[str, str] | None = None
    service_tier: Literal["auto", "default"] | None = None
    # Beyond OpenAI's.
    top_k: int | None = None
    min_p: Number | None = None
    repetition_penalty: Number | None = None
    stop_token_ids: list[int] | None = None
    include_stop_str_in_output: bool = False
    ignore_eos: bool = False
    skip_special_tokens: bool = True
    priority: int = Field(default=0, ge=-(2**31), le=2**31 - 1)

    def sampling(
        self, *, temperature: float, max_tokens: int | None, logprobs: int | None, max_stop_characters: int
    ) -> SamplingParams:
        """The fields for the engine; `temperature` is that of a request without one.

        Raises InvalidRequestError, which names the field, for values out of range.
        """
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        if any(len(stop) > max_stop_characters for stop in stops):
            raise InvalidRequestError(f"stop: expected at most {max_stop_characters} characters, found more", "stop")
        return SamplingParams(
            max_tokens=max_tokens,
            temperature=temperature if self.temperature is None else self.temperature,
            top_p=_default(self.top_p, 1.0),
            top_k=0 if self.top_k in (None, -1) else self.top_k or 0,  # -1 is how other servers write "all".
            min_p=_default(self.min_p, 0.0),
            repetition_penalty=_default(self.repetition_penalty, 1.0),
            presence_penalty=_default(self.presence_penalty, 0.0),
            frequency_penalty=_default(self.frequency_penalty, 0.0),
            logit_bias=_logit_bias(self.logit_bias or {}),
            seed=self.seed,
            n=1 if self.n is None else self.n,
            stop=tuple(stops),
            stop_token_ids=tuple(self.stop_token_ids or ()),
            include_stop=self.include_stop_str_in_output,
            ignore_eos=self.ignore_eos,
            logprobs=logprobs,
            skip_special_tokens=self.skip_special_tokens,
            structured=self.response_format.structured() if self.response_format else None,
        )

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return self.stream_options is not None and self.stream_options.include_usage

    def check_stream_options(self) -> None:
        """Raises InvalidRequestError where there are options of a stream and no stream."""
        if self.stream_options is not None and not self.stream:
            raise InvalidRequestError("stream_options: expected stream to be true, found false", "stream_options")


def _default(value: float | None, default: float) -> float:
    return default if value is None else value


def _logit_bias(biases: dict[str, float]) -> dict[int, float]:
    found = {}
    for token, bias in biases.items():
        if not (token.isascii() and token.isdigit() and len(token) < 11):
            raise InvalidRequestError(f"logit_bias: expected token numbers, found {token[:20]!r}", "logit_bias")
        found[int(token)] = bias
    return found
