"""`bamba chat`: a conversation in the terminal."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Any

from rich.console import Console

from bamba.chat import chat_prompt
from bamba.cli.options import add_model_options, add_sampling_options, load_options, sampling_params
from bamba.cli.progress import Stages
from bamba.errors import InvalidRequestError
from bamba.llm import LLM
from bamba.sampling import SamplingParams

_MAX_TOKENS = 1024
_HELP = "/new starts again, /quit ends (or Ctrl-D); Ctrl-C stops an answer"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_model_options(parser)
    parser.add_argument("--system", metavar="TEXT", help="what the model is told before the chat")
    add_sampling_options(parser, _MAX_TOKENS)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    params = sampling_params(arguments)
    with Stages() as stages:
        llm = LLM(arguments.checkpoint, load_options(arguments), watcher=stages.watcher)
    console = Console(stderr=True, highlight=False)
    start = [{"role": "system", "content": arguments.system}] if arguments.system else []
    messages = list(start)
    with llm:
        console.print(_HELP, style="dim")
        while (line := _read()) is not None:
            if line == "/new":
                messages = list(start)
            elif line:
                _turn(llm, messages, line, params, console)
    return 0


def _read() -> str | None:
    """A line of the user, or None at the end."""
    try:
        line = input("> " if sys.stdin.isatty() else "").strip()
    except (EOFError, KeyboardInterrupt):
        return None
    return None if line == "/quit" else line


def _turn(llm: LLM, messages: list[dict[str, Any]], line: str, params: SamplingParams, console: Console) -> None:
    """A question and its answer; the chat remembers both unless the answer was refused."""
    question = {"role": "user", "content": line}
    parts: list[str] = []
    try:
        # A long chat has little room left; the limit is for the answer alone.
        for delta in llm.stream_chat([*messages, question], _within_context(llm, [*messages, question], params)):
            parts.append(delta.text)
            sys.stdout.write(delta.text)
            sys.stdout.flush()
    except KeyboardInterrupt:
        pass
    except InvalidRequestError as error:
        console.print(f"{error}", style="red", markup=False)
        return
    sys.stdout.write("\n")
    messages += [question, {"role": "assistant", "content": "".join(parts)}]


def _within_context(llm: LLM, messages: list[dict[str, Any]], params: SamplingParams) -> SamplingParams:
    """The parameters with no more tokens than the context has room for."""
    room = llm.engine.info.max_context - len(chat_prompt(llm.engine, messages))
    return replace(params, max_tokens=max(1, min(params.max_tokens or room, room)))
