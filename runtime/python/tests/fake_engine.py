"""An engine without a model, whose tokens a function makes up: for tests of everything around it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from bamba.engine.protocol import Counters, EngineInfo, EngineRequest, Event, Finish, Histogram
from bamba.errors import BambaError, EngineClosedError, QueueFullError
from bamba.outputs import TokenLogprob

ALL_FEATURES = frozenset(
    {
        "temperature",
        "repetition_penalty",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "structured",
    }
)


def mixed_up(tokens: Sequence[int], vocab_size: int) -> int:
    """A token that depends on all before it."""
    value = 17
    for token in tokens:
        value = (value * 31 + token + 7) % 1_000_003
    return 3 + value % (vocab_size - 3)


class FakeEngine:
    """Runs up to `slots` requests, a token each every `step_seconds`; refuses beyond `queue_limit` that wait."""

    def __init__(
        self,
        next_token: Callable[[EngineRequest, list[int]], int] | None = None,
        *,
        vocab_size: int = 512,
        max_context: int = 256,
        slots: int = 8,
        queue_limit: int = 1024,
        step_seconds: float = 0.0,
        features: frozenset[str] = ALL_FEATURES,
        eos_tokens: tuple[int, ...] = (2,),
    ) -> None:
        self.info = EngineInfo(vocab_size, max_context, slots, eos_tokens, 1)
        self.features = features
        self.requests: list[EngineRequest] = []  # All that were submitted.
        self.cancelled: set[int] = set()
        self.fail_with: str | None = None  # The message of a failure at the next token.
        self._next_token = next_token or (lambda r, answer: mixed_up([*r.prompt, *answer], vocab_size))
        self._slots, self._queue_limit, self._step_seconds = slots, queue_limit, step_seconds
        self._live: dict[int, tuple[EngineRequest, list[int]]] = {}
        self._events: list[Event] = []
        self._condition = threading.Condition()
        self._draining = self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def submit(self, request: EngineRequest) -> None:
        with self._condition:
            if self._draining or self._closed:
                raise EngineClosedError("draining")
            if len(self._live) >= self._slots + self._queue_limit:
                raise QueueFullError(f"expected at most {self._queue_limit} requests that wait, found more")
            self.requests.append(request)
            self._live[request.key] = (request, [])
            self._condition.notify_all()

    def cancel(self, key: int) -> None:
        with self._condition:
            if self._live.pop(key, None):
                self.cancelled.add(key)
                self._events.append(Event(key, None, Finish.CANCELLED))
                self._condition.notify_all()

    def poll(self, timeout: float) -> list[Event]:
        with self._condition:
            drained = lambda: self._draining and not self._live  # noqa: E731
            self._condition.wait_for(lambda: self._events or self._closed or drained(), timeout)
            if drained() and not self._events:
                raise EngineClosedError("drained")  # As a library does.
            events, self._events = self._events, []
            return events

    def drain(self, timeout: float) -> int:
        with self._condition:
            self._draining = True
            self._condition.notify_all()
            self._condition.wait_for(lambda: not self._live, timeout)
            return len(self._live)

    def counters(self) -> Counters:
        with self._condition:
            live = len(self._live)
            gauges = {"running": float(min(live, self._slots)), "waiting": float(max(0, live - self._slots))}
            totals = {"submitted": len(self.requests), "cancelled": len(self.cancelled)}
            return Counters(gauges, totals, {"step_time": Histogram(1.5, ((0.1, 1), (float("inf"), 2)))})

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        self._thread.join()

    @property
    def live(self) -> int:
        with self._condition:
            return len(self._live)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._live or self._closed)
                if self._closed:
                    return
                for request, answer in list(self._live.values())[: self._slots]:
                    self._step(request, answer)
                self._condition.notify_all()
            time.sleep(self._step_seconds)

    def _one_of(self, allowed: bytes, token: int) -> int:
        """The token if it is allowed, else some other one that is."""
        found = [each for each in range(self.info.vocab_size) if allowed[each // 8] >> each % 8 & 1]
        return token if token in found else found[token % len(found)]

    def _step(self, request: EngineRequest, answer: list[int]) -> None:
        if self.fail_with is not None:
            del self._live[request.key]
            event = Event(request.key, None, Finish.ERROR, status="BAMBA_DEVICE_ERROR", message=self.fail_with)
            self._events.append(event)
            return
        token = self._next_token(request, answer)
        if request.mask is not None:
            try:
                token = self._one_of(request.mask.allowed_after(answer[-1] if answer else None), token)
            except BambaError as error:
                del self._live[request.key]
                self._events.append(
                    Event(request.key, None, Finish.ERROR, status="BAMBA_INVALID_ARGUMENT", failure=error)
                )
                return
        answer.append(token)
        finish = Finish.NONE
        stops = {*request.params.stop_token_ids, *(() if request.params.ignore_eos else self.info.eos_tokens)}
        if token in stops:
            finish = Finish.STOP_TOKEN
        elif len(answer) >= request.max_tokens:
            finish = Finish.LENGTH
        if finish != Finish.NONE:
            del self._live[request.key]
        logprob = None
        if request.params.logprobs is not None:
            top = {(token + i) % self.info.vocab_size: -0.5 - i for i in range(request.params.logprobs)}
            logprob = TokenLogprob(token, -0.5, top)
        self._events.append(Event(request.key, token, finish, int(finish == Finish.STOP_TOKEN), 0, logprob))
