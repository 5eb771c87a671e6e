"""The engine of a compiled library (bamba/engine.h)."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass

from bamba.binding import engine_structs, structs
from bamba.binding.model import Model
from bamba.engine.masks import Masks
from bamba.engine.protocol import Counters, EngineInfo, EngineRequest, Event, Finish, Histogram
from bamba.engine.request_structs import request_options
from bamba.errors import EngineClosedError, LibraryError, PromptTooLongError, QueueFullError
from bamba.outputs import TokenLogprob

_POLL_CAPACITY = 512
_PREFIX_CACHE_OFF = 2
_WITH_SAMPLING = (2, 1)  # The first version of the C interface whose requests say how tokens are drawn.
_GREEDY_FEATURES = frozenset({"logprobs"})
_FEATURES = _GREEDY_FEATURES | {
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "seed",
    "structured",
}


@dataclass(frozen=True)
class EngineOptions:
    """Sizes of an engine; 0 is the library's default. bamba/engine.h says what each means."""

    slots: int = 0  # Requests that run at a time.
    threads: int = 0
    pages: int = 0
    max_step_rows: int = 0
    queue_limit: int = 0  # Requests that can wait.
    prefix_cache: bool = True
    snapshot_interval: int = 0
    cache_device_bytes: int = 0
    cache_host_bytes: int = 0


class NativeEngine:
    """Owns a model with its weights and the engine that runs it."""

    def __init__(self, model: Model, options: EngineOptions | None = None) -> None:
        """Takes the model over: `close` closes it. Raises LibraryError."""
        if not model.library.has("engine_create"):
            message = f"{model.library.path}: expected a library with an engine; compile it again with this bambac"
            raise LibraryError("BAMBA_UNSUPPORTED", message)
        options = options or EngineOptions()
        self._model, self._library = model, model.library
        self._handle = ctypes.c_void_p()
        fields = {name: getattr(options, name) for name in EngineOptions.__dataclass_fields__ if name != "prefix_cache"}
        filled = structs.sized(
            engine_structs.EngineOptions, prefix_cache=0 if options.prefix_cache else _PREFIX_CACHE_OFF, **fields
        )
        self._library.call("engine_create", model.handle, ctypes.byref(filled), ctypes.byref(self._handle))
        info = model.info
        self._info = EngineInfo(
            info.vocab_size,
            info.max_context,
            options.slots or info.max_batch,
            info.eos_tokens,
            info.bos_token,
            info.device,
            info.device_name,
        )
        self._requests: dict[int, int] = {}  # Numbers of the library by key, until the last event.
        self._with_logprobs: set[int] = set()  # Keys.
        self._masks = Masks(info.vocab_size)
        self._lock = threading.Lock()
        self._events = (engine_structs.Event * _POLL_CAPACITY)()

    @property
    def info(self) -> EngineInfo:
        """What the model can hold."""
        return self._info

    @property
    def features(self) -> frozenset[str]:
        """What the library can do beyond greedy tokens."""
        return _FEATURES if self._library.version >= _WITH_SAMPLING else _GREEDY_FEATURES

    def submit(self, request: EngineRequest) -> None:
        """Accepts a request; see Engine."""
        number = ctypes.c_uint64()
        if request.params.logprobs is not None:
            self._with_logprobs.add(request.key)
        allow = self._masks.add(request.key, request.mask) if request.mask is not None else None
        options = request_options(request, allow)
        with self._lock:  # So that the last event cannot come before the number is known.
            status, message = self._library.status(
                "engine_submit", self._open_handle(), ctypes.byref(options), ctypes.byref(number)
            )
            if status == structs.STATUS_OK:
                self._requests[request.key] = number.value
            else:
                self._with_logprobs.discard(request.key)
                self._masks.remove(request.key)
        if status == structs.STATUS_EXHAUSTED:
            raise QueueFullError(message)
        if status == structs.STATUS_NOT_READY:
            raise EngineClosedError(message)
        if status == structs.STATUS_OUT_OF_RANGE:
            raise PromptTooLongError(message, "prompt")
        self._library.check(status, message)

    def cancel(self, key: int) -> None:
        """Ends a request; its last event follows."""
        with self._lock:
            number = self._requests.get(key)
            if number is None or not self._handle:
                return
            status, message = self._library.status("engine_cancel", self._handle, ctypes.c_uint64(number))
        if status != structs.STATUS_NOT_FOUND:
            self._library.check(status, message)

    def poll(self, timeout: float) -> list[Event]:
        """The events since the last call; see Engine. One thread at a time."""
        count = ctypes.c_size_t()
        status, message = self._library.status(
            "engine_poll",
            self._open_handle(),
            ctypes.c_uint64(0),
            self._events,
            ctypes.c_size_t(_POLL_CAPACITY),
            ctypes.c_size_t(ctypes.sizeof(engine_structs.Event)),
            ctypes.c_uint32(int(timeout * 1000)),
            ctypes.byref(count),
        )
        if status == structs.STATUS_NOT_READY:
            raise EngineClosedError(message)
        self._library.check(status, message)
        return [self._event(self._events[i]) for i in range(count.value)]

    def _event(self, event: engine_structs.Event) -> Event:
        finish = Finish(event.finish)
        logprob = None
        if event.token >= 0 and event.user in self._with_logprobs:
            top = {event.top_logprobs[i].token: event.top_logprobs[i].logprob for i in range(event.num_top_logprobs)}
            logprob = TokenLogprob(event.token, event.logprob, top)
        failure = None
        if finish != Finish.NONE:
            failure = self._masks.remove(event.user)
            with self._lock:
                self._requests.pop(event.user, None)
                self._with_logprobs.discard(event.user)
        failed = finish == Finish.ERROR
        return Event(
            event.user,
            event.token if event.token >= 0 else None,
            finish,
            event.stop_tokens,
            event.cached_tokens,
            logprob,
            self._library.status_name(event.status) if failed else "BAMBA_OK",
            event.message.decode(errors="replace") if failed else "",
            failure,
        )

    def drain(self, timeout: float) -> int:
        """Refuses requests from now on and waits for the others; see Engine."""
        left = ctypes.c_size_t()
        milliseconds = ctypes.c_uint32(int(timeout * 1000))
        self._library.call("engine_drain", self._open_handle(), milliseconds, ctypes.byref(left))
        return left.value

    def counters(self) -> Counters:
        """What the engine does and has done."""
        found = structs.sized(engine_structs.Counters)
        self._library.call("engine_get_counters", self._open_handle(), ctypes.byref(found))
        gauges = (*engine_structs.GAUGES, *engine_structs.CACHE_GAUGES)
        totals = (*engine_structs.TOTALS, *engine_structs.CACHE_TOTALS)
        return Counters(
            {name: float(getattr(found, name)) for name in gauges},
            {name: getattr(found, name) for name in totals},
            {name: _histogram(getattr(found, name)) for name in engine_structs.HISTOGRAMS},
        )

    def close(self) -> None:
        """Ends all requests, frees the engine and closes the model; a second call does nothing."""
        with self._lock:
            handle, self._handle = self._handle, ctypes.c_void_p()
        if handle:
            self._library.release("engine_destroy", handle)
            self._model.close()

    def _open_handle(self) -> ctypes.c_void_p:
        if not self._handle:
            raise EngineClosedError("the engine is closed")
        return self._handle


def _histogram(found: engine_structs.Histogram) -> Histogram:
    buckets, total = [], 0
    for i, count in enumerate(found.buckets):
        total += count
        last = i == engine_structs.HISTOGRAM_BUCKETS - 1
        buckets.append((float("inf") if last else engine_structs.FIRST_BUCKET_SECONDS * 2**i, total))
    return Histogram(found.sum, tuple(buckets))
