"""`bamba generate`: continues texts."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TextIO

from bamba.cli.options import add_model_options, add_sampling_options, load_options, sampling_params
from bamba.cli.progress import Stages
from bamba.llm import LLM
from bamba.outputs import RequestOutput
from bamba.sampling import SamplingParams

_MAX_TOKENS = 128


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_model_options(parser)
    group = parser.add_argument_group("prompts")
    group.add_argument(
        "-p", "--prompt", action="append", default=[], metavar="TEXT", help="a text; may be repeated (default: stdin)"
    )
    group.add_argument("--json", action="store_true", help="print an object a line, with the tokens")
    add_sampling_options(parser, _MAX_TOKENS)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    params = sampling_params(arguments)
    prompts = arguments.prompt or [sys.stdin.read()]
    with Stages() as stages:
        llm = LLM(arguments.checkpoint, load_options(arguments), watcher=stages.watcher)
    with llm:
        if len(prompts) == 1 and not arguments.json:
            _stream(llm, prompts[0], params, sys.stdout)
        else:
            for output in llm.generate(prompts, params):
                print(_as_json(output) if arguments.json else f"{output.prompt}{output.text}\n")
    return 0


def _stream(llm: LLM, prompt: str, params: SamplingParams, out: TextIO) -> None:
    out.write(prompt)
    for delta in llm.stream(prompt, params):
        out.write(delta.text)
        out.flush()
    out.write("\n")


def _as_json(output: RequestOutput) -> str:
    first = output.completions[0]
    return json.dumps(
        {
            "prompt": output.prompt,
            "text": first.text,
            "prompt_tokens": output.prompt_tokens,
            "tokens": first.tokens,
            "finish_reason": first.finish_reason,
        },
        ensure_ascii=False,
    )
