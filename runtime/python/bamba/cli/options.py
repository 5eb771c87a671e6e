"""The options that several commands share, and what becomes of them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from bamba.compiling import CompileOptions
from bamba.engine.native import EngineOptions
from bamba.errors import InvalidRequestError
from bamba.loading import LoadOptions
from bamba.sampling import SamplingParams, StructuredOutput

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def byte_count(text: str) -> int:
    """A number of bytes: 4096, 512M, 8G."""
    unit = _UNITS.get(text[-1:].upper(), 0)
    digits = text[:-1] if unit else text
    if not digits.isascii() or not digits.isdigit():
        raise argparse.ArgumentTypeError(f"expected a number of bytes such as 512M, found {text!r}")
    return int(digits) * (unit or 1)


def positive(text: str) -> int:
    """A number above 0."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text!r}")
    return int(text)


def _add(
    group: argparse._ArgumentGroup, name: str, text: str, kind: Callable[[str], object] = str, *, metavar: str
) -> None:
    group.add_argument(name, type=kind, help=text, metavar=metavar)


def add_compile_options(parser: argparse.ArgumentParser) -> None:
    """What decides which library is compiled."""
    group = parser.add_argument_group("compiling", "only where the cache has no library for these options yet")
    _add(group, "--target", "devices to compile for: cpu, sm_80, sm_90a, ... (default cpu)", metavar="LIST")
    _add(group, "--dtype", "type of the weights in memory: bf16, f16, f32, fp8 (default bf16)", metavar="TYPE")
    _add(group, "--state-dtype", "type of the SSM state on a GPU (default f32)", metavar="TYPE")
    _add(group, "--cpu", "processor: native, x86-64-v3, x86-64-v4, sapphirerapids (default native)", metavar="NAME")
    _add(group, "--max-batch", "sequences that one step can decode (default 8)", positive, metavar="N")
    _add(group, "--max-context", "tokens that a sequence can hold (default that of the model, at most 4096)", positive,
         metavar="N")  # fmt: skip
    _add(group, "--prefill-chunk", "tokens of a prompt that one step takes (default 128)", positive, metavar="N")
    _add(group, "--cache-dir", "where libraries are kept (default ~/.cache/bamba)", metavar="DIR")
    _add(group, "--bambac", "the compiler (default: the variable BAMBAC, then PATH)", metavar="PATH")


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """What decides how a checkpoint becomes an engine."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="folder with config.json, weights and tokenizer")
    group = parser.add_argument_group("model")
    _add(group, "--library", "a compiled library, instead of compiling one", metavar="FILE")
    _add(group, "--tokenizer", "folder of the tokenizer (default CHECKPOINT)", metavar="DIR")
    _add(
        group,
        "--device",
        "cpu, cuda or cuda:N (default: a GPU that there is code for, else cpu)",
        metavar="NAME",
    )
    group.add_argument("--any-config", action="store_true", help="load even where config.json is of another model")
    add_compile_options(parser)
    group = parser.add_argument_group("engine")
    _add(group, "--slots", "requests that run at a time (default --max-batch)", positive, metavar="N")
    _add(group, "--threads", "threads that compute (default one a processor)", positive, metavar="N")
    _add(group, "--pages", "pages of the KV cache (default enough for all slots)", positive, metavar="N")
    _add(group, "--max-step-rows", "tokens of one step, which bounds how long a prompt delays others", positive,
         metavar="N")  # fmt: skip
    _add(group, "--queue-limit", "requests that can wait (default 1024)", positive, metavar="N")
    group.add_argument("--no-prefix-cache", action="store_true", help="keep no prompts for later requests")
    _add(group, "--snapshot-interval", "tokens between two states that the prefix cache keeps (default 1024)", positive,
         metavar="N")  # fmt: skip
    _add(group, "--cache-device-bytes", "memory of the device for prefixes, such as 2G", byte_count, metavar="BYTES")
    _add(group, "--cache-host-bytes", "memory of the host for prefixes (default none)", byte_count, metavar="BYTES")


def add_sampling_options(parser: argparse.ArgumentParser, max_tokens: int) -> None:
    """What decides how an answer is drawn."""
    group = parser.add_argument_group("answers")
    group.add_argument(
        "-n", "--max-tokens", type=positive, default=max_tokens, metavar="N", help=f"new tokens (default {max_tokens})"
    )
    _add(group, "--temperature", "0: always the most likely token (default 0)", float, metavar="T")
    _add(group, "--top-p", "draw from the likeliest tokens of this probability together", float, metavar="P")
    _add(group, "--top-k", "draw from so many likeliest tokens", int, metavar="K")
    _add(group, "--min-p", "draw from tokens at least so likely, next to the likeliest", float, metavar="P")
    _add(group, "--repetition-penalty", "above 1: less of the tokens that were there before", float, metavar="X")
    _add(group, "--presence-penalty", "above 0: less of the tokens that the answer has", float, metavar="X")
    _add(group, "--frequency-penalty", "the same, for each time that it has them", float, metavar="X")
    _add(group, "--seed", "the same seed gives the same answer", int, metavar="N")
    group.add_argument("--stop", action="append", default=[], metavar="TEXT", help="ends the answer; may be repeated")
    group.add_argument("--ignore-eos", action="store_true", help="go on after the end of the text")
    shapes = group.add_mutually_exclusive_group()
    shapes.add_argument("--json-schema", type=Path, metavar="FILE", help="the answer is JSON of this schema")
    shapes.add_argument("--regex", metavar="EXPRESSION", help="the answer matches this regular expression")


def compile_options(arguments: argparse.Namespace) -> CompileOptions:
    """The compile options that were given."""
    names = ("target", "dtype", "state_dtype", "cpu", "max_batch", "max_context", "prefill_chunk")
    return CompileOptions(**{name: getattr(arguments, name) for name in names})


def load_options(arguments: argparse.Namespace) -> LoadOptions:
    """The options of loading that were given."""
    names = EngineOptions.__dataclass_fields__.keys() - {"prefix_cache"}
    engine = {name: getattr(arguments, name) or 0 for name in names}
    return LoadOptions(
        library=arguments.library,
        tokenizer=arguments.tokenizer,
        device=arguments.device,
        any_config=arguments.any_config,
        cache_folder=arguments.cache_dir,
        bambac=arguments.bambac,
        compile=compile_options(arguments),
        engine=EngineOptions(prefix_cache=not arguments.no_prefix_cache, **engine),
    )


def sampling_params(arguments: argparse.Namespace) -> SamplingParams:
    """The sampling that was asked for. Raises InvalidRequestError."""
    names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty",
             "seed")  # fmt: skip
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    return SamplingParams(
        max_tokens=arguments.max_tokens,
        stop=tuple(arguments.stop),
        ignore_eos=arguments.ignore_eos,
        structured=_structured(arguments),
        **given,
    )


def _structured(arguments: argparse.Namespace) -> StructuredOutput | None:
    if arguments.regex is not None:
        return StructuredOutput(regex=arguments.regex)
    if arguments.json_schema is None:
        return None
    path: Path = arguments.json_schema
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequestError(f"{path}: {error.strerror}", "json_schema") from error
    except ValueError as error:
        raise InvalidRequestError(f"{path}: expected JSON: {error}", "json_schema") from error
    if not isinstance(found, dict):
        raise InvalidRequestError(f"{path}: expected an object, found another kind of JSON", "json_schema")
    return StructuredOutput(json_schema=found)
