#!/usr/bin/env python3
"""Generates tokens with a compiled model from Python, with nothing but the standard library.

generate.py MODEL.so WEIGHTS COUNT TOKEN...
"""

import ctypes
import sys


# The structs of bamba.h that are needed here, field for field.
class Error(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("message", ctypes.c_char * 504)]


class SessionOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("slots", ctypes.c_uint32),
        ("threads", ctypes.c_uint32),
        ("pages", ctypes.c_uint64),
    ]


class BatchItem(ctypes.Structure):
    _fields_ = [
        ("sequence", ctypes.c_uint32),
        ("num_tokens", ctypes.c_uint32),
        ("tokens", ctypes.POINTER(ctypes.c_int32)),
        ("logits", ctypes.c_int),
        ("reserved", ctypes.c_uint32),
    ]


class Bamba:
    """A library: `bamba.model_open(...)` calls bamba_model_open with an error at the end, and raises what it says."""

    def __init__(self, path):
        self.library = ctypes.CDLL(path)
        self.library.bamba_status_name.restype = ctypes.c_char_p

    def __getattr__(self, name):
        function = getattr(self.library, "bamba_" + name)

        def call(*arguments):
            error = Error(struct_size=ctypes.sizeof(Error))
            status = function(*arguments, ctypes.byref(error))
            if status != 0:
                name = self.library.bamba_status_name(status).decode()
                raise RuntimeError(f"{name}: {error.message.decode(errors='replace')}")

        return call


def generate(bamba, session, prompt, count):
    """Yields `count` tokens, each the most likely after the prompt and those before it."""
    sequence = ctypes.c_uint32()
    bamba.sequence_create(session, ctypes.byref(sequence))
    tokens = prompt
    for _ in range(count):
        array = (ctypes.c_int32 * len(tokens))(*tokens)
        item = BatchItem(sequence=sequence, num_tokens=len(tokens), tokens=array)
        item_size = ctypes.c_size_t(ctypes.sizeof(BatchItem))
        bamba.session_run(session, ctypes.byref(item), ctypes.c_size_t(1), item_size)
        token = ctypes.c_int32()
        bamba.session_get_greedy(session, ctypes.c_size_t(0), ctypes.byref(token))
        yield token.value
        tokens = [token.value]


def main():
    if len(sys.argv) < 5:
        sys.exit(f"usage: {sys.argv[0]} MODEL.so WEIGHTS COUNT TOKEN...")
    path, weights, count, *prompt = sys.argv[1:]
    bamba = Bamba(path)
    model, session = ctypes.c_void_p(), ctypes.c_void_p()
    try:
        bamba.model_open(None, ctypes.byref(model))
        bamba.model_load(model, weights.encode(), None)
        options = SessionOptions(struct_size=ctypes.sizeof(SessionOptions), slots=1)
        bamba.session_create(model, ctypes.byref(options), ctypes.byref(session))
        for i, token in enumerate(generate(bamba, session, [int(token) for token in prompt], int(count))):
            print(" " * (i > 0), token, sep="", end="", flush=True)
        print()
    except RuntimeError as error:
        sys.exit(str(error))
    finally:
        bamba.library.bamba_session_destroy(session)  # sessions before their model; NULL is allowed
        bamba.library.bamba_model_close(model)


if __name__ == "__main__":
    main()
