"""The options of `serve run bamba.ray:app name=value ...`: those of `bamba serve`, with `_` for `-`, and a few more."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from bamba.cli.options import add_model_options, load_options
from bamba.cli.serve import add_server_options, server_options
from bamba.errors import InvalidRequestError
from bamba.loading import LoadOptions
from bamba.server.options import ServerOptions

_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no")


@dataclass(frozen=True)
class Settings:
    """How a model is deployed."""

    checkpoint: str
    load: LoadOptions
    server: ServerOptions
    replicas: int
    cpus: float  # Of each replica.
    gpus: float
    max_ongoing: int  # Requests that one replica takes; others wait in the ingress.


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidRequestError(message)


def parse_settings(arguments: Mapping[str, Any]) -> Settings:
    """Raises InvalidRequestError for an option that does not exist or has another type."""
    parser = _Parser(prog="bamba.ray:app", add_help=False)
    add_model_options(parser)
    add_server_options(parser)
    group = parser.add_argument_group("replicas")
    group.add_argument("--replicas", type=int, default=1)
    group.add_argument("--cpus", type=float, default=1.0)
    group.add_argument("--gpus", type=float, default=0.0)
    group.add_argument("--max-ongoing", type=int, default=256)
    given = dict(arguments)
    checkpoint = given.pop("checkpoint", None)
    if not checkpoint:
        raise InvalidRequestError("checkpoint: expected a folder, found none", "checkpoint")
    parsed = parser.parse_args([str(checkpoint), *_as_words(given, parser)])
    return Settings(
        str(checkpoint),
        load_options(parsed),
        server_options(parsed),
        parsed.replicas,
        parsed.cpus,
        parsed.gpus,
        parsed.max_ongoing,
    )


def _as_words(given: Mapping[str, Any], parser: argparse.ArgumentParser) -> list[str]:
    """Options as they are written on a command line. A list repeats its option."""
    flags = {action.dest for action in parser._actions if action.nargs == 0}
    words = []
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if name not in flags:
            words += [f"{option}={each}" for each in (value if isinstance(value, list | tuple) else [value])]
        elif str(value).lower() in _TRUE:
            words.append(option)
        elif str(value).lower() not in _FALSE:
            raise InvalidRequestError(f"{name}: expected true or false, found {value}", name)
    return words
