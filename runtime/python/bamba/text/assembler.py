"""Makes the text of an answer from the events of its tokens."""

from __future__ import annotations

from collections.abc import Sequence

from bamba.engine.protocol import Event, Finish
from bamba.outputs import Delta, FinishReason, TokenLogprob
from bamba.sampling import SamplingParams
from bamba.text.detokenizer import IncrementalDetokenizer
from bamba.text.stop_strings import StopStrings
from bamba.text.tokenizer import Tokenizer

_REASONS: dict[Finish, FinishReason] = {
    Finish.LENGTH: "length",
    Finish.STOP_TOKEN: "stop",
    Finish.STOP_SEQUENCE: "stop",
}


class TextAssembler:
    """Feeds tokens through the detokenizer and the stop strings, and says when the answer is over."""

    def __init__(
        self, tokenizer: Tokenizer, prompt: Sequence[int], params: SamplingParams, eos_tokens: Sequence[int] = ()
    ) -> None:
        self._detokenizer = IncrementalDetokenizer(tokenizer, prompt, skip_special_tokens=params.skip_special_tokens)
        self._stops = StopStrings(params.stop, include=params.include_stop)
        self._include_stop = params.include_stop
        self._eos_tokens = frozenset(eos_tokens)

    def push(self, events: Sequence[Event]) -> Delta:
        """What some events add. The delta has a finish reason where the answer ends with them.

        That may be before the engine's last event, where a stop string was found; the caller then cancels the request.
        Events of failures and cancellations are the caller's to handle.
        """
        parts: list[str] = []
        tokens: list[int] = []
        logprobs: list[TokenLogprob] = []
        reason: FinishReason | None = None
        stop: str | int | None = None
        for event in events:
            if event.token is not None:
                tokens.append(event.token)
                if event.logprob is not None:
                    logprobs.append(event.logprob)
                if event.finish != Finish.STOP_TOKEN or self._include_stop:
                    parts.append(self._stops.push(self._detokenizer.push(event.token)))
            if self._stops.found is None and event.finish in _REASONS:
                reason = _REASONS[event.finish]
                if event.finish == Finish.STOP_TOKEN and event.token not in self._eos_tokens:
                    stop = event.token
                parts += [self._stops.push(self._detokenizer.flush())]
            if self._stops.found is not None:
                reason, stop = "stop", self._stops.found
                break
            if reason is not None:
                parts.append(self._stops.flush())
                break
        cached = events[-1].cached_tokens if events else 0
        return Delta("".join(parts), tuple(tokens), tuple(logprobs), reason, stop, cached_tokens=cached)
