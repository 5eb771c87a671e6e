"""`bamba compile`: compiles a configuration into the cache, or to a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from bamba.cli.options import add_compile_options, compile_options
from bamba.cli.progress import Stages
from bamba.compiling import compile_cached, compile_library, find_bambac


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("config", metavar="CONFIG", help="config.json, or a folder that holds one")
    parser.add_argument("-o", "--output", metavar="FILE", help="where the library goes (default: the cache)")
    add_compile_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    config = Path(arguments.config)
    config = config / "config.json" if config.is_dir() else config
    options = compile_options(arguments)
    with Stages() as stages, stages.compiling():
        if arguments.output:
            library = Path(arguments.output)
            compile_library(config, library, options, Path(arguments.bambac) if arguments.bambac else find_bambac())
        else:
            library = compile_cached(config, options, cache_folder=arguments.cache_dir, bambac=arguments.bambac)
    print(library)
    return 0
