"""The structs of bamba.h that this package passes, field for field."""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char, c_char_p, c_float, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any, TypeVar

ABI_VERSION = 2

STATUS_OK = 0
STATUS_INVALID_ARGUMENT = 1
STATUS_NOT_FOUND = 2
STATUS_OUT_OF_RANGE = 5
STATUS_EXHAUSTED = 6
STATUS_NOT_READY = 10


class Error(ctypes.Structure):
    """bamba_error."""

    _fields_ = [("struct_size", c_size_t), ("message", c_char * 504)]


class ModelOptions(ctypes.Structure):
    """bamba_model_options."""

    _fields_ = [("struct_size", c_size_t), ("device", c_char_p)]


class ModelInfo(ctypes.Structure):
    """bamba_model_info."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("vocab_size", c_uint32),
        ("max_batch", c_uint32),
        ("max_context", c_uint32),
        ("prefill_chunk", c_uint32),
        ("page_tokens", c_uint32),
        ("reserved", c_uint32),
        ("weight_bytes", c_uint64),
        ("slot_bytes", c_uint64),
        ("page_bytes", c_uint64),
        ("target", c_char_p),
        ("device", c_char_p),
        ("device_name", c_char_p),
        ("eos_tokens", POINTER(c_int32)),
        ("num_eos_tokens", c_uint32),
        ("bos_token", c_int32),
        ("state_ring", c_uint32),
        ("reserved2", c_uint32),
    ]


class LogitBias(ctypes.Structure):
    """bamba_logit_bias."""

    _fields_ = [("token", c_int32), ("bias", c_float)]


class Sampling(ctypes.Structure):
    """bamba_sampling."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("seed", c_uint64),
        ("temperature", c_float),
        ("top_p", c_float),
        ("min_p", c_float),
        ("repetition_penalty", c_float),
        ("presence_penalty", c_float),
        ("frequency_penalty", c_float),
        ("top_k", c_uint32),
        ("wants_logprobs", c_uint32),
        ("num_best", c_uint32),
        ("num_bias", c_uint32),
        ("bias", POINTER(LogitBias)),
        ("allowed", POINTER(c_uint32)),
        ("prompt", POINTER(c_int32)),
        ("generated", POINTER(c_int32)),
        ("num_prompt", c_uint32),
        ("num_generated", c_uint32),
    ]


Progress = CFUNCTYPE(c_int, c_void_p, c_uint64, c_uint64)
Warn = CFUNCTYPE(None, c_void_p, c_char_p)


class LoadOptions(ctypes.Structure):
    """bamba_load_options."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("progress", Progress),
        ("warning", Warn),
        ("user", c_void_p),
        ("any_config", c_uint32),
        ("reserved", c_uint32),
    ]


_Struct = TypeVar("_Struct", bound=ctypes.Structure)


def sized(kind: type[_Struct], **fields: Any) -> _Struct:
    """A struct with its struct_size set."""
    return kind(struct_size=ctypes.sizeof(kind), **fields)
