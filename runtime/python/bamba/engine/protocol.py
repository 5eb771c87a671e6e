"""The interface between text and tokens: what the rest of this package needs of an engine.

`NativeEngine` is the engine of a compiled library. Tests and other programs may bring their own.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bamba.errors import BambaError
from bamba.outputs import TokenLogprob
from bamba.sampling import SamplingParams


class Finish(enum.IntEnum):
    """Why a request has ended; the numbers are those of bamba_finish."""

    NONE = 0
    LENGTH = 1
    STOP_TOKEN = 2
    STOP_SEQUENCE = 3
    CANCELLED = 4
    ERROR = 5


@dataclass(frozen=True)
class EngineInfo:
    """What the model behind an engine can hold."""

    vocab_size: int
    max_context: int  # Tokens of a prompt and its answer together.
    max_batch: int  # Requests that can run at a time.
    eos_tokens: tuple[int, ...] = ()
    bos_token: int | None = None
    device: str = "cpu"
    device_name: str = ""


class TokenMask(Protocol):
    """Follows one answer and says which tokens may come next."""

    def allowed_after(self, token: int | None) -> bytes:
        """A bit for each token that may come next, token t in bit t % 8 of byte t // 8; those beyond the end may not.

        Called once before each token of the answer, in a thread of the engine, which waits for it; `token` is the last
        one, None before the first. To raise ends the request.
        """


@dataclass(frozen=True)
class EngineRequest:
    """Tokens to continue. `key` is the caller's name for the request, above 0, which comes back in each event."""

    key: int
    prompt: Sequence[int]
    params: SamplingParams
    max_tokens: int
    priority: int = 0
    seed: int | None = None
    mask: TokenMask | None = None  # None: every token may come.


@dataclass(frozen=True)
class Event:
    """A token of a request, or its end, or both."""

    key: int
    token: int | None  # None: the request ended without one.
    finish: Finish = Finish.NONE
    stop_tokens: int = 0  # How many of the last tokens are the stop.
    cached_tokens: int = 0
    logprob: TokenLogprob | None = None
    status: str = "BAMBA_OK"
    message: str = ""
    failure: BambaError | None = None  # What the mask of the request has raised.


@dataclass(frozen=True)
class Histogram:
    """How often something took how long: `buckets` are pairs of an upper bound in seconds and a count up to it."""

    total_seconds: float
    buckets: tuple[tuple[float, int], ...]


@dataclass(frozen=True)
class Counters:
    """What an engine does and has done: `gauges` of now, `totals` since it was created, and histograms of seconds."""

    gauges: dict[str, float] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    histograms: dict[str, Histogram] = field(default_factory=dict)


class Engine(Protocol):
    """Takes requests and answers token by token. Every function may be called from any thread, `close` last."""

    @property
    def info(self) -> EngineInfo:
        """What the model can hold."""

    @property
    def features(self) -> frozenset[str]:
        """What of SamplingParams the engine can do beyond greedy tokens: names of its fields."""

    def submit(self, request: EngineRequest) -> None:
        """Accepts a request. Raises QueueFullError, PromptTooLongError, EngineClosedError or InvalidRequestError."""

    def cancel(self, key: int) -> None:
        """Ends a request; its last event follows. Nothing happens where the request has ended."""

    def poll(self, timeout: float) -> list[Event]:
        """The events since the last call, after at most `timeout` seconds of waiting for the first."""

    def drain(self, timeout: float) -> int:
        """Refuses requests from now on and waits until all have ended; how many have not after `timeout` seconds."""

    def counters(self) -> Counters:
        """What the engine does and has done."""

    def close(self) -> None:
        """Ends all requests and frees the engine and its model."""
