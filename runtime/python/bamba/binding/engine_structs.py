"""The structs of bamba/engine.h, field for field."""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char, c_double, c_float, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p

from bamba.binding.structs import Sampling

MAX_TOP_LOGPROBS = 20
HISTOGRAM_BUCKETS = 24
FIRST_BUCKET_SECONDS = 0.0001  # Each following bound is twice the one before.


class EngineOptions(ctypes.Structure):
    """bamba_engine_options."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("slots", c_uint32),
        ("threads", c_uint32),
        ("pages", c_uint64),
        ("max_step_rows", c_uint32),
        ("queue_limit", c_uint32),
        ("prefix_cache", c_int),
        ("snapshot_interval", c_uint32),
        ("cache_device_bytes", c_uint64),
        ("cache_host_bytes", c_uint64),
    ]


class TokenLogprob(ctypes.Structure):
    """bamba_token_logprob."""

    _fields_ = [("token", c_int32), ("logprob", c_float)]


class Event(ctypes.Structure):
    """bamba_engine_event."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("request", c_uint64),
        ("user", c_void_p),
        ("token", c_int32),
        ("index", c_uint32),
        ("finish", c_int),
        ("stop_tokens", c_uint32),
        ("stop_index", c_uint32),
        ("status", c_int),
        ("prompt_tokens", c_uint32),
        ("cached_tokens", c_uint32),
        ("logprob", c_float),
        ("num_top_logprobs", c_uint32),
        ("top_logprobs", TokenLogprob * MAX_TOP_LOGPROBS),
        ("message", c_char * 128),
    ]


class TokenList(ctypes.Structure):
    """bamba_token_list."""

    _fields_ = [("tokens", POINTER(c_int32)), ("num_tokens", c_size_t)]


# bamba_allow_callback: the request's `user`, the last token and the words to set bits in; 0 where it went well.
AllowCallback = CFUNCTYPE(c_int, c_void_p, c_int32, c_void_p)


class RequestOptions(ctypes.Structure):
    """bamba_request_options."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("prompt", POINTER(c_int32)),
        ("num_prompt", c_size_t),
        ("stop_tokens", POINTER(c_int32)),
        ("num_stop_tokens", c_size_t),
        ("stop_sequences", POINTER(TokenList)),
        ("num_stop_sequences", c_size_t),
        ("callback", c_void_p),
        ("user", c_void_p),
        ("max_tokens", c_uint32),
        ("priority", c_int32),
        ("ignore_eos", c_uint32),
        ("logprobs", c_uint32),
        ("top_logprobs", c_uint32),
        ("no_prefix_cache", c_uint32),
        ("sampling", POINTER(Sampling)),
        ("allow", AllowCallback),
    ]


class Histogram(ctypes.Structure):
    """bamba_histogram."""

    _fields_ = [("count", c_uint64), ("sum", c_double), ("buckets", c_uint64 * HISTOGRAM_BUCKETS)]


GAUGES = ("running", "waiting", "preempted", "slots", "pages", "free_pages", "tokens_per_second")
CACHE_GAUGES = ("cache_entries", "cache_device_bytes", "cache_host_bytes")
TOTALS = ("submitted", "rejected", "finished", "cancelled", "failed", "preemptions", "prompt_tokens",
          "generated_tokens", "steps", "step_rows")  # fmt: skip
CACHE_TOTALS = ("cache_lookups", "cache_hits", "cached_tokens", "cache_evictions", "cache_moves_to_host")
HISTOGRAMS = ("queue_time", "time_to_first_token", "time_between_tokens", "request_time", "step_time", "host_time")


class Counters(ctypes.Structure):
    """bamba_engine_counters."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("seconds", c_double),
        ("running", c_uint32),
        ("waiting", c_uint32),
        ("preempted", c_uint32),
        ("slots", c_uint32),
        ("pages", c_uint64),
        ("free_pages", c_uint64),
        ("tokens_per_second", c_double),
        *((name, c_uint64) for name in TOTALS),
        ("cache_lookups", c_uint64),
        ("cache_hits", c_uint64),
        ("cached_tokens", c_uint64),
        ("cache_entries", c_uint64),
        ("cache_device_bytes", c_uint64),
        ("cache_host_bytes", c_uint64),
        ("cache_evictions", c_uint64),
        ("cache_moves_to_host", c_uint64),
        *((name, Histogram) for name in HISTOGRAMS),
    ]
