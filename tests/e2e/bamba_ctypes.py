"""bamba.h for Python: every function of a compiled library through ctypes, and three classes that make it pleasant.

A failed call raises BambaError with the status's name and the library's line.
"""

import ctypes
from ctypes import POINTER, byref, c_char, c_char_p, c_float, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p

import numpy as np

ABI_VERSION, VERSION = 2, 2 << 16 | 1

STATUSES = [
    "BAMBA_OK", "BAMBA_INVALID_ARGUMENT", "BAMBA_NOT_FOUND", "BAMBA_IO_ERROR", "BAMBA_BAD_CHECKPOINT",
    "BAMBA_OUT_OF_RANGE", "BAMBA_EXHAUSTED", "BAMBA_UNSUPPORTED", "BAMBA_OUT_OF_MEMORY", "BAMBA_BAD_STATE",
    "BAMBA_NOT_READY", "BAMBA_INTERNAL", "BAMBA_DEVICE_ERROR", "BAMBA_NOT_A_NUMBER",
]

LOGITS_LAST, LOGITS_ALL, LOGITS_NONE, LOGITS_CHOSEN = 0, 1, 2, 3


class Error(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("message", c_char * 504)]


class ModelOptions(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("device", c_char_p)]


class ModelInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("vocab_size", c_uint32), ("max_batch", c_uint32), ("max_context", c_uint32),
        ("prefill_chunk", c_uint32), ("page_tokens", c_uint32), ("reserved", c_uint32), ("weight_bytes", c_uint64),
        ("slot_bytes", c_uint64), ("page_bytes", c_uint64), ("target", c_char_p), ("device", c_char_p),
        ("device_name", c_char_p), ("eos_tokens", POINTER(c_int32)), ("num_eos_tokens", c_uint32),
        ("bos_token", c_int32), ("state_ring", c_uint32), ("reserved2", c_uint32),
    ]


class SessionOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("slots", c_uint32), ("threads", c_uint32), ("pages", c_uint64), ("stream", c_void_p),
    ]


class LogitBias(ctypes.Structure):
    _fields_ = [("token", c_int32), ("bias", c_float)]


class Sampling(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("seed", c_uint64), ("temperature", c_float), ("top_p", c_float), ("min_p", c_float),
        ("repetition_penalty", c_float), ("presence_penalty", c_float), ("frequency_penalty", c_float),
        ("top_k", c_uint32), ("wants_logprobs", c_uint32), ("num_best", c_uint32), ("num_bias", c_uint32),
        ("bias", POINTER(LogitBias)), ("allowed", POINTER(c_uint32)), ("prompt", POINTER(c_int32)),
        ("generated", POINTER(c_int32)), ("num_prompt", c_uint32), ("num_generated", c_uint32),
    ]

    def __init__(self, **fields):
        super().__init__(struct_size=ctypes.sizeof(Sampling), **fields)


class Sample(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("token", c_int32), ("logprob", c_float), ("num_best", c_uint32),
        ("reserved", c_uint32), ("best_tokens", POINTER(c_int32)), ("best_logprobs", POINTER(c_float)),
    ]


class BatchItem(ctypes.Structure):
    _fields_ = [
        ("sequence", c_uint32), ("num_tokens", c_uint32), ("tokens", POINTER(c_int32)), ("logits", c_int),
        ("reserved", c_uint32), ("chosen", POINTER(c_uint32)), ("num_chosen", c_uint32), ("reserved2", c_uint32),
        ("sampling", POINTER(Sampling)),
    ]


class LaunchTime(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("step", c_uint32), ("launch", c_uint32), ("entry", c_char_p), ("kernel", c_char_p),
        ("seconds", ctypes.c_double),
    ]


Profile = ctypes.CFUNCTYPE(None, c_void_p, POINTER(LaunchTime))
Progress = ctypes.CFUNCTYPE(c_int, c_void_p, c_uint64, c_uint64)

Warning = ctypes.CFUNCTYPE(None, c_void_p, c_char_p)


class LoadOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("progress", Progress), ("warning", Warning), ("user", c_void_p),
        ("any_config", c_uint32), ("reserved", c_uint32),
    ]


_ERROR = POINTER(Error)
# Arguments of the functions that return a status, without the bamba_error that each takes last.
_STATUS_FUNCTIONS = {
    "model_open": [POINTER(ModelOptions), POINTER(c_void_p)],
    "model_load": [c_void_p, c_char_p, POINTER(LoadOptions)],
    "model_load_random": [c_void_p, c_uint64],
    "model_get_info": [c_void_p, POINTER(ModelInfo)],
    "session_create": [c_void_p, POINTER(SessionOptions), POINTER(c_void_p)],
    "session_run": [c_void_p, POINTER(BatchItem), c_size_t, c_size_t],
    "session_get_logits": [c_void_p, c_size_t, POINTER(POINTER(c_float)), POINTER(c_size_t)],
    "session_get_greedy": [c_void_p, c_size_t, POINTER(c_int32)],
    "session_profile": [c_void_p, POINTER(BatchItem), c_size_t, c_size_t, c_uint32, Profile, c_void_p],
    "sequence_create": [c_void_p, POINTER(c_uint32)],
    "sequence_free": [c_void_p, c_uint32],
    "sequence_fork": [c_void_p, c_uint32, POINTER(c_uint32)],
    "sequence_reset": [c_void_p, c_uint32],
    "sequence_get_length": [c_void_p, c_uint32, POINTER(c_uint32)],
    "sequence_save": [c_void_p, c_uint32, c_void_p, POINTER(c_size_t)],
    "sequence_restore": [c_void_p, c_uint32, c_void_p, c_size_t],
    "sequence_get_rollback": [c_void_p, c_uint32, POINTER(c_uint32)],
    "sequence_truncate": [c_void_p, c_uint32, c_uint32],
    "session_get_sample": [c_void_p, c_size_t, c_size_t, POINTER(Sample)],
}
# The order of bamba_api's members.
API_MEMBERS = [
    "status_name", "metadata", "model_open", "model_close", "model_load", "model_load_random", "model_get_info",
    "session_create", "session_destroy", "session_run", "session_get_logits", "session_get_greedy", "sequence_create",
    "sequence_free", "sequence_fork", "sequence_reset", "sequence_get_length", "sequence_save", "sequence_restore",
    "session_profile", "sequence_get_rollback", "sequence_truncate", "engine", "session_get_sample",
]


class Api(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("abi_version", c_uint32), ("version", c_uint32)] + [
        (member, c_void_p) for member in API_MEMBERS
    ]


class BambaError(Exception):
    def __init__(self, status, message):
        super().__init__(f"{STATUSES[status]}: {message}")
        self.status, self.message = STATUSES[status], message


class Library:
    """One compiled library."""

    def __init__(self, path):
        self.dll = ctypes.CDLL(path)
        for name, arguments in _STATUS_FUNCTIONS.items():
            function = self.function(name)
            function.argtypes, function.restype = [*arguments, _ERROR], c_int
        for name, arguments, result in [
            ("abi_version", [], c_uint32),
            ("version", [], c_uint32),
            ("status_name", [c_int], c_char_p),
            ("metadata", [], c_char_p),
            ("model_close", [c_void_p], None),
            ("session_destroy", [c_void_p], None),
            ("get_api", [c_uint32], POINTER(Api)),
        ]:
            function = self.function(name)
            function.argtypes, function.restype = arguments, result

    def function(self, name):
        return getattr(self.dll, "bamba_" + name)

    def call(self, name, *arguments):
        """Calls a function that returns a status; raises BambaError unless it is BAMBA_OK."""
        error = Error(ctypes.sizeof(Error))
        status = self.function(name)(*arguments, byref(error))
        message = error.message.decode()
        if status != 0:
            assert message and "\n" not in message, f"bamba_{name}: expected one line of text, found {message!r}"
            raise BambaError(status, message)


class Model:
    """bamba_model. Loads `weights` if given."""

    def __init__(self, library, weights=None, device=None, random_seed=None):
        self.library = library if isinstance(library, Library) else Library(library)
        self.handle = c_void_p()
        options = ModelOptions(ctypes.sizeof(ModelOptions), device.encode() if device else None)
        self.library.call("model_open", byref(options), byref(self.handle))
        if weights:
            self.load(weights)
        if random_seed is not None:
            self.library.call("model_load_random", self.handle, random_seed)

    def load(self, path, progress=None, warning=None, any_config=False):
        options = LoadOptions(
            ctypes.sizeof(LoadOptions), Progress(progress or 0), Warning(warning or 0), None, any_config)
        self.library.call("model_load", self.handle, path.encode(), byref(options))

    def info(self):
        info = ModelInfo(ctypes.sizeof(ModelInfo))
        self.library.call("model_get_info", self.handle, byref(info))
        return info

    def session(self, slots=0, threads=0, pages=0, stream=None):
        return Session(self, slots, threads, pages, stream)

    def close(self):
        self.library.function("model_close")(self.handle)
        self.handle = c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class Session:
    """bamba_session, and the sequences in it by their numbers."""

    def __init__(self, model, slots, threads, pages, stream):
        self.library, self.vocab = model.library, model.info().vocab_size
        self.handle = c_void_p()
        options = SessionOptions(ctypes.sizeof(SessionOptions), slots, threads, pages, stream)
        self.library.call("session_create", model.handle, byref(options), byref(self.handle))

    def close(self):
        self.library.function("session_destroy")(self.handle)
        self.handle = c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def create(self):
        sequence = c_uint32()
        self.library.call("sequence_create", self.handle, byref(sequence))
        return sequence.value

    def free(self, sequence):
        self.library.call("sequence_free", self.handle, sequence)

    def fork(self, sequence):
        fork = c_uint32()
        self.library.call("sequence_fork", self.handle, sequence, byref(fork))
        return fork.value

    def reset(self, sequence):
        self.library.call("sequence_reset", self.handle, sequence)

    def length(self, sequence):
        length = c_uint32()
        self.library.call("sequence_get_length", self.handle, sequence, byref(length))
        return length.value

    def rollback(self, sequence):
        tokens = c_uint32()
        self.library.call("sequence_get_rollback", self.handle, sequence, byref(tokens))
        return tokens.value

    def truncate(self, sequence, tokens):
        self.library.call("sequence_truncate", self.handle, sequence, tokens)

    def save(self, sequence):
        size = c_size_t()
        self.library.call("sequence_save", self.handle, sequence, None, byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self.library.call("sequence_save", self.handle, sequence, buffer, byref(size))
        assert size.value == len(buffer), f"expected {len(buffer)} bytes of state, found {size.value}"
        return buffer.raw

    def restore(self, sequence, state):
        self.library.call("sequence_restore", self.handle, sequence, state, len(state))

    def run(self, batch, logits=LOGITS_LAST, chosen=None, sampling=None):
        """Runs [(sequence, tokens), ...]; the logits of each item, [rows, vocab] copies. `chosen`: after these tokens.
        `sampling`: a Sampling for each item."""
        items = (BatchItem * len(batch))()
        keep = []
        for item, (sequence, tokens) in zip(items, batch):
            array = (c_int32 * len(tokens))(*[int(token) for token in tokens])
            keep.append(array)
            item.sequence, item.num_tokens, item.logits = sequence, len(tokens), logits
            item.tokens = ctypes.cast(array, POINTER(c_int32))
            if chosen is not None:
                numbers = (c_uint32 * len(chosen))(*chosen)
                keep.append(numbers)
                item.logits, item.num_chosen = LOGITS_CHOSEN, len(chosen)
                item.chosen = ctypes.cast(numbers, POINTER(c_uint32))
        for item, parameters in zip(items, sampling or []):
            item.sampling = ctypes.pointer(parameters)
        self.library.call("session_run", self.handle, items, len(batch), ctypes.sizeof(BatchItem))
        return [self.logits(i) for i in range(len(batch))] if logits != LOGITS_NONE else []

    def logits(self, item):
        data, rows = POINTER(c_float)(), c_size_t()
        self.library.call("session_get_logits", self.handle, item, byref(data), byref(rows))
        return np.ctypeslib.as_array(data, (rows.value, self.vocab)).copy()

    def greedy(self, item):
        token = c_int32()
        self.library.call("session_get_greedy", self.handle, item, byref(token))
        return token.value

    def sample(self, item, row=0):
        sample = Sample(ctypes.sizeof(Sample))
        self.library.call("session_get_sample", self.handle, item, row, byref(sample))
        return sample

    def generate(self, sequence, tokens, count):
        """`count` greedy tokens after `tokens`."""
        new = []
        for _ in range(count):
            self.run([(sequence, tokens)])
            tokens = [self.greedy(0)]
            new += tokens
        return new
