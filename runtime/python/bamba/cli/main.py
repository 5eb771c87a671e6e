"""Reads the command line and runs a command."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence

from bamba.errors import BambaError
from bamba.version import __version__

# The module of each command and what it does. Only the module of the command that runs is imported: help comes at once.
_COMMANDS = {
    "serve": ("bamba.cli.serve", "serve a model with OpenAI's interface, and a page to try it by hand"),
    "generate": ("bamba.cli.generate", "continue one or more texts"),
    "chat": ("bamba.cli.chat", "talk to a model in the terminal"),
    "bench": ("bamba.cli.bench", "measure throughput and latency with random prompts"),
    "compile": ("bamba.cli.compiling", "compile a checkpoint's configuration, and print where the library is"),
}


def make_parser(command: str | None) -> argparse.ArgumentParser:
    """The parser of all commands, with the options of one."""
    parser = argparse.ArgumentParser(
        prog="bamba",
        description="Runs models that bambac compiles: in a server with OpenAI's interface, or here.",
        epilog="Each command has --help. A checkpoint is compiled when it is first used; the library is kept.",
    )
    parser.add_argument("--version", action="version", version=f"bamba {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (module, text) in _COMMANDS.items():
        description = text[:1].upper() + text[1:] + "."
        options = commands.add_parser(name, help=text, description=description)
        if name == command:
            importlib.import_module(module).add_options(options)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; its exit code. A mistake of the user is one line on the standard error and code 1."""
    words = sys.argv[1:] if arguments is None else arguments
    parsed = make_parser(next(iter(words), None)).parse_args(words)
    try:
        run = parsed.run
        code: int = run(parsed)
    except BambaError as error:
        print(f"bamba: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return code


if __name__ == "__main__":
    sys.exit(main())
